"""Densely connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import chain, initialise


class DenseNet(nn.Sequential):
    """Blocks in which every layer sees what all before it computed, with torchvision's keys.

    Parameters
    ----------
    blocks : sequence of int
        Layers in each dense block.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    growth_rate : int, default 32, keyword-only
        Channels that each layer adds.
    num_init_features : int, default 64, keyword-only
        Channels before the first block.
    bn_size : int, default 4, keyword-only
        Width of a layer's 1x1 convolution, in growth rates.
    drop_rate : float, default 0.0, keyword-only
        Probability of zeroing a number that a layer adds.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When there is no block, or one without layers.

    Notes
    -----
    Between blocks a transition halves channels and size. Convolutions start from He's normal
    initialisation by fan-in, as in torchvision.

    References
    ----------
    Huang, Liu, van der Maaten, Weinberger (2017), "Densely connected convolutional networks".

    Examples
    --------
    >>> from xpconv.models import DenseNet
    >>> model = DenseNet((2, 2), 10, growth_rate=4, num_init_features=8)
    >>> list(model.state_dict())[6]
    'features.denseblock1.denselayer1.norm1.weight'
    """

    def __init__(
        self,
        blocks: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        growth_rate: int = 32,
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0.0,
        rng: Stream | None = None,
    ) -> None:
        if not blocks or min(blocks) < 1:
            raise ValueError(f"blocks names blocks of at least one layer, got {tuple(blocks)}")
        conv = partial(nn.Conv2d, bias=False, rng=rng)
        channels = num_init_features
        features: dict[str, nn.Module] = {
            "conv0": conv(in_channels, channels, 7, stride=2, padding=3),
            "norm0": nn.BatchNorm2d(channels),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, stride=2, padding=1),
        }
        for i, count in enumerate(blocks, start=1):
            layers: dict[str, nn.Module] = {}
            for j in range(1, count + 1):
                layers[f"denselayer{j}"] = _dense_layer(
                    channels, growth_rate, bn_size * growth_rate, drop_rate, conv
                )
                channels += growth_rate
            features[f"denseblock{i}"] = nn.Sequential(layers)
            if i < len(blocks):
                features[f"transition{i}"] = nn.Sequential(
                    {
                        "norm": nn.BatchNorm2d(channels),
                        "relu": nn.ReLU(),
                        "conv": conv(channels, channels // 2, 1),
                        "pool": nn.AvgPool2d(2),
                    }
                )
                channels //= 2
        features["norm5"] = nn.BatchNorm2d(channels)
        super().__init__(
            {
                "features": nn.Sequential(features),
                "relu": nn.ReLU(),
                "avgpool": nn.GlobalAvgPool(),
                "flatten": nn.Flatten(),
                "classifier": nn.Linear(channels, num_classes, rng=rng),
            }
        )
        initialise(self, {nn.Conv2d: partial(nn.init.kaiming_normal, rng=rng), nn.Linear: None})


def _dense_layer(channels: int, growth: int, width: int, drop_rate: float, conv: Any) -> nn.Graph:
    """Make a layer that joins what it computes to its input."""
    layers: dict[str, nn.Module] = {
        "norm1": nn.BatchNorm2d(channels),
        "relu1": nn.ReLU(),
        "conv1": conv(channels, width, 1),
        "norm2": nn.BatchNorm2d(width),
        "relu2": nn.ReLU(),
        "conv2": conv(width, growth, 3, padding=1),
    }
    if drop_rate:
        layers["dropout"] = nn.Dropout(drop_rate)
    x = nn.Input()
    return nn.Graph(x, nn.Concat()(x, chain(x, layers.values())), names=layers)


def densenet121(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """Build DenseNet-121: 7,978,856 parameters. Options are those of `DenseNet`."""
    return DenseNet((6, 12, 24, 16), num_classes, in_channels, **options)


def densenet161(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """Build DenseNet-161: 28,681,000 parameters. Options are those of `DenseNet`."""
    options = {"growth_rate": 48, "num_init_features": 96} | options
    return DenseNet((6, 12, 36, 24), num_classes, in_channels, **options)


def densenet169(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """Build DenseNet-169: 14,149,480 parameters. Options are those of `DenseNet`."""
    return DenseNet((6, 12, 32, 32), num_classes, in_channels, **options)


def densenet201(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> DenseNet:
    """Build DenseNet-201: 20,013,928 parameters. Options are those of `DenseNet`."""
    return DenseNet((6, 12, 48, 32), num_classes, in_channels, **options)
