"""MobileNetV3, small and large."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import Conv2dNormActivation, SqueezeExcitation, around, initialise, make_divisible

Row = tuple[int, int, int, bool, str, int]
"""Kernel, expanded channels, channels, squeeze-and-excitation, activation, stride of a block."""

SMALL: tuple[Row, ...] = (
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2),
    (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1),
    (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1),
    (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1),
    (5, 576, 96, True, "hardswish", 1),
)
LARGE: tuple[Row, ...] = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
)


class MobileNetV3(nn.Sequential):
    """Inverted residual blocks, some with squeeze-and-excitation, with torchvision's keys.

    Parameters
    ----------
    rows : sequence of (int, int, int, bool, str, int)
        For each block: kernel, expanded channels, channels, whether it has
        squeeze-and-excitation, ``"relu"`` or ``"hardswish"``, stride.
    last_channel : int
        Width of the layer before the logits.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    width_mult : float, default 1.0
        Factor of all widths, which are rounded to multiples of 8.
    dropout : float, default 0.2
        Probability of zeroing a feature before the logits.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    As in torchvision, batch normalisation has ``eps=0.001`` and ``momentum=0.01``, convolutions
    start from He's normal initialisation by fan-out, linear layers from a normal distribution of
    deviation 0.01.

    References
    ----------
    Howard et al. (2019), "Searching for MobileNetV3".

    Examples
    --------
    >>> from xpconv.models import MobileNetV3
    >>> model = MobileNetV3([(3, 16, 16, True, "relu", 2)], 64, num_classes=10)
    >>> [key for key in model.state_dict() if "fc1" in key]
    ['features.1.block.1.fc1.weight', 'features.1.block.1.fc1.bias']
    """

    def __init__(
        self,
        rows: Sequence[Row],
        last_channel: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        dropout: float = 0.2,
        *,
        rng: Stream | None = None,
    ) -> None:
        norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, rng=rng)
        channels = make_divisible(16 * width_mult)
        features: list[nn.Module] = [
            conv(in_channels, channels, stride=2, activation_layer=nn.Hardswish)
        ]
        for kernel, expanded, width, gated, name, stride in rows:
            activation = {"relu": nn.ReLU, "hardswish": nn.Hardswish}[name]
            hidden, width = (
                make_divisible(expanded * width_mult),
                make_divisible(width * width_mult),
            )
            layers: list[nn.Module] = []
            if hidden != channels:
                layers.append(conv(channels, hidden, 1, activation_layer=activation))
            layers.append(conv(hidden, hidden, kernel, stride, hidden, activation_layer=activation))
            if gated:
                squeezed = make_divisible(hidden // 4)
                layers.append(
                    SqueezeExcitation(hidden, squeezed, scale_activation=nn.Hardsigmoid, rng=rng)
                )
            layers.append(conv(hidden, width, 1, activation_layer=None))
            skip = stride == 1 and channels == width
            features.append(around("block", nn.Sequential(*layers), skip))
            channels = width
        features.append(conv(channels, 6 * channels, 1, activation_layer=nn.Hardswish))
        last = make_divisible(last_channel * width_mult)
        super().__init__(
            {
                "features": nn.Sequential(*features),
                "avgpool": nn.GlobalAvgPool(),
                "flatten": nn.Flatten(),
                "classifier": nn.Sequential(
                    nn.Linear(6 * channels, last, rng=rng),
                    nn.Hardswish(),
                    nn.Dropout(dropout),
                    nn.Linear(last, num_classes, rng=rng),
                ),
            }
        )
        initialise(
            self,
            {
                nn.Conv2d: partial(nn.init.kaiming_normal, mode="fan_out", rng=rng),
                nn.Linear: partial(nn.init.normal, std=0.01, rng=rng),
            },
        )


def mobilenet_v3_small(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> MobileNetV3:
    """Build the small MobileNetV3: 2,542,856 parameters. Options are those of `MobileNetV3`."""
    return MobileNetV3(SMALL, 1024, num_classes, in_channels, **options)


def mobilenet_v3_large(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> MobileNetV3:
    """Build the large MobileNetV3: 5,483,032 parameters. Options are those of `MobileNetV3`."""
    return MobileNetV3(LARGE, 1280, num_classes, in_channels, **options)
