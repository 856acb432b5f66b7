"""Compiled bodies for NumPy arrays, with Numba: the extra ``fast``.

Only `available` may be imported without Numba; it compiles at the first use, and keeps the machine
code in a cache beside the files, or in the user's cache directory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from ..._environment import switch

_VARIABLE = "XPCONV_NUMBA"


@cache
def refusal() -> str | None:
    """Say why the compiled bodies cannot be used; None where they can."""
    if not switch(_VARIABLE):
        return f"{_VARIABLE}=0 turns Numba off"
    try:
        import numba
    except ImportError as error:
        return f"Numba cannot be imported ({error}); pip install 'xpconv[fast]'"
    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    return None


# body -> the module here that has a function of this name
_BODIES = {
    "adam": "_optimizer",
    "add": "_relu",
    "add_relu": "_relu",
    "avg_pool": "_avg_pool",
    "avg_pool_grad": "_avg_pool",
    "batch_moments": "_batch_norm",
    "batch_norm_grad": "_batch_norm_back",
    "batch_norm_relu6_grad": "_batch_norm_back",
    "batch_norm_relu_grad": "_batch_norm_back",
    "channel_sums": "_sums",
    "dropout": "_dropout",
    "label_entropy": "_cross_entropy",
    "max_pool": "_max_pool",
    "max_pool_grad": "_max_pool",
    "normalise": "_batch_norm",
    "normalise_relu": "_batch_norm",
    "normalise_relu6": "_batch_norm",
    "relu": "_relu",
    "relu6": "_relu",
    "relu6_grad": "_relu",
    "relu_grad": "_relu",
    "sgd": "_optimizer",
}
_DTYPES = ("float32", "float64")


@cache
def body(name: str, dtype: str) -> Callable[..., Any] | None:
    """Return the compiled function of this name, or None where there is none for a dtype."""
    if name not in _BODIES or dtype not in _DTYPES or refusal() is not None:
        return None
    function: Callable[..., Any] = getattr(import_module(f".{_BODIES[name]}", __name__), name)
    return function
