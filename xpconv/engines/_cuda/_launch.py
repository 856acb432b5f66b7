"""Compile a body once for each choice of its types, and launch it where an array lives."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from array_api_compat import device

from ..._libraries import activate, library_of
from ..._typing import Array

BLOCK = 256
"""Threads of a block."""

OPTIONS = ("--std=c++17", "--fmad=false")
"""Without contracted products every body rounds as the same body does on a CPU."""

_INDEX_LIMIT = 2**30  # beyond it indices, and their sums with the number of threads, need 64 bits
_WORD = 16  # bytes that a thread reads at once

_LANES = 32  # neighbouring channels that a block reads together
_ROWS = 64  # that a thread reads at least, before a further block pays
_BLOCKS = 1024  # enough for every multiprocessor, few enough to add up in one thread

C_TYPES = {"float16": "f16", "bfloat16": "bf16", "float32": "float", "float64": "double"}


@cache
def source(subject: str) -> str:
    """Return the CUDA C++ text of a subject, complete: no header is included."""
    files = resources.files(__package__) / "source"
    texts = [(files / f"{name}.cuh").read_text(encoding="utf-8") for name in ("common", subject)]
    if subject == "winograd":
        from ._winograd import matrices

        texts.insert(1, matrices())
    return "\n".join(texts)


@cache
def kernel(subject: str, name: str) -> Any:
    """Return a kernel by its C++ name, as ``"scatter<float, 4, int>"``; compiled when first used.

    CuPy keeps what it has compiled on disk, and loads it once for each device.
    """
    import cupy

    module = cupy.RawModule(code=source(subject), options=OPTIONS, name_expressions=(name,))
    return module.get_function(name)


def launch(
    subject: str, name: str, types: tuple[Any, ...], count: int, like: Array, *args: Any
) -> None:
    """Let enough threads for ``count`` steps of work run, on the device of ``like``.

    They are given to the current stream; nothing waits for them.
    """
    blocks = min(-(-count // BLOCK), 2**31 - 1)
    launch_blocks(subject, name, types, (blocks,), like, *args)


def launch_blocks(
    subject: str, name: str, types: tuple[Any, ...], grid: tuple[int, ...], like: Array, *args: Any
) -> None:
    """Launch a grid of blocks; see `launch`."""
    if 0 in grid:
        return
    expression = f"{name}<{', '.join(map(str, types))}>"
    with activate(library_of(like), device(like)):
        kernel(subject, expression)(grid, (BLOCK,), args)


def reduction_grid(rows: int, channels: int) -> tuple[tuple[int, int], int]:
    """Return the grid of a sum over rows, and how many threads lie along the channels."""
    lanes = min(_LANES, 1 << (channels - 1).bit_length())
    across = -(-channels // lanes)
    down = -(-rows // (_ROWS * (BLOCK // lanes)))
    return (across, max(1, min(down, -(-_BLOCKS // across)))), lanes


def c_type(array: Array) -> str:
    """Name the type of an array's numbers in the sources."""
    return C_TYPES[str(array.dtype)]


def wide(array: Array) -> str:
    """Name the dtype that an array's numbers are computed in."""
    return "float64" if str(array.dtype) == "float64" else "float32"


def index_type(*sizes: int) -> str:
    """Name the type of indices into arrays of these sizes."""
    return "int" if max(sizes) < _INDEX_LIMIT else "int64"


def index_dtype(index: str) -> type[np.signedinteger[Any]]:
    """Return the same as NumPy has it, to pass a number by value."""
    return np.int32 if index == "int" else np.int64


def number(array: Array, value: float) -> Any:
    """Make a number an argument of the type that an array is computed in."""
    return np.dtype(wide(array)).type(value)


def address(array: Array) -> int:
    """Return where an array's first number lies."""
    return int(array.data.ptr if library_of(array) == "cupy" else array.ctypes.data)


def pack(*arrays: Array, channels: int) -> int:
    """Return how many neighbouring channels a thread can read at once from each of these arrays.

    Channels are their last axis. It is 1, or what fits into 16 bytes where everything lies so.
    """
    size = max(array.dtype.itemsize for array in arrays)
    count = max(_WORD // size, 1)
    fits = channels % count == 0 and all(_lies_so(array, count) for array in arrays)
    return count if fits else 1


def _lies_so(array: Array, count: int) -> bool:
    size = array.dtype.itemsize
    outer = zip(array.strides[:-1], array.shape[:-1], strict=True)
    steps = [step for step, length in outer if length > 1]
    return (
        (array.strides[-1] == size or array.shape[-1] == 1)
        and all(step % (size * count) == 0 for step in steps)
        and aligned(array, count)
    )


def aligned(array: Array, count: int) -> bool:
    """Whether so many numbers of an array can be read at once."""
    return address(array) % int(array.dtype.itemsize * count) == 0


def extent(array: Array) -> int:
    """Return how far apart the numbers of an array lie at most, counted in numbers."""
    steps = zip(array.strides, array.shape, strict=True)
    reach = sum(abs(step) * max(size - 1, 0) for step, size in steps)
    return int(reach // array.dtype.itemsize) + 1
