"""VGG networks for small images."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..random import Stream

SMALL = (32, 32, "M", 64, 64, "M", 128, 128, "M")


class VGG(nn.Sequential):
    """A stack of 3x3 convolutions and 2x2 max-pooling, averaged over space and classified.

    Parameters
    ----------
    config : sequence of int or "M"
        One entry a layer: the output channels of a convolution, or ``"M"`` for max-pooling.
    num_classes : int, default 10
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    batch_norm : bool, default True
        Normalise after each convolution; the convolutions then have no bias of their own.
    dropout : float, default 0.0
        Probability of zeroing a feature before the classifier.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When an entry of ``config`` is neither a positive number nor ``"M"``, or no entry is a
        convolution.

    Notes
    -----
    Keys are ``features.N`` as in torchvision and ``classifier.1`` for the linear layer. Averaging
    over space, where torchvision flattens 7x7 maps into two layers of 4096, lets the network take
    any image that survives its pooling, and leaves it a hundredth of the parameters.

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
        rng: Stream | None = None,
    ) -> None:
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
            features.append(nn.Conv2d(channels, entry, 3, padding=1, bias=not batch_norm, rng=rng))
            if batch_norm:
                features.append(nn.BatchNorm2d(entry))
            features.append(nn.ReLU())
            channels = entry
        if not any(isinstance(layer, nn.Conv2d) for layer in features):
            raise ValueError(f"config needs at least one convolution, got {tuple(config)}")
        super().__init__(
            {
                "features": nn.Sequential(*features),
                "avgpool": nn.GlobalAvgPool(),
                "flatten": nn.Flatten(),
                "classifier": nn.Sequential(
                    nn.Dropout(dropout), nn.Linear(channels, num_classes, rng=rng)
                ),
            }
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
