"""Numbers in memory that several threads read and write at the same time, as intrinsics."""

from __future__ import annotations

import platform
import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._code import I32, I64
from ._jit import native

TASK = 256  # bytes of a job before what is to be called
ROOM = 4096  # bytes for what `hand_over` writes
_TASK = ir.FunctionType(I32, [I64, I64, I64])  # of the number, the worker and the arguments' place
_X86, _ARM = ("x86_64", "amd64"), ("aarch64", "arm64")


def _word(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, I64.as_pointer())


def _foreign(builder: Any, name: str, result: Any, *given: Any) -> None:
    """Call a function that is not compiled here."""
    kind = ir.FunctionType(result, [value.type for value in given])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)


@native
def load(typing: Any, address: Any) -> Any:
    """Return the number at an address, with all that was written before it."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load_atomic(_word(builder, given[0]), "acquire", 8)

    return types.int64(types.int64), generate


@native
def add(typing: Any, address: Any, number: Any) -> Any:
    """Add to the number at an address; return what was there."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.atomic_rmw("add", _word(builder, given[0]), given[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@native
def change(typing: Any, address: Any, old: Any, new: Any) -> Any:
    """Put a number where another is, and say whether it was."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = _word(builder, given[0])
        found = builder.cmpxchg(word, given[1], given[2], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), generate


@native
def pause(typing: Any) -> Any:
    """Let the processor rest for some cycles, as loops that wait should."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        machine = platform.machine().lower()
        if machine in _X86:
            _foreign(builder, "llvm.x86.sse2.pause", ir.VoidType())
        elif machine in _ARM:
            _foreign(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(I32, 1))
        return context.get_dummy_value()

    return types.void(), generate


@native
def sleep(typing: Any) -> Any:
    """Let other threads run for 50 us, where the system's C library knows how."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        if sys.platform != "win32":
            _foreign(builder, "usleep", I32, ir.Constant(I32, 50))
        return context.get_dummy_value()

    return types.void(), generate


@native
def hand_over(typing: Any, turn: Any) -> Any:
    """Write to a turn's job how to call the function that this stands in; return the turn.

    The turn is that function's first argument: it will get others, with a number, a worker and no
    helpers. All its other arguments are as they are now, and are neither copied nor kept alive.
    """
    places = {name: at for at, name in enumerate(turn.fields)}
    changed = [places[name] for name in ("number", "worker", "helpers")]

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        function = builder.function
        arguments = function.args[2:]  # behind those for its result and its error
        kind = ir.LiteralStructType([argument.type for argument in arguments])
        if context.get_abi_sizeof(kind) > ROOM - 8:
            raise ValueError(f"{function.name} takes more arguments than there is room for")
        task = ir.Function(builder.module, _TASK, f"{function.name}.task")
        task.linkage = "internal"
        inner = ir.IRBuilder(task.append_basic_block("entry"))
        *who, place = task.args
        result, error = (inner.alloca(slot.type.pointee) for slot in function.args[:2])
        found = inner.load(inner.inttoptr(place, kind.as_pointer()), align=8)
        values = [inner.extract_value(found, k) for k in range(len(arguments))]
        for at, value in zip(changed, (*who, ir.Constant(I64, -1)), strict=True):
            values[at] = value
        inner.ret(inner.call(function, [result, error, *values]))
        at = builder.add(builder.extract_value(given[0], places["job"]), ir.Constant(I64, TASK))
        builder.store(builder.ptrtoint(task, I64), _word(builder, at))
        target = builder.inttoptr(builder.add(at, ir.Constant(I64, 8)), kind.as_pointer())
        for number, argument in enumerate(arguments):
            where = builder.gep(target, [ir.Constant(I32, 0), ir.Constant(I32, number)])
            builder.store(argument, where)
        return given[0]

    return turn(turn), generate


@native
def call(typing: Any, address: Any, number: Any, worker: Any) -> Any:
    """Call what was handed over at an address; say whether it ended well."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        at, number, worker = given
        task = builder.inttoptr(builder.load(_word(builder, at)), _TASK.as_pointer())
        place = builder.add(at, ir.Constant(I64, 8))
        status = builder.call(task, [number, worker, place])
        return builder.icmp_signed("==", status, ir.Constant(I32, 0))

    return types.boolean(types.int64, types.int64, types.int64), generate
