"""A plan: one product's description and the algorithm for it, kept for the next of its kind."""

from __future__ import annotations

import logging
import threading
from ctypes import (
    byref,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)
from typing import Any

from ._blas_library import (
    Compute,
    DataType,
    Description,
    Epilogue,
    Heuristic,
    Layout,
    Preference,
    Reduction,
    Status,
    check,
    library,
)
from ._blas_matrix import Matrix

TYPES = {
    "float16": DataType.R_16F,
    "bfloat16": DataType.R_16BF,
    "float32": DataType.R_32F,
    "float64": DataType.R_64F,
}
_LOG = logging.getLogger("xpconv.engines")

WORKSPACE = 2**25
"""Bytes that an algorithm may ask for at most: what NVIDIA recommends for its largest devices."""

_HOST = {"float64": c_double}  # the type of alpha and beta; else float32


class Plan:
    """How to multiply matrices of certain sizes, layouts and types on one device.

    ``d = a @ b`` is computed as its transpose, ``b^T a^T``, since cuBLAS counts by columns: its A
    is our b. How an algorithm cuts a sum is part of the plan, and the parts are added up in a
    second step in a fixed order, never as they come (atomically) nor rounded to half precision.

    Raises
    ------
    LookupError
        If cuBLASLt has no algorithm for it.
    """

    def __init__(self, handle: Any, a: Matrix, b: Matrix, d: Matrix, tf32: bool, bias: Any) -> None:
        self._made: list[tuple[str, Any]] = []
        self._library, self._handle = library(), handle
        self._lock = threading.Lock()  # for the address of a bias, which the description holds
        self.about = _words(a, b, d)
        number = _HOST.get(a.dtype, c_float)
        self._one, self._zero = number(1), number(0)
        self._describe(a, b, d, tf32, bias)
        self.workspace, self._algorithm = self._choose(a, b, d)

    def _describe(self, a: Matrix, b: Matrix, d: Matrix, tf32: bool, bias: Any) -> None:
        fast = Compute.C_32F_FAST_TF32 if tf32 else Compute.C_32F
        wide = a.dtype == "float64"
        compute = Compute.C_64F if wide else fast
        scale = DataType.R_64F if wide else DataType.R_32F
        self._description = self._create("MatmulDesc", compute, scale)
        self._set("MatmulDesc", self._description, Description.TRANSA, c_int32(b.turned))
        self._set("MatmulDesc", self._description, Description.TRANSB, c_int32(a.turned))
        if bias is not None:
            address, step = bias
            self._set(
                "MatmulDesc", self._description, Description.EPILOGUE, c_uint32(Epilogue.BIAS)
            )
            self._set_bias(address)
            stride = c_int64(step)
            self._set("MatmulDesc", self._description, Description.BIAS_BATCH_STRIDE, stride)
        self._layouts = [self._layout(m) for m in (b, a, d)]

    def _layout(self, m: Matrix) -> c_void_p:
        layout = self._create("MatrixLayout", TYPES[m.dtype], m.length, m.lines, m.leading)
        if m.batch > 1:
            self._set("MatrixLayout", layout, Layout.BATCH_COUNT, c_int32(m.batch))
            self._set("MatrixLayout", layout, Layout.STRIDED_BATCH_OFFSET, c_int64(m.step))
        return layout

    def _choose(self, a: Matrix, b: Matrix, d: Matrix) -> tuple[int, Any]:
        """Return the first algorithm that cuBLASLt's heuristics offer, and its workspace."""
        preference = self._create("MatmulPreference")
        wishes = {
            Preference.MAX_WORKSPACE_BYTES: c_uint64(WORKSPACE),
            Preference.REDUCTION_SCHEME_MASK: c_uint32(Reduction.COMPUTE_TYPE),
            Preference.MIN_ALIGNMENT_A_BYTES: c_uint32(b.alignment),
            Preference.MIN_ALIGNMENT_B_BYTES: c_uint32(a.alignment),
            Preference.MIN_ALIGNMENT_C_BYTES: c_uint32(d.alignment),
            Preference.MIN_ALIGNMENT_D_BYTES: c_uint32(d.alignment),
        }
        for attribute, value in wishes.items():
            self._set("MatmulPreference", preference, attribute, value)
        found, count = Heuristic(), c_int(0)
        left, right, out = self._layouts
        status = self._library.cublasLtMatmulAlgoGetHeuristic(
            self._handle,
            self._description,
            *(left, right, out, out),
            *(preference, 1, byref(found), byref(count)),
        )
        if status == Status.INVALID_VALUE:  # a limit that is not documented, as one of sizes
            _LOG.warning("cuBLASLt refuses %s, which is left to CuPy", self.about)
        if status not in (Status.NOT_SUPPORTED, Status.INVALID_VALUE):
            check(status, "cublasLtMatmulAlgoGetHeuristic", self.about)
        if status or not count.value or found.state:
            raise LookupError(self.about)
        return int(found.workspaceSize), found.algo

    def run(
        self, a: int, b: int, d: int, bias: int, add: bool, workspace: int, stream: int
    ) -> bool:
        """Give the product to a stream: all addresses are the device's. False: it cannot be done.

        With ``add`` it is added to what stands in ``d``.
        """
        left, right, out = self._layouts
        with self._lock:
            if bias:
                self._set_bias(bias)
            status = self._library.cublasLtMatmul(
                self._handle,
                self._description,
                byref(self._one),
                *(b, left, a, right),
                byref(self._one if add else self._zero),
                *(d, out, d, out),
                byref(self._algorithm),
                *(workspace, self.workspace, stream),
            )
        if status == Status.NOT_SUPPORTED:
            return False
        check(status, "cublasLtMatmul", self.about)
        return True

    def _set_bias(self, address: int) -> None:
        value = c_void_p(address)
        self._set("MatmulDesc", self._description, Description.BIAS_POINTER, value)

    def _create(self, kind: str, *given: int) -> c_void_p:
        made = c_void_p()
        create = getattr(self._library, f"cublasLt{kind}Create")
        check(create(byref(made), *given), f"cublasLt{kind}Create", self.about)
        self._made.append((kind, made))
        return made

    def _set(self, kind: str, descriptor: c_void_p, attribute: int, value: Any) -> None:
        name = f"cublasLt{kind}SetAttribute"
        status = getattr(self._library, name)(descriptor, attribute, byref(value), sizeof(value))
        check(status, f"{name}({attribute!r})", self.about)

    def __del__(self) -> None:
        for kind, made in self._made:
            getattr(self._library, f"cublasLt{kind}Destroy")(made)


def _words(a: Matrix, b: Matrix, d: Matrix) -> str:
    """Say what is multiplied, as ``64 x (100, 27) @ (27, 8) of float16``."""
    (rows, inner), (_, columns) = (
        (m.length, m.lines) if m.turned else (m.lines, m.length) for m in (a, b)
    )
    many = f"{d.batch} x " if d.batch > 1 else ""
    into = "" if d.dtype == a.dtype else f" into {d.dtype}"
    return f"{many}({rows}, {inner}) @ ({inner}, {columns}) of {a.dtype}{into}"
