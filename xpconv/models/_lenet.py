"""LeNet-5."""

from __future__ import annotations

from .. import nn
from ..random import Stream


class LeNet5(nn.Sequential):
    """LeNet-5 for 28x28 images, in the form that is trained today.

    Two 5x5 convolutions, each with ReLU and 2x2 max-pooling, then three linear layers of 120, 84
    and ``num_classes``. The first convolution pads by 2, so that a 28x28 image (MNIST) gives the
    14x14 maps that the paper gets from 32x32. 61,706 parameters with the defaults.

    Parameters
    ----------
    num_classes : int, default 10
        Length of the logits.
    in_channels : int, default 1
        Channels of the image.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Against the paper: ReLU for tanh, max-pooling for the trained subsampling, a linear last layer
    for the radial basis functions, and a second convolution that sees all six maps. PyTorch's
    tutorials call its layers ``conv1, conv2, fc1, fc2, fc3``, and so do we.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner (1998), "Gradient-based learning applied to document
    recognition".

    Examples
    --------
    >>> from xpconv.models import LeNet5
    >>> LeNet5().num_parameters
    61706
    """

    def __init__(
        self, num_classes: int = 10, in_channels: int = 1, *, rng: Stream | None = None
    ) -> None:
        super().__init__(
            {
                "conv1": nn.Conv2d(in_channels, 6, 5, padding=2, rng=rng),
                "relu1": nn.ReLU(),
                "pool1": nn.MaxPool2d(2),
                "conv2": nn.Conv2d(6, 16, 5, rng=rng),
                "relu2": nn.ReLU(),
                "pool2": nn.MaxPool2d(2),
                "flatten": nn.Flatten(),
                "fc1": nn.Linear(16 * 5 * 5, 120, rng=rng),
                "relu3": nn.ReLU(),
                "fc2": nn.Linear(120, 84, rng=rng),
                "relu4": nn.ReLU(),
                "fc3": nn.Linear(84, num_classes, rng=rng),
            }
        )
