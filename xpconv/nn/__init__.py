"""Layers: thin shells over the operations, with PyTorch's names and state dicts.

``y, backward = layer.forward(x, training=True)`` and ``dx, grads = backward(dy)``; for inference
``y = layer(x)``.
"""

from __future__ import annotations

from . import init as init
from ._containers import Concat as Concat
from ._containers import Residual as Residual
from ._containers import Sequential as Sequential
from ._conv import Conv1d as Conv1d
from ._conv import Conv2d as Conv2d
from ._conv import Conv3d as Conv3d
from ._graph import Graph as Graph
from ._graph import Input as Input
from ._linear import Linear as Linear
from ._loss import BCEWithLogitsLoss as BCEWithLogitsLoss
from ._loss import CrossEntropyLoss as CrossEntropyLoss
from ._loss import Loss as Loss
from ._loss import MSELoss as MSELoss
from ._module import Module as Module
from ._module import observe as observe
from ._norm import BatchNorm1d as BatchNorm1d
from ._norm import BatchNorm2d as BatchNorm2d
from ._norm import BatchNorm3d as BatchNorm3d
from ._pool import AvgPool1d as AvgPool1d
from ._pool import AvgPool2d as AvgPool2d
from ._pool import AvgPool3d as AvgPool3d
from ._pool import GlobalAvgPool as GlobalAvgPool
from ._pool import GlobalMaxPool as GlobalMaxPool
from ._pool import MaxPool1d as MaxPool1d
from ._pool import MaxPool2d as MaxPool2d
from ._pool import MaxPool3d as MaxPool3d
from ._simple import Add as Add
from ._simple import Dropout as Dropout
from ._simple import Identity as Identity
from ._state import StateDictError as StateDictError
from ._stateless import GELU as GELU
from ._stateless import Flatten as Flatten
from ._stateless import Fold as Fold
from ._stateless import LeakyReLU as LeakyReLU
from ._stateless import LogSoftmax as LogSoftmax
from ._stateless import ReLU as ReLU
from ._stateless import Sigmoid as Sigmoid
from ._stateless import SiLU as SiLU
from ._stateless import Softmax as Softmax
from ._stateless import Tanh as Tanh
from ._stateless import Unfold as Unfold
from ._summary import Summary as Summary
from ._summary import summary as summary

__all__ = [
    "GELU",
    "Add",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Fold",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Graph",
    "Identity",
    "Input",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Module",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "StateDictError",
    "Summary",
    "Tanh",
    "Unfold",
    "init",
    "observe",
    "summary",
]
