"""TF32: float32 products with 10 bits of mantissa, on GPUs that have them, where it is allowed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ._libraries import BackendError

VARIABLE = "CUPY_TF32"
_ALLOWED: ContextVar[bool | None] = ContextVar("xpconv_tf32", default=None)


@contextmanager
def tf32(allowed: bool = True) -> Iterator[None]:
    """Allow or forbid TF32 in products on a GPU within a ``with`` block.

    TF32 cuts the operands of a float32 product to 11 significant bits and sums in float32. It is
    several times as fast, and half precision gains nothing by it.

    Parameters
    ----------
    allowed : bool, default True
        Whether products of float32 CuPy arrays may be made in TF32.

    Notes
    -----
    Outside of any block the environment variable ``CUPY_TF32`` decides, as it does for CuPy itself.
    Products that are left to CuPy (``XPCONV_CUDA_BLAS=0``) know nothing of the block: CuPy reads
    the variable once a process. Other array libraries have settings of their own.

    Examples
    --------
    >>> import xpconv
    >>> with xpconv.tf32():
    ...     pass  # a step on a GPU
    """
    token = _ALLOWED.set(bool(allowed))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def tf32_allowed() -> bool:
    """Whether TF32 is allowed: by the innermost `tf32` block, or else by the environment."""
    allowed = _ALLOWED.get()
    return os.environ.get(VARIABLE, "0").strip() not in ("", "0") if allowed is None else allowed


def set_tf32(allowed: bool) -> None:
    """Allow or forbid TF32 in CuPy's own products for a whole process, and see that it is so.

    CuPy reads the environment variable ``CUPY_TF32`` at the first float32 product of a process and
    never again.

    Raises
    ------
    BackendError
        If the environment says otherwise, if it was read before, or if the device has no TF32.
    """
    wanted, doing = ("1", "allow") if allowed else ("0", "forbid")
    before = os.environ.get(VARIABLE)
    if before is not None and before != wanted:
        raise BackendError(
            f"{VARIABLE}={before} is set, and CuPy reads it once a process: to {doing} TF32, start "
            f"the process with {VARIABLE}={wanted}"
        )
    os.environ[VARIABLE] = wanted
    if _in_force() is allowed:
        return
    if before is None:
        del os.environ[VARIABLE]
    older = ", or the device is older than Ampere and has none" if allowed else ""
    raise BackendError(
        f"it is too late to {doing} TF32: CuPy reads {VARIABLE} once, at the first float32 "
        f"product of a process{older}; start the process with {VARIABLE}={wanted}, or make this "
        "choice before anything is computed"
    )


def _in_force() -> bool:
    """Whether CuPy's float32 products are in TF32 from now on; asking makes it final."""
    linalg: Any = importlib.import_module("cupy._core._routines_linalg")
    numpy = importlib.import_module("numpy")
    kind = linalg.get_compute_type(numpy.dtype("float32"))
    return bool(kind == linalg.COMPUTE_TYPE_TF32)
