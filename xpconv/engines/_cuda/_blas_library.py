"""cuBLASLt through its C interface: the library that CuPy has loaded, its words and its errors."""

from __future__ import annotations

import ctypes
import importlib
import logging
import sys
from collections.abc import Callable
from ctypes import POINTER, c_float, c_int, c_int64, c_size_t, c_uint64, c_void_p
from enum import IntEnum
from functools import cache
from typing import Any

from ..._environment import switch

VARIABLE = "XPCONV_CUDA_BLAS"
_LOG = logging.getLogger("xpconv.engines")

# The values are NVIDIA's; a test compares them with its headers. Names are theirs without a prefix.


class DataType(IntEnum):
    """``cudaDataType``: CUDA_..."""

    R_32F = 0
    R_64F = 1
    R_16F = 2
    R_16BF = 14


class Compute(IntEnum):
    """``cublasComputeType_t``: CUBLAS_COMPUTE_..."""

    C_32F = 68
    C_32F_FAST_TF32 = 77
    C_64F = 70


class Description(IntEnum):
    """Attributes of a product: CUBLASLT_MATMUL_DESC_..."""

    TRANSA = 3
    TRANSB = 4
    EPILOGUE = 7
    BIAS_POINTER = 8
    BIAS_BATCH_STRIDE = 10


class Layout(IntEnum):
    """Attributes of a matrix: CUBLASLT_MATRIX_LAYOUT_..."""

    BATCH_COUNT = 5
    STRIDED_BATCH_OFFSET = 6


class Preference(IntEnum):
    """What an algorithm must keep to: CUBLASLT_MATMUL_PREF_..."""

    MAX_WORKSPACE_BYTES = 1
    REDUCTION_SCHEME_MASK = 3
    MIN_ALIGNMENT_A_BYTES = 5
    MIN_ALIGNMENT_B_BYTES = 6
    MIN_ALIGNMENT_C_BYTES = 7
    MIN_ALIGNMENT_D_BYTES = 8


class Epilogue(IntEnum):
    """What follows a product: CUBLASLT_EPILOGUE_..."""

    DEFAULT = 1
    BIAS = 4


class Reduction(IntEnum):
    """How the parts of a long sum are put together: CUBLASLT_REDUCTION_SCHEME_..."""

    COMPUTE_TYPE = 2


class Status(IntEnum):
    """``cublasStatus_t``: CUBLAS_STATUS_..."""

    SUCCESS = 0
    NOT_INITIALIZED = 1
    ALLOC_FAILED = 3
    INVALID_VALUE = 7
    ARCH_MISMATCH = 8
    MAPPING_ERROR = 11
    EXECUTION_FAILED = 13
    INTERNAL_ERROR = 14
    NOT_SUPPORTED = 15
    LICENSE_ERROR = 16


class Algorithm(ctypes.Structure):
    """``cublasLtMatmulAlgo_t``, whose content is NVIDIA's own affair."""

    _fields_ = (("data", c_uint64 * 8),)


class Heuristic(ctypes.Structure):
    """``cublasLtMatmulHeuristicResult_t``: an algorithm and what it takes."""

    _fields_ = (
        ("algo", Algorithm),
        ("workspaceSize", c_size_t),
        ("state", c_int),
        ("wavesCount", c_float),
        ("reserved", c_int * 4),
    )


_SET = (c_void_p, c_int, c_void_p, c_size_t)  # descriptor, attribute, value, its size
_LAYOUTS = (c_void_p,) * 4  # A, B, C, D
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "cublasLtCreate": (POINTER(c_void_p),),
    "cublasLtMatmulDescCreate": (POINTER(c_void_p), c_int, c_int),
    "cublasLtMatmulDescDestroy": (c_void_p,),
    "cublasLtMatmulDescSetAttribute": _SET,
    "cublasLtMatrixLayoutCreate": (POINTER(c_void_p), c_int, c_uint64, c_uint64, c_int64),
    "cublasLtMatrixLayoutDestroy": (c_void_p,),
    "cublasLtMatrixLayoutSetAttribute": _SET,
    "cublasLtMatmulPreferenceCreate": (POINTER(c_void_p),),
    "cublasLtMatmulPreferenceDestroy": (c_void_p,),
    "cublasLtMatmulPreferenceSetAttribute": _SET,
    "cublasLtMatmulAlgoGetHeuristic": (
        c_void_p,  # handle
        c_void_p,  # description
        *_LAYOUTS,
        c_void_p,  # preference
        c_int,  # wanted
        POINTER(Heuristic),
        POINTER(c_int),  # found
    ),
    "cublasLtMatmul": (
        c_void_p,  # handle
        c_void_p,  # description
        c_void_p,  # alpha, on the host
        *(c_void_p,) * 4,  # A and its layout, B and its layout
        c_void_p,  # beta, on the host
        *(c_void_p,) * 4,  # C and its layout, D and its layout
        POINTER(Algorithm),
        c_void_p,  # workspace
        c_size_t,
        c_void_p,  # stream
    ),
}
"""The functions that are called, and their arguments; all of them return a `Status`."""


class CublasError(RuntimeError):
    """A call of cuBLASLt failed; the message names its status and what it was called for."""


def check(status: int, what: str, about: str = "") -> None:
    """Raise where a call did not succeed: MemoryError where memory was lacking."""
    if status == Status.SUCCESS:
        return
    known = {member.value: member.name for member in Status}
    name = f"CUBLAS_STATUS_{known[status]}" if status in known else f"status {status}"
    kind = MemoryError if status == Status.ALLOC_FAILED else CublasError
    raise kind(f"{what} returned {name}{about and ' for '}{about}")


def bind(library: Any) -> Any:
    """Tell ctypes the arguments of the functions in a library."""
    for name, arguments in PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int
    return library


@cache
def _loaded() -> Any:
    """Return the library, or None where it cannot be had; then CuPy multiplies by itself."""
    try:
        cupy: Any = importlib.import_module("cupy")
        if cupy.cuda.runtime.is_hip:
            return None
        # CuPy finds the toolkit's libraries, wherever they are, when its own binding is imported.
        # The binding brings cuBLASLt along, and by its plain name we get the one in memory.
        importlib.import_module("cupy_backends.cuda.libs").cublas  # noqa: B018
        major = cupy.cuda.runtime.runtimeGetVersion() // 1000
        name = f"cublasLt64_{major}.dll" if sys.platform == "win32" else f"libcublasLt.so.{major}"
        return bind(ctypes.CDLL(name))
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        _LOG.warning("products are left to CuPy, since cuBLASLt cannot be called: %s", error)
        return None


_find: Callable[[], Any] = _loaded  # what the tests replace


def library() -> Any:
    """Return the bound library, or None where there is none or ``XPCONV_CUDA_BLAS=0`` forbids."""
    return _find() if switch(VARIABLE) else None
