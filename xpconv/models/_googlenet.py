"""GoogLeNet, the first Inception network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import nn
from .._typing import IntOrTuple
from ..random import Stream
from ._blocks import initialise

# channels: branch 1; branch 2, 1x1 and 3x3; branch 3, likewise; branch 4
BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class BasicConv2d(nn.Sequential):
    """A convolution, batch normalisation and ReLU under Inception's keys ``conv`` and ``bn``."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: IntOrTuple, **options: Any
    ) -> None:
        super().__init__(
            {
                "conv": nn.Conv2d(in_channels, out_channels, kernel_size, bias=False, **options),
                "bn": nn.BatchNorm2d(out_channels, eps=0.001),
                "relu": nn.ReLU(),
            }
        )


class GoogLeNet(nn.Graph):
    """Blocks of four branches that are joined, with torchvision's keys.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    aux_logits : bool, default True
        Whether training returns ``(logits, second, first)``, with the logits of two auxiliary
        heads half way, the later one first. Inference returns the logits alone.
    dropout : float, default 0.2
        Probability of zeroing a feature before the logits.
    dropout_aux : float, default 0.7
        Likewise in the auxiliary heads.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    The paper adds the losses of the auxiliary logits with a weight of 0.3. With batch
    normalisation, and with 3x3 convolutions where the paper has 5x5, as in torchvision; its
    pretrained weights want ``transform_input``: images scaled to [-1, 1]. Weights start from a
    normal distribution of deviation 0.01.

    References
    ----------
    Szegedy et al. (2015), "Going deeper with convolutions".
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        aux_logits: bool = True,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        *,
        rng: Stream | None = None,
    ) -> None:
        conv = partial(BasicConv2d, rng=rng)
        pool = partial(nn.MaxPool2d, 3, stride=2, ceil_mode=True)
        body: dict[str, nn.Module] = {
            "conv1": conv(in_channels, 64, 7, stride=2, padding=3),
            "maxpool1": pool(),
            "conv2": conv(64, 64, 1),
            "conv3": conv(64, 192, 3, padding=1),
            "maxpool2": pool(),
        }
        channels, widths = 192, {}
        for name, config in BLOCKS.items():
            if name == "4a":
                body["maxpool3"] = pool()
            if name == "5a":
                body["maxpool4"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
            body[f"inception{name}"] = _block(channels, config, conv)
            widths[name] = channels = config[0] + config[2] + config[4] + config[5]
        heads: dict[str, nn.Module] = {}
        if aux_logits:
            heads["aux1"] = _head(widths["4a"], num_classes, dropout_aux, conv, rng)
            heads["aux2"] = _head(widths["4d"], num_classes, dropout_aux, conv, rng)
        tail = {
            "avgpool": nn.GlobalAvgPool(),
            "flatten": nn.Flatten(),
            "dropout": nn.Dropout(dropout),
            "fc": nn.Linear(channels, num_classes, rng=rng),
        }
        x, after = trunk(body | tail)
        auxiliary: tuple[Any, ...] = ()
        if aux_logits:
            auxiliary = (heads["aux2"](after["inception4d"]), heads["aux1"](after["inception4a"]))
        super().__init__(x, after["fc"], names=body | heads | tail, auxiliary=auxiliary)
        draw = partial(nn.init.normal, std=0.01, rng=rng)
        initialise(self, {nn.Conv2d: draw, nn.Linear: draw}, zero_bias=False)


def trunk(layers: Mapping[str, nn.Module]) -> tuple[Any, dict[str, Any]]:
    """Return a symbolic input and what is there after each of a row of layers, by its name."""
    x = h = nn.Input()
    after = {}
    for name, layer in layers.items():
        after[name] = h = layer(h)
    return x, after


def _block(channels: int, config: tuple[int, ...], conv: Any) -> nn.Concat:
    """Make the four branches of a block."""
    one, squeezed, three, squeezed_too, three_too, pooled = config
    return nn.Concat(
        {
            "branch1": conv(channels, one, 1),
            "branch2": nn.Sequential(
                conv(channels, squeezed, 1), conv(squeezed, three, 3, padding=1)
            ),
            "branch3": nn.Sequential(
                conv(channels, squeezed_too, 1), conv(squeezed_too, three_too, 3, padding=1)
            ),
            "branch4": nn.Sequential(
                nn.MaxPool2d(3, stride=1, padding=1), conv(channels, pooled, 1)
            ),
        }
    )


def _head(
    channels: int, num_classes: int, dropout: float, conv: Any, rng: Stream | None
) -> nn.Sequential:
    """Make an auxiliary classifier."""
    return nn.Sequential(
        {
            "avgpool": nn.AdaptiveAvgPool2d(4),
            "conv": conv(channels, 128, 1),
            "flatten": nn.Flatten(),
            "fc1": nn.Linear(2048, 1024, rng=rng),
            "relu": nn.ReLU(),
            "dropout": nn.Dropout(dropout),
            "fc2": nn.Linear(1024, num_classes, rng=rng),
        }
    )


def googlenet(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> GoogLeNet:
    """Build GoogLeNet: 13,004,888 parameters. Options are those of `GoogLeNet`."""
    return GoogLeNet(num_classes, in_channels, **options)
