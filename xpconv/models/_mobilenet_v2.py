"""MobileNetV2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import Conv2dNormActivation, around, initialise, make_divisible

# expansion, channels, blocks, stride of the first
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(nn.Sequential):
    """Inverted residual blocks with linear bottlenecks, with torchvision's keys.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    width_mult : float, default 1.0
        Factor of all widths, which are rounded to multiples of 8.
    dropout : float, default 0.2
        Probability of zeroing a feature before the classifier.
    stages : sequence of (int, int, int, int), optional, keyword-only
        Expansion, channels, number of blocks and first stride of each stage; by default the
        paper's seven.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Convolutions start from He's normal initialisation by fan-out, the linear layer from a normal
    distribution of deviation 0.01, as in torchvision.

    References
    ----------
    Sandler, Howard, Zhu, Zhmoginov, Chen (2018), "MobileNetV2: inverted residuals and linear
    bottlenecks".

    Examples
    --------
    >>> from xpconv.models import MobileNetV2
    >>> list(MobileNetV2(width_mult=0.25).state_dict())[6]
    'features.1.conv.0.0.weight'
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        dropout: float = 0.2,
        *,
        stages: Sequence[tuple[int, int, int, int]] = STAGES,
        rng: Stream | None = None,
    ) -> None:
        conv = partial(Conv2dNormActivation, activation_layer=nn.ReLU6, rng=rng)
        channels = make_divisible(32 * width_mult)
        features: list[nn.Module] = [conv(in_channels, channels, stride=2)]
        for expansion, width, count, first_stride in stages:
            width = make_divisible(width * width_mult)
            for i in range(count):
                stride = first_stride if i == 0 else 1
                hidden = channels * expansion
                layers: list[nn.Module] = [] if expansion == 1 else [conv(channels, hidden, 1)]
                layers += [
                    conv(hidden, hidden, stride=stride, groups=hidden),
                    nn.Conv2d(hidden, width, 1, bias=False, rng=rng),
                    nn.BatchNorm2d(width),
                ]
                skip = stride == 1 and channels == width
                features.append(around("conv", nn.Sequential(*layers), skip))
                channels = width
        last = make_divisible(1280 * max(1.0, width_mult))
        features.append(conv(channels, last, 1))
        super().__init__(
            {
                "features": nn.Sequential(*features),
                "avgpool": nn.GlobalAvgPool(),
                "flatten": nn.Flatten(),
                "classifier": nn.Sequential(
                    nn.Dropout(dropout), nn.Linear(last, num_classes, rng=rng)
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


def mobilenet_v2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> MobileNetV2:
    """Build MobileNetV2: 3,504,872 parameters. Options are those of `MobileNetV2`."""
    return MobileNetV2(num_classes, in_channels, **options)
