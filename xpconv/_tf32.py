"""TF32: float32 products with 10 bits of mantissa, which CuPy allows or not for a whole process."""

from __future__ import annotations

import importlib
import os
from typing import Any

from ._libraries import BackendError

VARIABLE = "CUPY_TF32"


def set_tf32(allowed: bool) -> None:
    """Allow or forbid TF32 in CuPy's products, and see that it is so.

    CuPy reads the environment variable ``CUPY_TF32`` at the first float32 product of a process and
    never again.

    Raises
    ------
    BackendError
        If it was read before, with the other answer, or the device has no TF32.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1" if allowed else "0"
    if _in_force() is allowed:
        return
    if before is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before
    wanted, number = ("allow", 1) if allowed else ("forbid", 0)
    older = ", or the device is older than Ampere and has none" if allowed else ""
    raise BackendError(
        f"it is too late to {wanted} TF32: CuPy reads {VARIABLE} once, at the first float32 "
        f"product of a process{older}; start the process with {VARIABLE}={number}, or make this "
        "choice before anything is computed"
    )


def _in_force() -> bool:
    """Whether CuPy's float32 products are in TF32 from now on; asking makes it final."""
    linalg: Any = importlib.import_module("cupy._core._routines_linalg")
    numpy = importlib.import_module("numpy")
    kind = linalg.get_compute_type(numpy.dtype("float32"))
    return bool(kind == linalg.COMPUTE_TYPE_TF32)
