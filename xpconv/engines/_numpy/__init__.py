"""Whole convolutions for NumPy arrays without the extra ``fast``: tasks for the pool of threads.

Each task gathers what it multiplies into a buffer that stays in a core's caches, and lets BLAS,
held at one thread, multiply it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

# body -> the module here, and the function's name
_BODIES = {
    "add": ("_relu", "add"),
    "add_relu": ("_relu", "add_relu"),
    "batch_moments": ("_batch_norm", "batch_moments"),
    "batch_norm_grad": ("_batch_norm", "batch_norm_grad"),
    "batch_norm_relu6_grad": ("_batch_norm", "batch_norm_relu6_grad"),
    "batch_norm_relu_grad": ("_batch_norm", "batch_norm_relu_grad"),
    "channel_sums": ("_batch_norm", "channel_sums"),
    "normalise": ("_batch_norm", "normalise"),
    "normalise_relu": ("_batch_norm", "normalise_relu"),
    "normalise_relu6": ("_batch_norm", "normalise_relu6"),
    "relu": ("_relu", "relu"),
    "relu6": ("_relu", "relu6"),
    "relu6_grad": ("_relu", "relu6_grad"),
    "relu_grad": ("_relu", "relu_grad"),
    "depthwise": ("_depthwise", "forward"),
    "depthwise_input_grad": ("_depthwise", "input_grad"),
    "depthwise_weight_grad": ("_depthwise", "weight_grad"),
    "convolve": ("_convolve", "forward"),
    "convolve_input_grad": ("_convolve", "input_grad"),
    "convolve_weight_grad": ("_weights", "weight_grad"),
    "disjoint_max_pool": ("_max_pool", "max_pool"),
    "disjoint_max_pool_grad": ("_max_pool", "max_pool_grad"),
    "product": ("_product", "product"),
    "winograd_convolve": ("_winograd", "convolve"),
    "winograd_weight_grad": ("_winograd_weights", "weight_gradient"),
}
_REAL = ("_batch_norm", "_max_pool", "_relu")  # modules of bodies for real floating numbers
_FLOATING = ("float32", "float64")
_HALF = ("float16", "bfloat16")  # BLAS has no products of them


@cache
def body(name: str, dtype: str) -> Callable[..., Any] | None:
    """Return NumPy's own function of this name, or None where there is none."""
    module, function = _BODIES.get(name, ("", ""))
    if not module or dtype in _HALF or (module in _REAL and dtype not in _FLOATING):
        return None
    found: Callable[..., Any] = getattr(import_module(f".{module}", __name__), function)
    return found
