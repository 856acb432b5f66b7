"""AlexNet."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..random import Stream


class AlexNet(nn.Sequential):
    """Five convolutions and three linear layers, with torchvision's keys.

    61,100,840 parameters with the defaults.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    dropout : float, default 0.5
        Probability of zeroing a feature before each of the hidden linear layers.
    hidden : int, default 4096, keyword-only
        Width of the hidden linear layers.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    References
    ----------
    Krizhevsky (2014), "One weird trick for parallelizing convolutional neural networks".
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        dropout: float = 0.5,
        *,
        hidden: int = 4096,
        rng: Stream | None = None,
    ) -> None:
        super().__init__(
            {
                "features": nn.Sequential(
                    nn.Conv2d(in_channels, 64, 11, stride=4, padding=2, rng=rng),
                    nn.ReLU(),
                    nn.MaxPool2d(3, stride=2),
                    nn.Conv2d(64, 192, 5, padding=2, rng=rng),
                    nn.ReLU(),
                    nn.MaxPool2d(3, stride=2),
                    nn.Conv2d(192, 384, 3, padding=1, rng=rng),
                    nn.ReLU(),
                    nn.Conv2d(384, 256, 3, padding=1, rng=rng),
                    nn.ReLU(),
                    nn.Conv2d(256, 256, 3, padding=1, rng=rng),
                    nn.ReLU(),
                    nn.MaxPool2d(3, stride=2),
                ),
                "avgpool": nn.AdaptiveAvgPool2d(6),
                "flatten": nn.Flatten(),
                "classifier": nn.Sequential(
                    nn.Dropout(dropout),
                    nn.Linear(256 * 6 * 6, hidden, rng=rng),
                    nn.ReLU(),
                    nn.Dropout(dropout),
                    nn.Linear(hidden, hidden, rng=rng),
                    nn.ReLU(),
                    nn.Linear(hidden, num_classes, rng=rng),
                ),
            }
        )


def alexnet(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> AlexNet:
    """Build AlexNet: 61,100,840 parameters. Options are those of `AlexNet`."""
    return AlexNet(num_classes, in_channels, **options)
