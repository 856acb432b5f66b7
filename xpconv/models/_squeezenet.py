"""SqueezeNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import chain, initialise

Fire = tuple[int, int]
"""Channels of a block between its halves, and of either half."""

V1_0: tuple[Fire | str, ...] = (
    "M", (16, 64), (16, 64), (32, 128), "M",
    (32, 128), (48, 192), (48, 192), (64, 256), "M", (64, 256),
)  # fmt: skip
V1_1: tuple[Fire | str, ...] = (
    "M", (16, 64), (16, 64), "M", (32, 128), (32, 128), "M",
    (48, 192), (48, 192), (64, 256), (64, 256),
)  # fmt: skip


class SqueezeNet(nn.Sequential):
    """Blocks that squeeze by 1x1 convolutions before they expand, with torchvision's keys.

    Parameters
    ----------
    first : (int, int)
        Channels and kernel of the first convolution.
    config : sequence of (int, int) or "M"
        For each block its squeezed channels and those of its 1x1 and of its 3x3 convolution;
        ``"M"`` is max-pooling.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    dropout : float, default 0.5
        Probability of zeroing a feature before the classifier.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Convolutions start from He's uniform initialisation, the classifier from a normal distribution
    of deviation 0.01, as in torchvision.

    References
    ----------
    Iandola et al. (2016), "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    <0.5MB model size".

    Examples
    --------
    >>> from xpconv.models import SqueezeNet
    >>> list(SqueezeNet((8, 3), ["M", (4, 8)], 10).state_dict())[2]
    'features.3.squeeze.weight'
    """

    def __init__(
        self,
        first: tuple[int, int],
        config: Sequence[Fire | str],
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        *,
        rng: Stream | None = None,
    ) -> None:
        channels, kernel = first
        features: list[nn.Module] = [
            nn.Conv2d(in_channels, channels, kernel, stride=2, rng=rng),
            nn.ReLU(),
        ]
        for entry in config:
            if isinstance(entry, str):
                features.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
            else:
                features.append(_fire(channels, *entry, rng))
                channels = 2 * entry[1]
        last = nn.Conv2d(channels, num_classes, 1, rng=rng)
        super().__init__(
            {
                "features": nn.Sequential(*features),
                "classifier": nn.Sequential(
                    nn.Dropout(dropout), last, nn.ReLU(), nn.GlobalAvgPool()
                ),
                "flatten": nn.Flatten(),
            }
        )
        initialise(
            self.children()["features"], {nn.Conv2d: partial(nn.init.kaiming_uniform, rng=rng)}
        )
        initialise(last, {nn.Conv2d: partial(nn.init.normal, std=0.01, rng=rng)})


def _fire(channels: int, squeezed: int, width: int, rng: Stream | None) -> nn.Graph:
    """Make the block: squeeze, then expand by 1x1 and by 3x3 and join both."""
    layers: dict[str, nn.Module] = {
        "squeeze": nn.Conv2d(channels, squeezed, 1, rng=rng),
        "squeeze_activation": nn.ReLU(),
        "expand1x1": nn.Conv2d(squeezed, width, 1, rng=rng),
        "expand1x1_activation": nn.ReLU(),
        "expand3x3": nn.Conv2d(squeezed, width, 3, padding=1, rng=rng),
        "expand3x3_activation": nn.ReLU(),
    }
    squeeze, small, large = (list(layers.values())[i : i + 2] for i in (0, 2, 4))
    x = nn.Input()
    h = chain(x, squeeze)
    return nn.Graph(x, nn.Concat()(chain(h, small), chain(h, large)), names=layers)


def squeezenet1_0(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> SqueezeNet:
    """Build SqueezeNet 1.0: 1,248,424 parameters. Options are those of `SqueezeNet`."""
    return SqueezeNet((96, 7), V1_0, num_classes, in_channels, **options)


def squeezenet1_1(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> SqueezeNet:
    """Build SqueezeNet 1.1: 1,235,496 parameters. Options are those of `SqueezeNet`."""
    return SqueezeNet((64, 3), V1_1, num_classes, in_channels, **options)
