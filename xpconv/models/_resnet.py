"""Residual networks of basic and of bottleneck blocks, in the ImageNet and the CIFAR form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import chain, initialise

WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Sequential):
    r"""A residual network, with torchvision's keys.

    Parameters
    ----------
    blocks : sequence of four int
        Blocks in each of the four stages, of 64, 128, 256 and 512 channels.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    bottleneck : bool, default False, keyword-only
        Blocks of a 1x1, a 3x3 and a 1x1 convolution, with four times the stage's channels at their
        end, in place of two 3x3 convolutions.
    groups : int, default 1, keyword-only
        Groups of the 3x3 convolution of a bottleneck, as in ResNeXt.
    width_per_group : int, default 64, keyword-only
        Channels of each group in the first stage, doubled in each later one.
    cifar : bool, default False, keyword-only
        For images of about 32x32: a 3x3 first convolution of stride 1 and no pooling after it. By
        default it is the 7x7 convolution of stride 2 and the 3x3 max-pooling, for 224x224.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When ``blocks`` does not name four stages of at least one block, or basic blocks are to
        have groups or another width.

    Notes
    -----
    A block computes :math:`\mathrm{relu}(f(x) + s(x))` with the convolutions in :math:`f`, and in
    :math:`s` nothing, or a 1x1 convolution where the shape changes. A bottleneck's stride is in its
    3x3 convolution ("ResNet v1.5"). Convolutions start from He's normal initialisation by fan-out,
    as in torchvision.

    References
    ----------
    He, Zhang, Ren, Sun (2016), "Deep residual learning for image recognition"; Xie, Girshick,
    Dollár, Tu, He (2017), "Aggregated residual transformations for deep neural networks";
    Zagoruyko, Komodakis (2016), "Wide residual networks".

    Examples
    --------
    >>> from xpconv.models import ResNet
    >>> list(ResNet((1, 1, 1, 1)).state_dict())[:2]
    ['conv1.weight', 'bn1.weight']
    """

    def __init__(
        self,
        blocks: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        bottleneck: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        cifar: bool = False,
        rng: Stream | None = None,
    ) -> None:
        if len(blocks) != len(WIDTHS) or min(blocks) < 1:
            raise ValueError(
                f"blocks names {len(WIDTHS)} stages of at least one block, got {tuple(blocks)}"
            )
        if not bottleneck and (groups, width_per_group) != (1, 64):
            raise ValueError(
                "groups and width_per_group are those of bottleneck blocks, got "
                f"{groups} and {width_per_group} for basic ones"
            )
        conv = partial(_conv, rng=rng)
        layers: dict[str, nn.Module] = {
            "conv1": conv(in_channels, 64, 3, 1) if cifar else conv(in_channels, 64, 7, 2),
            "bn1": nn.BatchNorm2d(64),
            "relu": nn.ReLU(),
        }
        if not cifar:
            layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for stage, (width, count) in enumerate(zip(WIDTHS, blocks, strict=True), start=1):
            stack = []
            for i in range(count):
                stride = 2 if stage > 1 and i == 0 else 1
                if bottleneck:
                    out, inner = 4 * width, width * width_per_group // 64 * groups
                    rows = [(inner, 1, 1, 1), (inner, 3, stride, groups), (out, 1, 1, 1)]
                else:
                    out, rows = width, [(width, 3, stride, 1), (width, 3, 1, 1)]
                stack.append(_block(channels, rows, stride, conv))
                channels = out
            layers[f"layer{stage}"] = nn.Sequential(*stack)
        layers["avgpool"] = nn.GlobalAvgPool()
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(channels, num_classes, rng=rng)
        super().__init__(layers)
        draw = partial(nn.init.kaiming_normal, mode="fan_out", nonlinearity="relu", rng=rng)
        initialise(self, {nn.Conv2d: draw})


def _conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    *,
    rng: Stream | None,
) -> nn.Conv2d:
    """Make a convolution without bias that keeps the size, before its stride."""
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
        rng=rng,
    )


def _block(
    channels: int, rows: Sequence[tuple[int, int, int, int]], stride: int, conv: Any
) -> nn.Graph:
    """Make the graph of a residual block: convolutions and the way around them.

    A row is a convolution's channels, kernel, stride and groups.
    """
    layers: dict[str, nn.Module] = {}
    width = channels
    for i, (out, kernel, step, groups) in enumerate(rows, start=1):
        layers[f"conv{i}"] = conv(width, out, kernel, step, groups)
        layers[f"bn{i}"] = nn.BatchNorm2d(out)
        if i < len(rows):
            layers[f"relu{i}"] = nn.ReLU()
        width = out
    x = shortcut = nn.Input()
    h = chain(x, layers.values())
    if stride != 1 or channels != width:
        layers["downsample"] = nn.Sequential(
            conv(channels, width, 1, stride), nn.BatchNorm2d(width)
        )
        shortcut = layers["downsample"](x)
    layers["add"] = nn.Add()
    layers["relu"] = nn.ReLU()
    return nn.Graph(x, layers["relu"](layers["add"](h, shortcut)), names=layers)


def _bottlenecks(
    blocks: Sequence[int],
    num_classes: int,
    in_channels: int,
    options: dict[str, Any],
    groups: int = 1,
    width_per_group: int = 64,
) -> ResNet:
    """Build one of those with bottleneck blocks."""
    own = {"bottleneck": True, "groups": groups, "width_per_group": width_per_group}
    return ResNet(blocks, num_classes, in_channels, **(own | options))


def resnet18(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNet-18: 11,689,512 parameters. Options are those of `ResNet`."""
    return ResNet((2, 2, 2, 2), num_classes, in_channels, **options)


def resnet34(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNet-34: 21,797,672 parameters. Options are those of `ResNet`."""
    return ResNet((3, 4, 6, 3), num_classes, in_channels, **options)


def resnet50(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNet-50: 25,557,032 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 6, 3), num_classes, in_channels, options)


def resnet101(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNet-101: 44,549,160 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 23, 3), num_classes, in_channels, options)


def resnet152(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNet-152: 60,192,808 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 8, 36, 3), num_classes, in_channels, options)


def resnext50_32x4d(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNeXt-50 32x4d: 25,028,904 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 6, 3), num_classes, in_channels, options, 32, 4)


def resnext101_32x8d(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build ResNeXt-101 32x8d: 88,791,336 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 23, 3), num_classes, in_channels, options, 32, 8)


def wide_resnet50_2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build Wide ResNet-50-2: 68,883,240 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 6, 3), num_classes, in_channels, options, 1, 128)


def wide_resnet101_2(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> ResNet:
    """Build Wide ResNet-101-2: 126,886,696 parameters. Options are those of `ResNet`."""
    return _bottlenecks((3, 4, 23, 3), num_classes, in_channels, options, 1, 128)
