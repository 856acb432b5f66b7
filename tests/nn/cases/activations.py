"""Activations."""

from __future__ import annotations

from tests.nn.layers import X1, case, twins
from xpconv import nn

ACTIVATIONS = [
    twins("ReLU", shape=X1),
    twins("LeakyReLU", shape=X1),
    twins("LeakyReLU", 0.2, shape=X1),
    twins("Sigmoid", shape=X1),
    twins("Tanh", shape=X1),
    twins("GELU", shape=X1),
    twins("GELU", "tanh", shape=X1),
    twins("SiLU", shape=X1),
    twins("Softmax", 1, shape=X1),
    case(nn.Softmax, X1, twin=("Softmax", -1)),
    twins("LogSoftmax", -1, shape=X1),
    case(nn.LogSoftmax, X1, twin=("LogSoftmax", -1)),
]
