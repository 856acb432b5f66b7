"""VGG networks, the paper's and one for small images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .. import nn
from ..random import Stream
from ._blocks import initialise

SMALL = (32, 32, "M", 64, 64, "M", 128, 128, "M")

# convolutions in each of the paper's five stages
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Sequential):
    """A stack of 3x3 convolutions and 2x2 max-pooling, and a classifier, with torchvision's keys.

    Parameters
    ----------
    config : sequence of int or "M"
        One entry a layer: the output channels of a convolution, or ``"M"`` for max-pooling.
    num_classes : int, default 10
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    batch_norm : bool, default True
        Normalise after each convolution. Without hidden layers the convolutions then have no bias
        of their own.
    dropout : float, default 0.0
        Probability of zeroing a feature before the classifier, or after its hidden layers.
    hidden : int, default 0, keyword-only
        Width of two hidden linear layers over maps averaged to 7x7, as in the paper. With 0 the
        classifier is one linear layer over the channels' means.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When an entry of ``config`` is neither a positive number nor ``"M"``, or no entry is a
        convolution.

    Notes
    -----
    Averaging over all of space, where the paper flattens 7x7 maps into two layers of 4096, leaves a
    hundredth of the parameters. The linear layer is then ``classifier.1``. With hidden layers the
    weights start as in torchvision: convolutions from He's normal initialisation by fan-out, linear
    layers from a normal distribution of deviation 0.01.

    References
    ----------
    Simonyan, Zisserman (2015), "Very deep convolutional networks for large-scale image
    recognition".

    Examples
    --------
    >>> from xpconv.models import VGG
    >>> VGG((8, "M", 16), in_channels=1).num_parameters
    1442
    """

    def __init__(
        self,
        config: Sequence[int | str],
        num_classes: int = 10,
        in_channels: int = 3,
        *,
        batch_norm: bool = True,
        dropout: float = 0.0,
        hidden: int = 0,
        rng: Stream | None = None,
    ) -> None:
        bias = not batch_norm or hidden > 0
        features: list[nn.Module] = []
        channels = in_channels
        for entry in config:
            if entry == "M":
                features.append(nn.MaxPool2d(2))
                continue
            if not isinstance(entry, int) or entry < 1:
                raise ValueError(
                    f"config takes numbers of channels and 'M' for max-pooling, got {entry!r}"
                )
            features.append(nn.Conv2d(channels, entry, 3, padding=1, bias=bias, rng=rng))
            if batch_norm:
                features.append(nn.BatchNorm2d(entry))
            features.append(nn.ReLU())
            channels = entry
        if not any(isinstance(layer, nn.Conv2d) for layer in features):
            raise ValueError(f"config needs at least one convolution, got {tuple(config)}")
        head = _hidden(channels, hidden, num_classes, dropout, rng) if hidden else None
        super().__init__(
            {
                "features": nn.Sequential(*features),
                "avgpool": nn.GlobalAvgPool() if head is None else nn.AdaptiveAvgPool2d(7),
                "flatten": nn.Flatten(),
                "classifier": head
                or nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes, rng=rng)),
            }
        )
        if hidden:
            initialise(
                self,
                {
                    nn.Conv2d: partial(nn.init.kaiming_normal, mode="fan_out", rng=rng),
                    nn.Linear: partial(nn.init.normal, std=0.01, rng=rng),
                },
            )


def _hidden(
    channels: int, hidden: int, num_classes: int, dropout: float, rng: Stream | None
) -> nn.Sequential:
    """Make the paper's classifier."""
    return nn.Sequential(
        nn.Linear(channels * 7 * 7, hidden, rng=rng),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden, rng=rng),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, num_classes, rng=rng),
    )


def small_vgg(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    dropout: float = 0.3,
    rng: Stream | None = None,
) -> VGG:
    """Build a VGG of six convolutions with batch norm for 32x32 images.

    Parameters
    ----------
    num_classes : int, default 10
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    dropout : float, default 0.3
        Probability of zeroing a feature before the classifier.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Returns
    -------
    VGG
        The network, with 288,746 parameters for the defaults.

    Examples
    --------
    >>> from xpconv.models import small_vgg
    >>> small_vgg().num_parameters
    288746
    """
    return VGG(SMALL, num_classes, in_channels, dropout=dropout, rng=rng)


def _paper(
    depth: int,
    num_classes: int,
    in_channels: int,
    options: dict[str, Any],
    batch_norm: bool = False,
) -> VGG:
    """Build one of the paper's networks by its number of layers."""
    config: list[int | str] = []
    for width, count in zip(WIDTHS, STAGES[depth], strict=True):
        config += [*[width] * count, "M"]
    own = {"batch_norm": batch_norm, "dropout": 0.5, "hidden": 4096}
    return VGG(config, num_classes, in_channels, **(own | options))


def vgg11(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-11: 132,863,336 parameters. Options are those of `VGG`."""
    return _paper(11, num_classes, in_channels, options)


def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-11 with batch normalisation: 132,868,840 parameters. Options are those of `VGG`."""
    return _paper(11, num_classes, in_channels, options, batch_norm=True)


def vgg13(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-13: 133,047,848 parameters. Options are those of `VGG`."""
    return _paper(13, num_classes, in_channels, options)


def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-13 with batch normalisation: 133,053,736 parameters. Options are those of `VGG`."""
    return _paper(13, num_classes, in_channels, options, batch_norm=True)


def vgg16(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-16: 138,357,544 parameters. Options are those of `VGG`."""
    return _paper(16, num_classes, in_channels, options)


def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-16 with batch normalisation: 138,365,992 parameters. Options are those of `VGG`."""
    return _paper(16, num_classes, in_channels, options, batch_norm=True)


def vgg19(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-19: 143,667,240 parameters. Options are those of `VGG`."""
    return _paper(19, num_classes, in_channels, options)


def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, **options: Any) -> VGG:
    """Build VGG-19 with batch normalisation: 143,678,248 parameters. Options are those of `VGG`."""
    return _paper(19, num_classes, in_channels, options, batch_norm=True)
