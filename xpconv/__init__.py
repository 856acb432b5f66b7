"""Convolutional networks written once against the Python array API.

The same layers run on NumPy, CuPy and every other array library that follows the standard; a
backend selector picks the device (``backend="cupy"``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import engines as engines, nn as nn, ops as ops, random as random
from ._tf32 import tf32 as tf32
from ._workspace import conv_workspace as conv_workspace
from .backend import (
    Backend as Backend,
    BackendError as BackendError,
    available_backends as available_backends,
    backend_of as backend_of,
    get_backend as get_backend,
    to_numpy as to_numpy,
    use_backend as use_backend,
)
from .engines import engine as engine
from .nn._capture import capture as capture
from .random import manual_seed as manual_seed

if TYPE_CHECKING:
    from . import (
        checkpoint as checkpoint,
        data as data,
        models as models,
        optim as optim,
        schedule as schedule,
        train as train,
    )
    from .parity import parity_check as parity_check
    from .train import Trainer as Trainer

__version__ = "0.1.0"

_LAZY = {
    **dict.fromkeys(["checkpoint", "data", "models", "optim", "schedule", "train"], ""),
    "parity_check": "parity",
    "Trainer": "train",
}

__all__ = [
    "Backend",
    "BackendError",
    "Trainer",
    "available_backends",
    "backend_of",
    "capture",
    "checkpoint",
    "conv_workspace",
    "data",
    "engine",
    "engines",
    "get_backend",
    "manual_seed",
    "models",
    "nn",
    "ops",
    "optim",
    "parity_check",
    "random",
    "schedule",
    "tf32",
    "to_numpy",
    "train",
    "use_backend",
]


def __getattr__(name: str) -> Any:
    """Import the upper floors when they are first asked for: ``import xpconv`` stays fast."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _LAZY[name]:
        return importlib.import_module(f".{name}", __name__)
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
