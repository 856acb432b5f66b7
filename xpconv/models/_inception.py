"""Inception v3."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import initialise
from ._googlenet import BasicConv2d, trunk

Branch = tuple[Any, ...]
"""Steps one after the other: ``(channels, kernel)`` or ``(channels, kernel, stride)`` for a
convolution, ``"average"`` or ``"max"`` for pooling, and a tuple of two convolutions for a fork."""


def _a(pooled: int) -> dict[str, Branch]:
    return {
        "branch1x1": ((64, 1),),
        "branch5x5": ((48, 1), (64, 5)),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
        "branch_pool": ("average", (pooled, 1)),
    }


def _b() -> dict[str, Branch]:
    return {
        "branch3x3": ((384, 3, 2),),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3, 2)),
        "branch_pool": ("max",),
    }


def _c(width: int) -> dict[str, Branch]:
    wide, high = (1, 7), (7, 1)
    return {
        "branch1x1": ((192, 1),),
        "branch7x7": ((width, 1), (width, wide), (192, high)),
        "branch7x7dbl": ((width, 1), (width, high), (width, wide), (width, high), (192, wide)),
        "branch_pool": ("average", (192, 1)),
    }


def _d() -> dict[str, Branch]:
    return {
        "branch3x3": ((192, 1), (320, 3, 2)),
        "branch7x7x3": ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)),
        "branch_pool": ("max",),
    }


def _e() -> dict[str, Branch]:
    fork = ((384, (1, 3)), (384, (3, 1)))
    return {
        "branch1x1": ((320, 1),),
        "branch3x3": ((384, 1), fork),
        "branch3x3dbl": ((448, 1), (384, 3), fork),
        "branch_pool": ("average", (192, 1)),
    }


# the block and the channels that it gives
BLOCKS = {
    "Mixed_5b": (_a(32), 256),
    "Mixed_5c": (_a(64), 288),
    "Mixed_5d": (_a(64), 288),
    "Mixed_6a": (_b(), 768),
    "Mixed_6b": (_c(128), 768),
    "Mixed_6c": (_c(160), 768),
    "Mixed_6d": (_c(160), 768),
    "Mixed_6e": (_c(192), 768),
    "Mixed_7a": (_d(), 1280),
    "Mixed_7b": (_e(), 2048),
    "Mixed_7c": (_e(), 2048),
}


class Inception3(nn.Graph):
    """Blocks of factorised convolutions that are joined, with torchvision's keys.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    aux_logits : bool, default True
        Whether training returns ``(logits, auxiliary)``, with the logits of a head half way.
        Inference returns the logits alone.
    dropout : float, default 0.5
        Probability of zeroing a feature before the logits.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Made for images of 299x299, which is the least that training with auxiliary logits takes; 75x75
    is enough otherwise. torchvision's pretrained weights want ``transform_input``: images scaled to
    [-1, 1]. Weights start from a normal distribution of
    deviation 0.1, those of the auxiliary logits of 0.001.

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna (2016), "Rethinking the Inception architecture for
    computer vision".
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = True,
        dropout: float = 0.5,
        *,
        rng: Stream | None = None,
    ) -> None:
        conv = partial(BasicConv2d, rng=rng)
        body: dict[str, nn.Module] = {
            "Conv2d_1a_3x3": conv(in_channels, 32, 3, stride=2),
            "Conv2d_2a_3x3": conv(32, 32, 3),
            "Conv2d_2b_3x3": conv(32, 64, 3, padding=1),
            "maxpool1": nn.MaxPool2d(3, stride=2),
            "Conv2d_3b_1x1": conv(64, 80, 1),
            "Conv2d_4a_3x3": conv(80, 192, 3),
            "maxpool2": nn.MaxPool2d(3, stride=2),
        }
        channels, head, names = 192, None, {}
        for name, (branches, width) in BLOCKS.items():
            body[name] = _block(channels, branches, conv)
            channels = width
            if name == "Mixed_6e" and aux_logits:
                head = _head(channels, num_classes, conv, rng)
                names = body | {"AuxLogits": head}
        tail = {
            "avgpool": nn.GlobalAvgPool(),
            "dropout": nn.Dropout(dropout),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(channels, num_classes, rng=rng),
        }
        x, after = trunk(body | tail)
        auxiliary = () if head is None else head(after["Mixed_6e"])
        super().__init__(x, after["fc"], names=names | body | tail, auxiliary=auxiliary)
        draw = partial(nn.init.normal, std=0.1, rng=rng)
        initialise(self, {nn.Conv2d: draw, nn.Linear: draw}, zero_bias=False)
        if head is not None:
            draw = partial(nn.init.normal, std=0.001, rng=rng)
            initialise(head, {nn.Linear: draw}, zero_bias=False)


def _block(channels: int, branches: dict[str, Branch], conv: Any) -> nn.Graph:
    """Make the graph of a block from the table of its branches."""
    x = nn.Input()
    layers: dict[str, nn.Module] = {}
    ends = []

    def convolve(name: str, h: Any, width: int, out: int, kernel: Any, stride: int = 1) -> Any:
        sizes = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = tuple(size // 2 for size in sizes) if stride == 1 else 0
        layers[name] = conv(width, out, kernel, stride=stride, padding=padding)
        return layers[name](h)

    for branch, steps in branches.items():
        h, width = x, channels
        convolutions = [step for step in steps if not isinstance(step, str)]
        number = 0
        for step in steps:
            if step == "average":
                h = nn.AvgPool2d(3, stride=1, padding=1)(h)
            elif step == "max":
                h = nn.MaxPool2d(3, stride=2)(h)
            else:
                number += 1
                name = f"{branch}_{number}" if len(convolutions) > 1 else branch
                if isinstance(step[0], tuple):
                    forks = [
                        convolve(name + letter, h, width, *fork)
                        for letter, fork in zip("ab", step, strict=True)
                    ]
                    h = nn.Concat()(*forks)
                else:
                    h, width = convolve(name, h, width, *step), step[0]
        ends.append(h)
    return nn.Graph(x, nn.Concat()(*ends), names=layers)


def _head(channels: int, num_classes: int, conv: Any, rng: Stream | None) -> nn.Sequential:
    """Make the auxiliary classifier."""
    return nn.Sequential(
        {
            "pool": nn.AvgPool2d(5, stride=3),
            "conv0": conv(channels, 128, 1),
            "conv1": conv(128, 768, 5),
            "avgpool": nn.GlobalAvgPool(),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(768, num_classes, rng=rng),
        }
    )


def inception_v3(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> Inception3:
    """Build Inception v3: 27,161,264 parameters. Options are those of `Inception3`."""
    return Inception3(num_classes, in_channels, **options)
