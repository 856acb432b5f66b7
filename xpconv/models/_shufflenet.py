"""ShuffleNetV2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import Conv2dNormActivation

BLOCKS = (4, 8, 4)


class ShuffleNetV2(nn.Sequential):
    """Blocks that work on half of the channels and then shuffle all, with torchvision's keys.

    Parameters
    ----------
    widths : sequence of five int
        Channels of the first convolution, of three stages and of the last convolution.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    blocks : sequence of three int, default (4, 8, 4), keyword-only
        Blocks in each stage.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When there are not five widths and three numbers of blocks.

    References
    ----------
    Ma, Zhang, Zheng, Sun (2018), "ShuffleNet V2: practical guidelines for efficient CNN
    architecture design".
    """

    def __init__(
        self,
        widths: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        blocks: Sequence[int] = BLOCKS,
        rng: Stream | None = None,
    ) -> None:
        if len(widths) != 5 or len(blocks) != 3:
            raise ValueError(
                "widths takes five numbers and blocks three, got "
                f"{tuple(widths)} and {tuple(blocks)}"
            )
        first, *stages, last = widths
        layers: dict[str, nn.Module] = {
            "conv1": Conv2dNormActivation(in_channels, first, stride=2, rng=rng),
            "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
        }
        channels = first
        for i, (width, count) in enumerate(zip(stages, blocks, strict=True), start=2):
            rest = [_block(width, rng) for _ in range(count - 1)]
            layers[f"stage{i}"] = nn.Sequential(_halving_block(channels, width, rng), *rest)
            channels = width
        layers["conv5"] = Conv2dNormActivation(channels, last, 1, rng=rng)
        layers["avgpool"] = nn.GlobalAvgPool()
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(last, num_classes, rng=rng)
        super().__init__(layers)


def _separable(channels: int, width: int, stride: int, rng: Stream | None) -> list[nn.Module]:
    """Make a depthwise convolution, and one that mixes the channels."""
    conv = partial(Conv2dNormActivation, rng=rng)
    depthwise = conv(channels, channels, 3, stride, channels, activation_layer=None)
    return [*depthwise, *conv(channels, width, 1)]


def _branch(channels: int, width: int, stride: int, rng: Stream | None) -> nn.Sequential:
    """Make the branch of three convolutions."""
    mix = Conv2dNormActivation(channels, width, 1, rng=rng)
    return nn.Sequential(*mix, *_separable(width, width, stride, rng))


def _halving_block(channels: int, width: int, rng: Stream | None) -> nn.Graph:
    """Make the block that begins a stage: both branches see everything, at half the size."""
    half = width // 2
    x = nn.Input()
    left = nn.Sequential(*_separable(channels, half, 2, rng))
    right = _branch(channels, half, 2, rng)
    joined = nn.Concat()(left(x), right(x))
    return nn.Graph(x, nn.ChannelShuffle(2)(joined), names={"branch1": left, "branch2": right})


def _block(width: int, rng: Stream | None) -> nn.Graph:
    """Make a block that passes on one half of the channels and works on the other."""
    half = width // 2
    x = nn.Input()
    branch = _branch(half, half, 1, rng)
    # Negative padding of (W, H, C) takes away: the last half of the channels, then the first.
    kept = nn.ConstantPad3d((0, 0, 0, 0, 0, -half), 0.0)(x)
    worked = branch(nn.ConstantPad3d((0, 0, 0, 0, -half, 0), 0.0)(x))
    out = nn.ChannelShuffle(2)(nn.Concat()(kept, worked))
    return nn.Graph(x, out, names={"branch2": branch})


def _scaled(
    first: int, last: int, num_classes: int, in_channels: int, options: dict[str, Any]
) -> ShuffleNetV2:
    """Build one of the paper's, whose stages double their channels."""
    widths = (24, first, 2 * first, 4 * first, last)
    return ShuffleNetV2(widths, num_classes, in_channels, **options)


def shufflenet_v2_x0_5(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> ShuffleNetV2:
    """Build ShuffleNetV2 x0.5: 1,366,792 parameters. Options are those of `ShuffleNetV2`."""
    return _scaled(48, 1024, num_classes, in_channels, options)


def shufflenet_v2_x1_0(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> ShuffleNetV2:
    """Build ShuffleNetV2 x1.0: 2,278,604 parameters. Options are those of `ShuffleNetV2`."""
    return _scaled(116, 1024, num_classes, in_channels, options)


def shufflenet_v2_x1_5(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> ShuffleNetV2:
    """Build ShuffleNetV2 x1.5: 3,503,624 parameters. Options are those of `ShuffleNetV2`."""
    return _scaled(176, 1024, num_classes, in_channels, options)


def shufflenet_v2_x2_0(
    num_classes: int = 1000, in_channels: int = 3, **options: Any
) -> ShuffleNetV2:
    """Build ShuffleNetV2 x2.0: 7,393,996 parameters. Options are those of `ShuffleNetV2`."""
    return _scaled(244, 2048, num_classes, in_channels, options)
