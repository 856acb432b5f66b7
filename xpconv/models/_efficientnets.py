"""The published EfficientNets: their stages, their scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._efficientnet import EfficientNet, Stage

B: tuple[Stage, ...] = (
    ("mb", 1, 3, 1, 16, 1),
    ("mb", 6, 3, 2, 24, 2),
    ("mb", 6, 5, 2, 40, 2),
    ("mb", 6, 3, 2, 80, 3),
    ("mb", 6, 5, 1, 112, 3),
    ("mb", 6, 5, 2, 192, 4),
    ("mb", 6, 3, 1, 320, 1),
)
V2_S: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 24, 2),
    ("fused", 4, 3, 2, 48, 4),
    ("fused", 4, 3, 2, 64, 4),
    ("mb", 4, 3, 2, 128, 6),
    ("mb", 6, 3, 1, 160, 9),
    ("mb", 6, 3, 2, 256, 15),
)
V2_M: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 24, 3),
    ("fused", 4, 3, 2, 48, 5),
    ("fused", 4, 3, 2, 80, 5),
    ("mb", 4, 3, 2, 160, 7),
    ("mb", 6, 3, 1, 176, 14),
    ("mb", 6, 3, 2, 304, 18),
    ("mb", 6, 3, 1, 512, 5),
)
V2_L: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 32, 4),
    ("fused", 4, 3, 2, 64, 7),
    ("fused", 4, 3, 2, 96, 7),
    ("mb", 4, 3, 2, 192, 10),
    ("mb", 6, 3, 1, 224, 19),
    ("mb", 6, 3, 2, 384, 25),
    ("mb", 6, 3, 1, 640, 7),
)
# width_mult, depth_mult, dropout
SCALES = {
    "b0": (1.0, 1.0, 0.2),
    "b1": (1.0, 1.1, 0.2),
    "b2": (1.1, 1.2, 0.3),
    "b3": (1.2, 1.4, 0.3),
    "b4": (1.4, 1.8, 0.4),
    "b5": (1.6, 2.2, 0.4),
    "b6": (1.8, 2.6, 0.5),
    "b7": (2.0, 3.1, 0.5),
}
_NORM = {"norm_eps": 0.001, "norm_momentum": 0.01}


def _scaled(name: str, num_classes: int, in_channels: int, options: dict[str, Any]) -> EfficientNet:
    """Build one of the first eight by its scale."""
    scale = dict(zip(("width_mult", "depth_mult", "dropout"), SCALES[name], strict=True))
    norm = _NORM if name in ("b5", "b6", "b7") else {}
    return EfficientNet(B, num_classes, in_channels, **(scale | norm | options))


def _second(
    stages: Sequence[Stage], num_classes: int, in_channels: int, options: dict[str, Any], **own: Any
) -> EfficientNet:
    """Build one of the second version."""
    own |= {"norm_eps": 0.001, "last_channel": 1280}
    return EfficientNet(stages, num_classes, in_channels, **(own | options))


def efficientnet_b0(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B0: 5,288,548 parameters. Options are those of `EfficientNet`."""
    return _scaled("b0", num_classes, in_channels, options)


def efficientnet_b1(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B1: 7,794,184 parameters. Options are those of `EfficientNet`."""
    return _scaled("b1", num_classes, in_channels, options)


def efficientnet_b2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B2: 9,109,994 parameters. Options are those of `EfficientNet`."""
    return _scaled("b2", num_classes, in_channels, options)


def efficientnet_b3(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B3: 12,233,232 parameters. Options are those of `EfficientNet`."""
    return _scaled("b3", num_classes, in_channels, options)


def efficientnet_b4(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B4: 19,341,616 parameters. Options are those of `EfficientNet`."""
    return _scaled("b4", num_classes, in_channels, options)


def efficientnet_b5(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B5: 30,389,784 parameters. Options are those of `EfficientNet`."""
    return _scaled("b5", num_classes, in_channels, options)


def efficientnet_b6(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B6: 43,040,704 parameters. Options are those of `EfficientNet`."""
    return _scaled("b6", num_classes, in_channels, options)


def efficientnet_b7(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> EfficientNet:
    """Build EfficientNet-B7: 66,347,960 parameters. Options are those of `EfficientNet`."""
    return _scaled("b7", num_classes, in_channels, options)


def efficientnet_v2_s(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> EfficientNet:
    """Build EfficientNetV2-S: 21,458,488 parameters. Options are those of `EfficientNet`."""
    return _second(V2_S, num_classes, in_channels, options, first_channel=24)


def efficientnet_v2_m(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> EfficientNet:
    """Build EfficientNetV2-M: 54,139,356 parameters. Options are those of `EfficientNet`."""
    return _second(V2_M, num_classes, in_channels, options, first_channel=24, dropout=0.3)


def efficientnet_v2_l(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> EfficientNet:
    """Build EfficientNetV2-L: 118,515,272 parameters. Options are those of `EfficientNet`."""
    return _second(V2_L, num_classes, in_channels, options, dropout=0.4)
