"""Pooling layers."""

from __future__ import annotations

from tests.nn.layers import X1, X2, X3, case, twins
from xpconv import nn

POOLING = [
    twins("MaxPool1d", 3, 2, 1, shape=X1),
    twins("MaxPool1d", 2, 1, 0, 2, shape=X1),
    twins("MaxPool2d", 2, shape=X2),
    twins("MaxPool2d", (3, 2), (1, 2), (1, 0), (1, 2), shape=X2),
    twins("MaxPool2d", 2, 2, 0, 1, False, True, shape=X2),
    twins("MaxPool2d", 2, shape=(4, 6, 5)),
    twins("MaxPool3d", 2, 1, shape=X3),
    twins("MaxPool3d", (2, 3, 2), 2, (1, 0, 1), 1, False, True, shape=X3),
    twins("AvgPool1d", 3, 2, 1, shape=X1),
    twins("AvgPool1d", 3, None, 0, True, False, shape=X1),
    twins("AvgPool2d", 2, shape=X2),
    twins("AvgPool2d", 3, 2, 1, True, False, shape=X2),
    twins("AvgPool2d", (2, 3), 1, (1, 0), False, True, 5, shape=X2),
    twins("AvgPool3d", 2, None, 0, False, True, 3, shape=X3),
    twins("AvgPool3d", (2, 3, 2), 1, (1, 0, 1), shape=X3),
    case(nn.GlobalAvgPool, X1, twin=("AdaptiveAvgPool1d", 1)),
    case(nn.GlobalAvgPool, X2, twin=("AdaptiveAvgPool2d", 1)),
    case(nn.GlobalMaxPool, X2, twin=("AdaptiveMaxPool2d", 1)),
    case(nn.GlobalMaxPool, X3, twin=("AdaptiveMaxPool3d", 1)),
    twins("AdaptiveAvgPool1d", 3, shape=X1),
    twins("AdaptiveAvgPool2d", (None, 3), shape=X2),
    twins("AdaptiveAvgPool2d", 1, shape=(4, 6, 5)),
    twins("AdaptiveAvgPool3d", (2, 5, None), shape=X3),
    twins("AdaptiveMaxPool1d", 5, shape=X1),
    twins("AdaptiveMaxPool2d", (4, 7), shape=X2),
    twins("AdaptiveMaxPool3d", 2, shape=X3),
    twins("LPPool1d", 2, 3, 2, shape=X1),
    twins("LPPool2d", 4, (2, 3), None, True, shape=X2),
    twins("LPPool3d", 2, 2, 1, shape=X3),
]
