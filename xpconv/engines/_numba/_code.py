"""What the intrinsics write in LLVM's intermediate code: vectors, masks and loops."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._vectors import vector_bytes

I32, I64 = ir.IntType(32), ir.IntType(64)
Value: TypeAlias = Any  # of llvmlite, which has no types
_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def written(arguments: str, arrays: str, write: Any, kind: str = "") -> Any:
    """Make an intrinsic that returns nothing, from a function that writes its code.

    Parameters
    ----------
    arguments : str
        Their names, with spaces between. Those that are not ``arrays`` are counts and places, and
        those that begin with ``the_`` numbers of the arrays' kind.
    arrays : str
        Names of those that are arrays; the first of them says of which kind numbers are. The
        code gets pointers for them.
    write : callable
        ``write(code, values)`` with a `Code` and the arguments' values by name.
    kind : str, optional
        Name of an argument that is a named tuple, whose class ``write`` gets as its third argument.
        Numba compiles a caller for each class that it meets.
    """
    names, pointers = arguments.split(), arrays.split()

    def typed(typing: Any, *given: Any) -> Any:
        of = dict(zip(names, given, strict=True))
        number = of[pointers[0]].dtype
        kinds = [
            of[name]
            if name in pointers or name == kind
            else number
            if name[:4] == "the_"
            else types.int64
            for name in names
        ]

        def generate(context: Any, builder: Any, signature: Any, found: Any) -> Any:
            values = dict(zip(names, found, strict=True))
            for name in pointers:
                values[name] = context.make_array(of[name])(context, builder, values[name]).data
            code = Code(builder, context.get_value_type(number), number.bitwidth // 8)
            classes = [of[kind].instance_class] if kind else []
            write(code, values, *classes)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    parameters = [inspect.Parameter(name, _POSITIONAL) for name in ("typing", *names)]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(typed)


class Code:
    """Writes to a place in the code, for vectors of one kind of number."""

    def __init__(self, builder: ir.IRBuilder, scalar: ir.Type, width: int) -> None:
        self.b = builder
        self.lanes = vector_bytes() // width
        self.scalar, self.vector = scalar, ir.VectorType(scalar, self.lanes)
        self.width, self._align = width, ir.Constant(I32, width)
        self.zero = ir.Constant(self.vector, None)
        masks, suffix = ir.VectorType(ir.IntType(1), self.lanes), f"v{self.lanes}f{8 * width}"
        pointer = self.vector.as_pointer()
        self._fma = self._declare("fma", suffix, self.vector, [self.vector] * 3)
        self._load = self._declare(
            "masked.load", f"{suffix}.p0", self.vector, [pointer, I32, masks, self.vector]
        )
        self._store = self._declare(
            "masked.store", f"{suffix}.p0", ir.VoidType(), [self.vector, pointer, I32, masks]
        )

    def _declare(self, name: str, suffix: str, result: ir.Type, given: list[ir.Type]) -> Any:
        kind = ir.FunctionType(result, given)
        return cgutils.get_or_insert_function(self.b.module, kind, f"llvm.{name}.{suffix}")

    def splat(self, value: Value) -> Value:
        """A vector of one value, everywhere."""
        kind = ir.VectorType(value.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        one = self.b.insert_element(undefined, value, ir.Constant(I32, 0))
        return self.pick(one, [0] * self.lanes, undefined)

    def pick(self, vector: Value, lanes: list[int], other: Value | None = None) -> Value:
        """The vector of these lanes of one vector, or of two."""
        picks = ir.Constant(ir.VectorType(I32, len(lanes)), lanes)
        other = ir.Constant(vector.type, ir.Undefined) if other is None else other
        return self.b.shuffle_vector(vector, other, picks)

    def first(self, count: Value) -> Value:
        """The mask of as many lanes."""
        numbers = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
        return self.b.icmp_signed("<", numbers, self.splat(count))

    def times(self, value: Value, factor: int) -> Value:
        """A count, so many times."""
        return self.b.mul(value, ir.Constant(I64, factor))

    def at(self, array: Value, *offsets: Value) -> Value:
        """Where an array begins, moved."""
        for offset in offsets:
            array = self.b.gep(array, [offset])
        return array

    def read(self, place: Value, mask: Value | None) -> Value:
        """The vector at a place, with zeros where the mask is not.

        Where it is known to be full there should be no mask: from memory that is far away, vectors
        with a mask come half as fast.
        """
        pointer = self.b.bitcast(place, self.vector.as_pointer())
        if mask is None:
            return self.b.load(pointer, align=self.width)
        return self.b.call(self._load, [pointer, self._align, mask, self.zero])

    def write(self, value: Value, place: Value, mask: Value | None) -> None:
        """Write a vector where the mask is, or all of it."""
        pointer = self.b.bitcast(place, self.vector.as_pointer())
        if mask is None:
            self.b.store(value, pointer, align=self.width)
            return
        self.b.call(self._store, [value, pointer, self._align, mask])

    def announce(self, place: Value, written: bool = False) -> None:
        """Say that a place will be read, or written, before long."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        prefetch = cgutils.get_or_insert_function(self.b.module, kind, "llvm.prefetch.p0")
        numbers = [ir.Constant(I32, n) for n in (int(written), 3, 1)]
        self.b.call(prefetch, [self.b.bitcast(place, byte), *numbers])

    def opaque(self, value: Value) -> Value:
        """The same value, of which the compiler does not know where it comes from."""
        kind = ir.FunctionType(value.type, [value.type])
        return self.b.call(ir.InlineAsm(kind, "", "=r,0"), [value])

    def stay(self) -> None:
        """Keep the compiler from writing a loop's body out several times."""
        kind = ir.FunctionType(ir.VoidType(), [])
        self.b.call(ir.InlineAsm(kind, "", "", True), [], attrs=("convergent", "nounwind"))

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return ``a * b + c``."""
        return self.b.call(self._fma, [a, b, c])

    def clipped(self, value: Value, low: Value, high: Value) -> Value:
        """The vector between two others; NaN stays."""
        value = self.b.select(self.b.fcmp_ordered("<=", value, low), low, value)
        return self.b.select(self.b.fcmp_ordered(">", value, high), high, value)

    def vectors(self, count: Value, write: Any) -> None:
        """Write ``write(first, mask)`` for all full vectors of so many numbers, and the rest."""
        lanes = ir.Constant(I64, self.lanes)
        full = self.b.sub(count, self.b.urem(count, lanes))
        some = self.b.icmp_signed(">", full, ir.Constant(I64, 0))
        with self.b.if_then(some), Loop(self, full, [], self.lanes) as loop:
            write(loop.index, None)
        with self.b.if_then(self.b.icmp_signed("<", full, count)):
            write(full, self.first(self.b.sub(count, full)))

    def switch(self, value: Value, largest: int, write: Any) -> None:
        """Write ``write(n)`` for each n from 1 on that a count may be, and the choice."""
        after = self.b.append_basic_block("after")
        choice = self.b.switch(value, after)
        for n in range(1, largest + 1):
            block = self.b.append_basic_block(f"n{n}")
            choice.add_case(ir.Constant(I64, n), block)
            self.b.position_at_end(block)
            write(n)
            self.b.branch(after)
        self.b.position_at_end(after)


class Loop:
    """A loop that runs at least once and carries vectors in registers.

    The body reads ``index`` and ``carried``, and sets ``carried``.
    """

    def __init__(self, code: Code, count: Value, carried: list[Value], step: int = 1) -> None:
        self.b, self.count, self.carried, self.step = code.b, count, carried, step

    def __enter__(self) -> Loop:
        before, self.body = self.b.block, self.b.append_basic_block("loop")
        self.b.branch(self.body)
        self.b.position_at_end(self.body)
        self.index = self.b.phi(I64)
        self.index.add_incoming(ir.Constant(I64, 0), before)
        self._phis = [self.b.phi(value.type) for value in self.carried]
        for phi, value in zip(self._phis, self.carried, strict=True):
            phi.add_incoming(value, before)
        self.carried = list(self._phis)
        return self

    def __exit__(self, *error: object) -> None:
        last = self.b.block
        index = self.b.add(self.index, ir.Constant(I64, self.step))
        self.index.add_incoming(index, last)
        for phi, value in zip(self._phis, self.carried, strict=True):
            phi.add_incoming(value, last)
        after = self.b.append_basic_block("done")
        self.b.cbranch(self.b.icmp_signed("<", index, self.count), self.body, after)
        self.b.position_at_end(after)
