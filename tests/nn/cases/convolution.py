"""Convolution layers."""

from __future__ import annotations

from tests.nn.layers import X1, X2, X3, case, twins
from xpconv import nn

CONVOLUTION = [
    twins("Conv1d", 4, 3, 3, shape=X1),
    twins("Conv1d", 4, 2, 2, 2, 1, 3, 2, False, shape=X1),
    twins("Conv1d", 4, 3, 1, shape=(4, 7)),  # without a batch axis
    twins("Conv2d", 4, 6, (3, 2), 2, 1, 1, 2, False, shape=X2),
    twins("Conv2d", 4, 3, 3, 1, "same", shape=X2),
    twins("Conv2d", 4, 3, (2, 3), (2, 1), "valid", (1, 2), shape=X2),
    twins("Conv2d", 4, 8, 3, 1, (2, 0), 1, 4, shape=X2),  # each channel for itself
    twins("Conv2d", 4, 3, 1, 2, shape=X2),
    twins("Conv2d", 4, 3, 3, shape=(4, 6, 5)),
    case(lambda: nn.Conv2d(4, 3, 3, padding=((0, 1), (2, 0))), X2),
    twins("Conv3d", 2, 3, (2, 1, 3), shape=X3),
    twins("Conv3d", 2, 4, 2, (2, 1, 2), 1, (1, 2, 1), 2, shape=X3),
]
