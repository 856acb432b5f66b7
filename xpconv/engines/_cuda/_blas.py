"""Matrix products of CuPy arrays by cuBLASLt, called by ourselves.

CuPy's own ``matmul`` refuses to work while a CUDA graph is recorded, multiplies batches of halves
in float32, decides once a process about TF32, and cannot add a bias on the way. Here the stream,
the workspace, the type that is computed in and the algorithm are arguments of the call. Nothing is
read from the device and nothing waits. What cuBLASLt cannot do is left to CuPy.
"""

from __future__ import annotations

from ctypes import byref, c_void_p
from functools import cache, lru_cache

from array_api_compat import array_namespace, device

from ..._arrays import dtype_name
from ..._libraries import activate, library_of
from ..._tf32 import tf32_allowed
from ..._typing import Array
from ._blas_library import check, library
from ._blas_matrix import Matrix, alignment, matrix, readable
from ._blas_plan import TYPES, Plan
from ._launch import address


def usable(dtype: str) -> bool:
    """Whether products of this dtype can be made here."""
    return dtype in TYPES and library() is not None


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return ``a @ b``, plus one number per column; sums of half precision are float32's.

    Parameters
    ----------
    a : array, shape (M, K) or (G, M, K)
        In any order of memory; what is neither row-major nor column-major is copied.
    b : array, shape (K, N) or (G, K, N)
        Likewise, of the same dtype and number of axes.
    bias : array, shape (N,), optional
        Added before anything is rounded to half precision.

    Returns
    -------
    array, shape (M, N) or (G, M, N)
        In the dtype of ``a``.

    Raises
    ------
    MemoryError
        If the device has no memory for the result, or for the workspace of the algorithm.
    RuntimeError
        If cuBLASLt fails; the message names its status and the sizes.
    """
    xp = array_namespace(a)
    y = xp.empty((*a.shape[:-1], b.shape[-1]), dtype=a.dtype, device=device(a))
    return matmul_into(y, a, b, bias)


def matmul_into(
    out: Array, a: Array, b: Array, bias: Array | None = None, *, add: bool = False
) -> Array:
    """Write ``a @ b`` into an array, or add it to what stands there.

    Parameters
    ----------
    out : array, shape (M, N) or (G, M, N)
        Rows lie side by side; they may be parts of longer ones. In the dtype of ``a``, or float32
        where that is half precision.
    a, b : array
        As in `matmul`.
    bias : array, shape (N,) or (G, N), optional
        In the dtype of ``a`` and ``out``; not together with ``add``.
    add : bool, default False
        Whether to add to ``out``.

    Returns
    -------
    array
        ``out``.
    """
    if 0 in out.shape or (add and a.shape[-1] == 0):
        return out
    if a.shape[-1] > 0:
        if _multiply(out, a, b, bias, add):
            return out
        if bias is not None and _multiply(out, a, b, None, False):
            return _plus(out, bias)
    _by_cupy(out, a, b, add)
    return out if bias is None else _plus(out, bias)


def _multiply(out: Array, a: Array, b: Array, bias: Array | None, add: bool) -> bool:
    """Let cuBLASLt do it; False where it cannot, and then nothing was written."""
    import cupy

    to, into = matrix(out)
    if not usable(dtype_name(a.dtype)) or into is None or into.turned:
        return False
    where = device(a)
    with activate(library_of(a), where):
        a, of_a, left = readable(a)
        b, of_b, right = readable(b)
        if left is None or right is None:
            return False
        of_bias, last = 0, None
        if bias is not None:
            if not bias.flags.c_contiguous:
                bias = array_namespace(bias).ascontiguousarray(bias)
            of_bias = address(bias)
            last = (alignment(of_bias), bias.shape[-1] if bias.ndim > 1 else 0)
        tf32 = left.dtype == "float32" and tf32_allowed()
        plan = _plan(getattr(where, "id", 0), left, right, into, tf32, last)
        if plan is None:
            return False
        workspace = cupy.cuda.alloc(plan.workspace) if plan.workspace else None  # from its pool
        stream = cupy.cuda.get_current_stream().ptr
        return plan.run(
            of_a, of_b, to, of_bias, add, 0 if workspace is None else workspace.ptr, stream
        )


def _by_cupy(out: Array, a: Array, b: Array, add: bool) -> None:
    """Let CuPy multiply, one plain product after the other: its batches are slow."""
    xp = array_namespace(a)
    if a.ndim > 2:
        for of_out, of_a, of_b in zip(out, a, b, strict=True):
            _by_cupy(of_out, of_a, of_b, add)
    elif add:
        out += xp.matmul(a, b)
    else:
        out[...] = xp.matmul(a, b)


def _plus(out: Array, bias: Array) -> Array:
    out += bias[:, None, :] if bias.ndim > 1 else bias
    return out


@lru_cache(maxsize=4096)
def _plan(
    number: int, a: Matrix, b: Matrix, out: Matrix, tf32: bool, bias: tuple[int, int] | None
) -> Plan | None:
    """Return the plan for products of a kind on a device, which is the current one."""
    try:
        return Plan(_handle(number), a, b, out, tf32, bias)
    except LookupError:
        return None


@cache
def _handle(number: int) -> c_void_p:
    handle = c_void_p()
    check(library().cublasLtCreate(byref(handle)), "cublasLtCreate", f"device {number}")
    return handle
