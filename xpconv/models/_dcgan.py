"""The generator and the discriminator of DCGAN."""

from __future__ import annotations

from functools import partial

from .. import nn
from ..random import Stream
from ._blocks import initialise


class DCGANGenerator(nn.Sequential):
    """Make images of 64x64 from noise, with the keys of PyTorch's DCGAN example.

    Five transposed convolutions from (N, latent, 1, 1), with batch normalisation and ReLU, tanh at
    the end. 3,576,704 parameters with the defaults.

    Parameters
    ----------
    latent : int, default 100
        Channels of the noise.
    out_channels : int, default 3
        Channels of the image.
    width : int, default 64
        Channels before the last layer; eight times as many after the first.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Weights start from a normal distribution of deviation 0.02, those of the normalisation around 1.

    References
    ----------
    Radford, Metz, Chintala (2016), "Unsupervised representation learning with deep convolutional
    generative adversarial networks".
    """

    def __init__(
        self,
        latent: int = 100,
        out_channels: int = 3,
        width: int = 64,
        *,
        rng: Stream | None = None,
    ) -> None:
        conv = partial(nn.ConvTranspose2d, kernel_size=4, bias=False, rng=rng)
        channels = latent
        layers: list[nn.Module] = []
        for i, factor in enumerate((8, 4, 2, 1)):
            out = width * factor
            stride, padding = (1, 0) if i == 0 else (2, 1)
            layers += [
                conv(channels, out, stride=stride, padding=padding),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            channels = out
        layers += [conv(channels, out_channels, stride=2, padding=1), nn.Tanh()]
        super().__init__({"main": nn.Sequential(*layers)})
        _begin(self, rng)


class DCGANDiscriminator(nn.Sequential):
    """Tell images of 64x64 from made ones, with the keys of PyTorch's DCGAN example.

    Five convolutions, with batch normalisation and leaky ReLU; the result is the probability that
    an image is real, of shape (N,). 2,765,568 parameters with the defaults.

    Parameters
    ----------
    in_channels : int, default 3
        Channels of the image.
    width : int, default 64
        Channels after the first layer; eight times as many before the last.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Weights start as in `DCGANGenerator`.

    References
    ----------
    As for `DCGANGenerator`.
    """

    def __init__(self, in_channels: int = 3, width: int = 64, *, rng: Stream | None = None) -> None:
        conv = partial(nn.Conv2d, kernel_size=4, bias=False, rng=rng)
        layers: list[nn.Module] = [
            conv(in_channels, width, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for factor in (1, 2, 4):
            layers += [
                conv(width * factor, 2 * width * factor, stride=2, padding=1),
                nn.BatchNorm2d(2 * width * factor),
                nn.LeakyReLU(0.2),
            ]
        layers += [conv(8 * width, 1), nn.Sigmoid()]
        super().__init__({"main": nn.Sequential(*layers), "flatten": nn.Flatten(0)})
        _begin(self, rng)


def _begin(model: nn.Module, rng: Stream | None) -> None:
    draw = partial(nn.init.normal, std=0.02, rng=rng)
    norm = partial(nn.init.normal, mean=1.0, std=0.02, rng=rng)
    initialise(model, {nn.Conv2d: draw, nn.ConvTranspose2d: draw, nn.BatchNorm2d: norm})


def dcgan_generator(
    latent: int = 100, out_channels: int = 3, width: int = 64, *, rng: Stream | None = None
) -> DCGANGenerator:
    """Build a `DCGANGenerator`, whose arguments these are."""
    return DCGANGenerator(latent, out_channels, width, rng=rng)


def dcgan_discriminator(
    in_channels: int = 3, width: int = 64, *, rng: Stream | None = None
) -> DCGANDiscriminator:
    """Build a `DCGANDiscriminator`, whose arguments these are."""
    return DCGANDiscriminator(in_channels, width, rng=rng)
