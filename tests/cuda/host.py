"""A stand-in for the few things of CuPy that the bodies' glue uses, on the host.

Sources are compiled with g++ as they are, behind a shim that knows CUDA's words; kernels take NumPy
arrays for device memory. So the bodies and all the Python around them run without a GPU.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tests.cuda.catalogue import expressions

COMPILER = shutil.which("g++")
HERE = Path(__file__).parent
_KNOWN = {name for names in expressions().values() for name in names}
_COMPILE = [COMPILER, "-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-w"]


_ONE_AT_A_TIME = threading.Lock()


STREAM = 12345
"""The address of the current stream."""


class Order:
    """In which order the threads of a block run."""

    reversed = False


@cache
def _folder() -> Path:
    """Where this run's libraries are made; the shim is read once and for all."""
    folder = Path(tempfile.mkdtemp(prefix="bodies-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(HERE / "shim.hpp", folder)
    subprocess.run([*_COMPILE, "-x", "c++-header", folder / "shim.hpp"], check=True)
    return folder


@cache
def _library(code: str, names: tuple[str, ...]) -> ctypes.CDLL:
    text = [code]
    for number, name in enumerate(names):
        text.append(
            f'extern "C" void launch_{number}(void** v, const unsigned* g, unsigned t, bool r) '
            f"{{ host::launch<({name})>(v, g, t, r); }}\n"
            f'extern "C" void sizes_{number}(long long* s) {{ host::Kernel<({name})>::sizes(s); }}'
        )
    whole = "\n".join(text)
    stem = _folder() / hashlib.sha256(whole.encode()).hexdigest()[:16]
    stem.with_suffix(".cpp").write_text(whole)
    command = [*_COMPILE, "-include", _folder() / "shim.hpp", stem.with_suffix(".cpp"), "-shared"]
    subprocess.run([*command, "-o", stem.with_suffix(".so")], check=True)
    return ctypes.CDLL(str(stem.with_suffix(".so")))


class RawKernel:
    """A compiled kernel, launched as CuPy's are."""

    def __init__(self, library: ctypes.CDLL, number: int) -> None:
        self._launch = getattr(library, f"launch_{number}")
        sizes = (ctypes.c_longlong * 64)()
        getattr(library, f"sizes_{number}")(sizes)
        self._sizes = list(sizes)[: list(sizes).index(-1)]

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]
    ) -> None:
        values = [_by_value(argument) for argument in args]
        assert [value.nbytes for value in values] == self._sizes, "arguments of other sizes"
        assert sum(self._sizes) <= 4096, "more than a launch may carry"
        assert all(0 < n < limit for n, limit in zip(grid, (2**31, 2**16, 2**16)))
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        grid = (*grid, 1, 1)[:3]
        with _ONE_AT_A_TIME:  # as on a stream: the shim has one place for shared memory
            self._launch(
                pointers, (ctypes.c_uint * 3)(*grid), block[0], ctypes.c_bool(Order.reversed)
            )


def _by_value(argument: Any) -> np.ndarray:
    """The bytes that travel: of an array its address, of a struct or a number all of it."""
    if argument is None:
        return np.zeros(1, dtype=np.uintp)
    if isinstance(argument, np.ndarray):
        if argument.dtype.type is np.void:
            assert argument.size == 1
            return argument
        return np.asarray([argument.ctypes.data], dtype=np.uintp)
    assert isinstance(argument, np.generic), f"{type(argument)} is not of a certain size"
    return np.asarray([argument])


class RawModule:
    """Sources, compiled when a kernel is asked for."""

    def __init__(self, *, code: str, options: tuple[str, ...], name_expressions: tuple[str, ...]):
        self._code, self._names = code, tuple(name_expressions)
        assert set(self._names) <= _KNOWN, f"{self._names} is missing in tests/cuda/catalogue.py"

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(_library(self._code, self._names), self._names.index(name))


def _alloc(size: int) -> SimpleNamespace:
    """Memory of the pool, which lives as long as what is returned."""
    memory = np.empty(size, dtype=np.uint8)
    return SimpleNamespace(ptr=memory.ctypes.data, memory=memory)


def module() -> ModuleType:
    """A module to stand in the place of ``cupy``."""
    stand_in = ModuleType("cupy")
    stand_in.RawModule = RawModule
    stand_in.dot = np.dot
    stand_in.ndarray = type("ndarray", (), {})  # array_api_compat looks at it: nothing is one
    stand_in.cuda = SimpleNamespace(
        alloc=_alloc, get_current_stream=lambda: SimpleNamespace(ptr=STREAM)
    )
    return stand_in
