"""Fused bodies for CuPy arrays: CUDA C++ that CuPy compiles when it is first used, and products.

The texts stand in ``source``, one file a subject; the modules here lay out arguments and launch
them. Where a body is missing for a dtype, or ``XPCONV_CUDA_KERNELS=0`` is set, the portable code
runs instead: it is the reference. Products are cuBLASLt's; with ``XPCONV_CUDA_BLAS=0`` CuPy
multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..._environment import switch

_VARIABLE = "XPCONV_CUDA_KERNELS"

# body -> the module here that has a function of this name
_BODIES = {
    "add_columns": "_windows",
    "add_relu": "_activation",
    "avg_pool": "_avg_pool",
    "avg_pool_grad": "_avg_pool",
    "batch_moments": "_batch_norm",
    "batch_norm_grad": "_batch_norm",
    "batch_norm_relu6_grad": "_batch_norm",
    "batch_norm_relu_grad": "_batch_norm",
    "channel_sums": "_batch_norm",
    "columns": "_windows",
    "cross_entropy": "_cross_entropy",
    "cross_entropy_grad": "_cross_entropy",
    "depthwise": "_depthwise",
    "depthwise_input_grad": "_depthwise",
    "depthwise_weight_grad": "_depthwise",
    "dropout": "_dropout",
    "gather": "_windows",
    "im2col_forward": "_im2col",
    "im2col_input_grad": "_im2col",
    "im2col_weight_grad": "_im2col",
    "matmul": "_blas",
    "max_pool": "_max_pool",
    "max_pool_grad": "_max_pool",
    "normalise": "_batch_norm",
    "normalise_grad": "_batch_norm",
    "normalise_relu": "_batch_norm",
    "normalise_relu6": "_batch_norm",
    "relu": "_activation",
    "relu6": "_activation",
    "relu6_grad": "_activation",
    "relu_grad": "_activation",
    "sample_norm": "_sample_norm",
    "sample_norm_grad": "_sample_norm",
    "sample_norm_parameters": "_sample_norm",
    "scatter": "_windows",
    "sgd": "_optimizer",
    "store": "_store",
    "adam": "_optimizer",
    "winograd_inputs": "_winograd",
    "winograd_kernel_grads": "_winograd",
    "winograd_kernels": "_winograd",
    "winograd_output_grads": "_winograd",
    "winograd_outputs": "_winograd",
}
_ANY_DTYPE = frozenset({"columns", "gather", "store"})  # they copy bytes
_NO_KERNEL = frozenset({"matmul"})
_PRODUCTS = _NO_KERNEL | {"im2col_forward", "im2col_input_grad", "im2col_weight_grad"}
_DTYPES = frozenset({"float16", "bfloat16", "float32", "float64"})


def enabled() -> bool:
    """Whether the bodies may be used."""
    return switch(_VARIABLE)


def body(name: str, dtype: str) -> Callable[..., Any] | None:
    """Return the function of this name, or None where there is none for a dtype."""
    if name not in _BODIES or not (name in _NO_KERNEL or enabled()):
        return None
    if name in _PRODUCTS and not import_module("._blas", __name__).usable(dtype):
        return None
    if dtype not in _DTYPES and name not in _ANY_DTYPE:
        return None
    function: Callable[..., Any] = getattr(import_module(f".{_BODIES[name]}", __name__), name)
    return function
