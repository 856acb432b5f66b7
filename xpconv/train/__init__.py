"""Training: the loop, what happens around its steps, and what it measures."""

from __future__ import annotations

from ._callbacks import (
    BestModel as BestModel,
    Callback as Callback,
    Checkpoint as Checkpoint,
    EarlyStopping as EarlyStopping,
)
from ._history import History as History
from ._losses import Loss as Loss
from ._metrics import METRICS as METRICS, Means as Means, accuracy as accuracy
from ._precision import Precision as Precision
from ._progress import ProgressBar as ProgressBar
from ._run import Run as Run
from ._step import gradients as gradients
from ._trainer import Trainer as Trainer

__all__ = [
    "METRICS",
    "BestModel",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "Loss",
    "Means",
    "Precision",
    "ProgressBar",
    "Run",
    "Trainer",
    "accuracy",
    "gradients",
]
