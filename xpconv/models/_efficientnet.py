"""EfficientNet and EfficientNetV2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from .. import nn
from ..random import Stream
from ._blocks import Conv2dNormActivation, SqueezeExcitation, around, initialise, make_divisible

Stage = tuple[str, int, int, int, int, int]
"""Kind of block, expansion, kernel, first stride, channels and number of blocks of a stage."""


class EfficientNet(nn.Sequential):
    """Inverted residual blocks scaled in width and depth together, with torchvision's keys.

    Parameters
    ----------
    stages : sequence of (str, int, int, int, int, int)
        For each stage: ``"mb"``, an expansion, a depthwise convolution and squeeze-and-excitation,
        or ``"fused"``, one full convolution; then expansion, kernel, first stride, channels and
        number of blocks.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    width_mult, depth_mult : float, default 1.0
        Factors of the channels, rounded to multiples of 8, and of the numbers of blocks, rounded
        up.
    dropout : float, default 0.2
        Probability of zeroing a feature before the classifier.
    stochastic_depth_prob : float, default 0.2
        Probability of leaving out a block while training: it grows evenly from 0 at the first
        block towards this.
    first_channel : int, default 32, keyword-only
        Channels before the first stage, to be scaled too.
    last_channel : int, optional, keyword-only
        Width before the classifier; by default four times the last stage's.
    norm_eps, norm_momentum : float, keyword-only
        ``eps`` and ``momentum`` of the batch normalisation, by default 1e-5 and 0.1.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When a stage's kind is neither ``"mb"`` nor ``"fused"``.

    Notes
    -----
    Convolutions start from He's normal initialisation by fan-out, the linear layer evenly from
    ±1/sqrt(num_classes), as in torchvision.

    References
    ----------
    Tan, Le (2019), "EfficientNet: rethinking model scaling for convolutional neural networks";
    Tan, Le (2021), "EfficientNetV2: smaller models and faster training".

    Examples
    --------
    >>> from xpconv.models import EfficientNet
    >>> model = EfficientNet([("mb", 4, 3, 2, 16, 2)], 10, width_mult=0.5)
    >>> [key for key in model.state_dict() if "fc1.weight" in key]
    ['features.1.0.block.2.fc1.weight', 'features.1.1.block.2.fc1.weight']
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        num_classes: int = 1000,
        in_channels: int = 3,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        dropout: float = 0.2,
        stochastic_depth_prob: float = 0.2,
        *,
        first_channel: int = 32,
        last_channel: int | None = None,
        norm_eps: float = 1e-5,
        norm_momentum: float = 0.1,
        rng: Stream | None = None,
    ) -> None:
        norm = partial(nn.BatchNorm2d, eps=norm_eps, momentum=norm_momentum)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU, rng=rng)
        channels = make_divisible(first_channel * width_mult)
        features: list[nn.Module] = [conv(in_channels, channels, stride=2)]
        counts = [math.ceil(count * depth_mult) for *_, count in stages]
        done = 0
        for (kind, expansion, kernel, first_stride, width, _), count in zip(
            stages, counts, strict=True
        ):
            width = make_divisible(width * width_mult)
            blocks = []
            for i in range(count):
                stride = first_stride if i == 0 else 1
                hidden = make_divisible(channels * expansion)
                body = _body(kind, channels, hidden, width, kernel, stride, conv, rng)
                skip = stride == 1 and channels == width
                drop = stochastic_depth_prob * done / sum(counts)
                blocks.append(around("block", nn.Sequential(*body), skip, drop))
                channels = width
                done += 1
            features.append(nn.Sequential(*blocks))
        last = 4 * channels if last_channel is None else last_channel
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
        bound = 1 / math.sqrt(num_classes)
        initialise(
            self,
            {
                nn.Conv2d: partial(nn.init.kaiming_normal, mode="fan_out", rng=rng),
                nn.Linear: partial(nn.init.uniform, low=-bound, high=bound, rng=rng),
            },
        )


def _body(
    kind: str,
    channels: int,
    hidden: int,
    width: int,
    kernel: int,
    stride: int,
    conv: Callable[..., nn.Module],
    rng: Stream | None,
) -> list[nn.Module]:
    """Make the layers of a block, from ``channels`` over ``hidden`` to ``width``."""
    if kind == "mb":
        return [
            *([conv(channels, hidden, 1)] if hidden != channels else []),
            conv(hidden, hidden, kernel, stride, hidden),
            SqueezeExcitation(hidden, max(1, channels // 4), nn.SiLU, rng=rng),
            conv(hidden, width, 1, activation_layer=None),
        ]
    if kind != "fused":
        raise ValueError(f"a stage is of the kind 'mb' or 'fused', got {kind!r}")
    if hidden == channels:
        return [conv(channels, width, kernel, stride)]
    return [conv(channels, hidden, kernel, stride), conv(hidden, width, 1, activation_layer=None)]
