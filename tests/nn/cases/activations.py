"""Activations."""

from __future__ import annotations

from tests.nn.layers import X1, X2, case, twins
from xpconv import nn

ACTIVATIONS = [
    *(
        twins(name, shape=X1)
        for name in (
            "ReLU",
            "ReLU6",
            "LeakyReLU",
            "RReLU",
            "PReLU",
            "Hardtanh",
            "Hardswish",
            "Hardshrink",
            "Softshrink",
            "Tanhshrink",
            "Sigmoid",
            "LogSigmoid",
            "Softplus",
            "Tanh",
            "Softsign",
            "ELU",
            "CELU",
            "SELU",
            "GELU",
            "SiLU",
            "Mish",
        )
    ),
    twins("LeakyReLU", 0.2, shape=X1),
    twins("RReLU", 0.2, 0.3, shape=X1),
    case(lambda: nn.RReLU(0.2, 0.6), X1, training=True),
    twins("RReLU", 0.3, 0.3, shape=X1, training=True),
    twins("PReLU", 4, 0.1, shape=X2),
    twins("Threshold", 0.4, -2.0, shape=X1),
    twins("Hardtanh", -0.7, 1.3, shape=X1),
    case(nn.Hardsigmoid, X1),  # PyTorch's gradient takes 1 / 6 in float32
    twins("Hardshrink", 0.9, shape=X1),
    twins("Softshrink", 0.9, shape=X1),
    twins("Softplus", 2.0, 1.5, shape=X1),
    twins("ELU", 0.4, shape=X1),
    twins("CELU", 0.5, shape=X1),  # PyTorch's gradient takes 1 / alpha in float32
    twins("GELU", "tanh", shape=X1),
    twins("GLU", shape=(2, 3, 6)),
    twins("GLU", 1, shape=X2),
    twins("Softmax", 1, shape=X1),
    case(nn.Softmax, X1, twin=("Softmax", -1)),
    twins("Softmin", 1, shape=X1),
    case(nn.Softmin, X1, twin=("Softmin", -1)),
    twins("LogSoftmax", -1, shape=X1),
    case(nn.LogSoftmax, X1, twin=("LogSoftmax", -1)),
    twins("Softmax2d", shape=X2),
    twins("Softmax2d", shape=(4, 3, 2)),
]
