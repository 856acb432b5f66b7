"""Convolution and padding layers."""

from __future__ import annotations

from tests.nn.layers import X1, X2, X3, case, twins
from xpconv import nn

MODES = ("Zero", "Reflection", "Replication", "Circular")

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
    twins("Conv1d", 4, 3, 4, 2, 3, 1, 1, True, "reflect", shape=X1),
    twins("Conv2d", 4, 6, (2, 3), 1, "same", (1, 2), 2, False, "circular", shape=X2),
    twins("Conv2d", 4, 3, 3, 2, (1, 2), 1, 1, True, "replicate", shape=(4, 6, 5)),
    twins("Conv2d", 4, 3, 3, 1, "valid", 1, 1, True, "reflect", shape=X2),
    twins("Conv3d", 2, 3, 2, 1, (1, 0, 2), 1, 1, True, "circular", shape=X3),
    case(lambda: nn.Conv2d(4, 3, 3, padding=((0, 1), (2, 0)), padding_mode="reflect"), X2),
    twins("ConvTranspose1d", 4, 3, 3, shape=X1),
    twins("ConvTranspose1d", 4, 2, 2, 3, 1, 2, 2, False, 2, shape=(4, 7)),
    twins("ConvTranspose2d", 4, 6, (3, 2), 2, 1, (1, 0), 2, True, shape=X2),
    twins("ConvTranspose2d", 4, 3, 4, (2, 1), (1, 2), 1, 1, False, (1, 2), shape=X2),
    twins("ConvTranspose3d", 2, 3, (2, 1, 3), (1, 2, 2), shape=X3),
    twins("ConstantPad1d", 2, -1.5, shape=X1),
    twins("ConstantPad2d", (1, 0, -2, 3), 0.5, shape=X2),
    twins("ConstantPad3d", 1, 2.0, shape=X3),
    *(twins(f"{kind}Pad1d", (2, 1), shape=X1) for kind in MODES),
    *(twins(f"{kind}Pad2d", (1, 2, 3, -1), shape=X2) for kind in MODES),
    *(twins(f"{kind}Pad2d", 1, shape=(4, 6, 5)) for kind in MODES),
    *(twins(f"{kind}Pad3d", (1, 2, 0, 1, 2, 1), shape=X3) for kind in MODES),
]
