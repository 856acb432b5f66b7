"""U-Net."""

from __future__ import annotations

from typing import Any

from .. import nn, ops
from .._typing import Array
from ..random import Stream


class UNet(nn.Graph):
    """Segment images: a way down, a way up, and at each size a way across.

    At each of ``depth`` steps down, 2x2 max-pooling halves the size and two 3x3 convolutions, each
    with batch normalisation and ReLU, double the channels; each step up doubles the size, joins the
    map to the one of the way down, and halves the channels. 31,037,698 parameters with the
    defaults.

    Parameters
    ----------
    num_classes : int, default 2
        Channels of the result (N, num_classes, H, W).
    in_channels : int, default 3
        Channels of the image.
    bilinear : bool, default False
        Double the size by interpolation in place of a 2x2 transposed convolution.
    depth : int, default 4, keyword-only
        Steps down and up.
    width : int, default 64, keyword-only
        Channels before the first step.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When ``depth`` is less than 1.

    Notes
    -----
    Against the paper: batch normalisation, and convolutions that keep the size, so that the result
    is as large as the image. Any image of at least 2**depth pixels a side will do: where halving
    has dropped a row or a column, the map on the way up is padded with zeros at its end.

    The keys are those of the widely used milesial/Pytorch-UNet (``inc.double_conv.0.weight``,
    ``down1.maxpool_conv.1.double_conv.0.weight``, ``up1.up.weight``,
    ``up1.conv.double_conv.0.weight``, ``outc.conv.weight``), so its weights can be loaded.

    References
    ----------
    Ronneberger, Fischer, Brox (2015), "U-Net: convolutional networks for biomedical image
    segmentation".

    Examples
    --------
    >>> from xpconv import get_backend, models
    >>> model = models.UNet(num_classes=2, in_channels=1, depth=2, width=4)
    >>> model(get_backend("numpy").xp.zeros((1, 1, 21, 30), dtype="float32")).shape
    (1, 2, 21, 30)
    """

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 3,
        bilinear: bool = False,
        *,
        depth: int = 4,
        width: int = 64,
        rng: Stream | None = None,
    ) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        widths = [width * 2**i for i in range(depth + 1)]
        if bilinear:
            widths[-1] //= 2  # interpolation does not halve the channels
        x = nn.Input()
        layers: dict[str, nn.Module] = {"inc": _double(in_channels, width, width, rng)}
        h = layers["inc"](x)
        across = []
        for i in range(1, depth + 1):
            across.append(h)
            double = _double(widths[i - 1], widths[i], widths[i], rng)
            layers[f"down{i}"] = nn.Sequential(
                {"maxpool_conv": nn.Sequential(nn.MaxPool2d(2), double)}
            )
            h = layers[f"down{i}"](h)
        channels = widths[-1]
        for i in range(1, depth + 1):
            skip = widths[depth - i]
            out = skip // 2 if bilinear and i < depth else skip
            layers[f"up{i}"] = _up(channels, skip, out, bilinear, rng)
            h = layers[f"up{i}"](across.pop(), h)
            channels = out
        layers["outc"] = nn.Sequential({"conv": nn.Conv2d(channels, num_classes, 1, rng=rng)})
        super().__init__(x, layers["outc"](h), names=layers)


class JoinPadded(nn.Module):
    """Join two images along the channels, the second padded at its ends to the first's size."""

    def forward(self, x: Array, smaller: Array, training: bool = False) -> tuple[Array, Any]:
        padded, back = ops.vjp(ops.pad, smaller, _missing(x, smaller))
        y, split = ops.vjp(ops.concat, x, padded)

        def backward(dy: Array) -> tuple[tuple[Array, Array], dict[str, Array]]:
            dx, dpadded = split(dy)
            return (dx, back(dpadded)[0]), {}

        return y, backward

    def infer(self, x: Array, smaller: Array) -> Array:
        return ops.concat(x, ops.pad(smaller, _missing(x, smaller)))


def _missing(x: Array, smaller: Array) -> tuple[int, ...]:
    """Return what `xpconv.ops.pad` has to add: the last axis first, before and after."""
    (*_, height, width), (*_, low, narrow) = x.shape, smaller.shape
    return 0, width - narrow, 0, height - low


def _double(channels: int, inner: int, out: int, rng: Stream | None) -> nn.Sequential:
    """Make two convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for before, after in ((channels, inner), (inner, out)):
        conv = nn.Conv2d(before, after, 3, padding=1, bias=False, rng=rng)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential({"double_conv": nn.Sequential(*layers)})


def _up(channels: int, skip: int, out: int, bilinear: bool, rng: Stream | None) -> nn.Graph:
    """Make a step up: from the map across and the one below to their size together."""
    across, below = nn.Input(), nn.Input()
    layers: dict[str, nn.Module]
    if bilinear:
        layers = {"up": nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)}
        grown, inner = channels, (skip + channels) // 2
    else:
        layers = {"up": nn.ConvTranspose2d(channels, channels // 2, 2, stride=2, rng=rng)}
        grown, inner = channels // 2, out
    layers["conv"] = _double(skip + grown, inner, out, rng)
    h = layers["conv"](JoinPadded()(across, layers["up"](below)))
    return nn.Graph((across, below), h, names=layers)


def unet(num_classes: int = 2, in_channels: int = 3, **options: Any) -> UNet:
    """Build U-Net: 31,037,698 parameters. Options are those of `UNet`."""
    return UNet(num_classes, in_channels, **options)
