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
