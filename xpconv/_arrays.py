"""What operations ask of their arrays before they compute: one library, device and dtype."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from numbers import Number
from typing import Any

import array_api_extra as xpx
from array_api_compat import array_namespace, device, is_array_api_obj, is_writeable_array

from ._libraries import library_of
from ._typing import Array, DType, Namespace


def namespace(required: tuple[str, ...] = (), /, **arrays: Array | None) -> Namespace:
    """Return the array namespace that all given arrays share.

    Parameters
    ----------
    required : tuple of str
        Names, besides the first, of those that may not be ``None``.
    **arrays
        Arrays under the names that the user knows them by; other ``None`` are skipped.

    Returns
    -------
    module
        The array API namespace of the arrays.

    Raises
    ------
    TypeError
        If something is not an array, or the arrays live in different libraries or on different
        devices. The message names the argument, and how to move it.
    """
    first_name, first = "", None
    xp: Namespace = None
    for name, array in arrays.items():
        if array is None and first is not None and name not in required:
            continue
        its_own = _namespace_of(name, array)
        if first is None:
            first_name, first, xp = name, array, its_own
        elif its_own is not xp or place(array) != place(first):
            raise TypeError(_mixed(first_name, first, name, array))
    return xp


_NAMESPACES: dict[type, Namespace] = {}  # found once for each type of array: asking takes longer
_ARE_ARRAYS: dict[type, bool] = {}
_ARE_NUMBERS: dict[type, bool] = {}


def is_array(value: Any) -> bool:
    """Whether a value is an array of any library."""
    kind = type(value)
    if kind not in _ARE_ARRAYS:
        _ARE_ARRAYS[kind] = is_array_api_obj(value)
    return _ARE_ARRAYS[kind]


def is_number(value: Any) -> bool:
    """Whether a value is a number of Python's or a scalar of NumPy's."""
    kind = type(value)
    if kind not in _ARE_NUMBERS:
        _ARE_NUMBERS[kind] = isinstance(value, Number)
    return _ARE_NUMBERS[kind]


def _namespace_of(name: str, array: Array) -> Namespace:
    kind = type(array)
    if kind not in _NAMESPACES:
        if not is_array(array):
            raise TypeError(
                f"{name} must be an array, got {kind.__name__}; "
                "make one with xpconv.get_backend().asarray(...)"
            )
        _NAMESPACES[kind] = array_namespace(array)
    return _NAMESPACES[kind]


def _mixed(first_name: str, first: Array, name: str, array: Array) -> str:
    if library_of(first) == "numpy":  # host data has to move, not what waits for it on a device
        first_name, first, name, array = name, array, first_name, first
    return (
        f"{name} is {describe(array)} but {first_name} is {describe(first)}: arrays of one call "
        "must live in one library and on one device; move it with "
        f"xpconv.backend_of({first_name}).asarray({name})"
    )


def describe(array: Array) -> str:
    """Say in words where an array lives, as in ``a numpy array on cpu``."""
    return f"a {library_of(array)} array on {place(array)}"


def place(array: Array) -> Any:
    """Return an array's device; NumPy's, the only one, without asking."""
    return "cpu" if library_of(array) == "numpy" else device(array)


@lru_cache(maxsize=None, typed=True)  # two libraries' dtypes are never compared
def dtype_name(dtype: DType) -> str:
    """Return a dtype as every library writes it: ``"float32"``, not ``"torch.float32"``."""
    return str(dtype).rpartition(".")[2]


def same_dtype(**arrays: Array | None) -> Any:
    """Return the dtype that all given arrays share.

    Raises
    ------
    TypeError
        If two dtypes differ; the message names the arguments and their dtypes.
    """
    given = {name: array for name, array in arrays.items() if array is not None}
    dtypes = {array.dtype for array in given.values()}
    if len(dtypes) > 1:
        listing = ", ".join(f"{name} is {array.dtype}" for name, array in given.items())
        raise TypeError(f"arrays must have the same dtype, but {listing}")
    return dtypes.pop()


def require_floating(**arrays: Array | None) -> None:
    """Refuse arrays that are not real floating, naming the argument."""
    for name, array in arrays.items():
        if array is not None and (is_complex(array) or not is_floating(array)):
            raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")


def is_floating(array: Array) -> bool:
    """Whether an array's dtype is real or complex floating (bfloat16 included)."""
    return _is(array.dtype, "float", "complex")


def is_complex(array: Array) -> bool:
    """Whether an array's dtype is complex."""
    return _is(array.dtype, "complex")


@lru_cache(maxsize=None, typed=True)  # two libraries' dtypes are never compared
def _is(dtype: DType, *kinds: str) -> bool:
    """Read a dtype's kind off its name: no function of the standard knows bfloat16."""
    return any(kind in str(dtype) for kind in kinds)


def largest(xp: Namespace, dtype: DType) -> float:
    """Return the largest number of a floating dtype; NumPy and CuPy do not know bfloat16's."""
    if dtype_name(dtype) == "bfloat16":
        return (2 - 2.0**-7) * 2.0**127
    return float(xp.finfo(dtype).max)


def is_half(x: Any) -> bool:
    """Whether a value is an array of float16 or bfloat16."""
    if not is_array(x) or itemsize(x.dtype) >= 4:
        return False
    return is_floating(x)


def widened(x: Any) -> Any:
    """Return a half-precision array in float32, and everything else as it is."""
    if not is_half(x):
        return x
    xp = array_namespace(x)
    return xp.astype(x, xp.float32)


def narrowed(x: Any, dtype: DType) -> Any:
    """Return an array in another dtype, and everything else as it is."""
    if not is_array(x) or x.dtype == dtype:
        return x
    return array_namespace(x).astype(x, dtype)


def put(target: Array, key: Any, value: Array) -> Array:
    """Write ``value`` into ``target[key]`` and return the result.

    Only for arrays that the caller has just made: they are written in place where the library
    allows it, and replaced where arrays are immutable.
    """
    if is_writeable_array(target):
        target[key] = value
        return target
    return xpx.at(target)[key].set(value)


def add_at(target: Array, key: Any, value: Array) -> Array:
    """Add ``value`` to ``target[key]`` and return the result; see `put`."""
    if is_writeable_array(target):
        target[key] += value
        return target
    return xpx.at(target)[key].add(value)


def clip(xp: Namespace, x: Array, low: float | None = None, high: float | None = None) -> Array:
    """Clip to ``low`` ... ``high``; NaN stays.

    By the array's own method where there is one: the array API namespace of CuPy picks by masks,
    for which it waits, and that of NumPy writes plain memory, however ``x`` lies.
    """
    library = library_of(x)
    if library == "cupy" or (library == "numpy" and is_floating(x)):
        return x.clip(low, high)
    return xp.clip(x, low, high)


def sign(xp: Namespace, x: Array) -> Array:
    """Return the sign, that of NaN is NaN; of complex numbers ``x / |x|``. See `clip`."""
    if library_of(x) != "cupy":
        return xp.sign(x)
    if is_complex(x):
        size = xp.abs(x)
        return x / xp.where(size == 0, 1, size)
    signs = xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)
    return xp.where(x != x, x, signs)


def permuted(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Permute axes; NumPy's own method takes a tenth of the time of the namespace's function."""
    return x.transpose(axes) if library_of(x) == "numpy" else xp.permute_dims(x, axes)


def reshaped(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    """Reshape, likewise."""
    return x.reshape(shape) if library_of(x) == "numpy" else xp.reshape(x, shape)


def conjugate(xp: Namespace, x: Array) -> Array:
    """Return the complex conjugate, and a real array as it is."""
    return xp.conj(x) if is_complex(x) else x


def sum_over(xp: Namespace, x: Array, axes: Iterable[int]) -> Array:
    """Sum over some axes to the array's own dtype, which the standard would widen for integers.

    Half precision is summed in float32, and rounded once.
    """
    dtype = xp.float32 if is_half(x) else x.dtype
    return narrowed(xp.sum(x, axis=tuple(axes), dtype=dtype), x.dtype)


@lru_cache(maxsize=None, typed=True)  # two libraries' dtypes are never compared
def itemsize(dtype: DType) -> int:
    """Bytes of one number, read off the dtype's name, which every library ends with its bits."""
    bits = "".join(c for c in str(dtype) if c.isdigit())
    return max(1, int(bits or 8) // 8)
