"""A small network for 8x8 images of digits."""

from __future__ import annotations

from .. import nn
from ..random import Stream


def digits_cnn(
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    dropout: float = 0.2,
    rng: Stream | None = None,
) -> nn.Sequential:
    """Build the network that ``xpconv train digits`` trains.

    Three 3x3 convolutions of 32, 32 and 64 channels, each with batch norm and ReLU, the last two
    followed by 2x2 max-pooling, then dropout and one linear layer.

    Parameters
    ----------
    num_classes : int, default 10
        Length of the logits.
    in_channels : int, default 1
        Channels of the image.
    dropout : float, default 0.2
        Probability of zeroing a feature before the linear layer.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Returns
    -------
    Sequential
        The network, for images of 8x8, with 30,762 parameters for the defaults.

    Examples
    --------
    >>> from xpconv.models import digits_cnn
    >>> digits_cnn().num_parameters
    30762
    """
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(in_channels, 32, 3, padding=1, bias=False, rng=rng),
            "bn1": nn.BatchNorm2d(32),
            "relu1": nn.ReLU(),
            "conv2": nn.Conv2d(32, 32, 3, padding=1, bias=False, rng=rng),
            "bn2": nn.BatchNorm2d(32),
            "relu2": nn.ReLU(),
            "pool2": nn.MaxPool2d(2),
            "conv3": nn.Conv2d(32, 64, 3, padding=1, bias=False, rng=rng),
            "bn3": nn.BatchNorm2d(64),
            "relu3": nn.ReLU(),
            "pool3": nn.MaxPool2d(2),
            "flatten": nn.Flatten(),
            "dropout": nn.Dropout(dropout),
            "fc": nn.Linear(64 * 2 * 2, num_classes, rng=rng),
        }
    )
