"""Residual networks of basic blocks, in the ImageNet and the CIFAR form."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from ..random import Stream

WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Sequential):
    r"""A residual network of basic blocks, with torchvision's keys.

    Parameters
    ----------
    blocks : sequence of four int
        Blocks in each of the four stages, of 64, 128, 256 and 512 channels.
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    cifar : bool, default False
        For images of about 32x32: a 3x3 first convolution of stride 1 and no pooling after it. By
        default it is the 7x7 convolution of stride 2 and the 3x3 max-pooling, for 224x224.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Raises
    ------
    ValueError
        When ``blocks`` does not name four stages of at least one block.

    Notes
    -----
    A block computes :math:`\mathrm{relu}(f(x) + s(x))` with two 3x3 convolutions in :math:`f`, and
    in :math:`s` nothing, or a 1x1 convolution where the shape changes. Convolutions start from He's
    normal initialisation by fan-out, as in torchvision.

    References
    ----------
    He, Zhang, Ren, Sun (2016), "Deep residual learning for image recognition".

    Examples
    --------
    >>> from xpconv.models import ResNet
    >>> list(ResNet((1, 1, 1, 1)).state_dict())[:2]
    ['conv1.weight', 'bn1.weight']
    """

    def __init__(
        self,
        blocks: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        cifar: bool = False,
        rng: Stream | None = None,
    ) -> None:
        if len(blocks) != len(WIDTHS) or min(blocks) < 1:
            raise ValueError(
                f"blocks names {len(WIDTHS)} stages of at least one block, got {tuple(blocks)}"
            )
        layers: dict[str, nn.Module] = {
            "conv1": _conv(in_channels, 64, 3 if cifar else 7, 1 if cifar else 2, rng),
            "bn1": nn.BatchNorm2d(64),
            "relu": nn.ReLU(),
        }
        if not cifar:
            layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
        channels = 64
        for stage, (width, count) in enumerate(zip(WIDTHS, blocks, strict=True), start=1):
            first = _basic_block(channels, width, 1 if stage == 1 else 2, rng)
            rest = [_basic_block(width, width, 1, rng) for _ in range(count - 1)]
            layers[f"layer{stage}"] = nn.Sequential(first, *rest)
            channels = width
        layers["avgpool"] = nn.GlobalAvgPool()
        layers["flatten"] = nn.Flatten()
        layers["fc"] = nn.Linear(channels, num_classes, rng=rng)
        super().__init__(layers)


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int, rng: Stream | None
) -> nn.Conv2d:
    """Make a convolution without bias that keeps the size, before its stride."""
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=False,
        rng=rng,
    )
    shape = tuple(conv.weight.shape)
    weight = nn.init.kaiming_normal(shape, mode="fan_out", nonlinearity="relu", rng=rng)
    conv.load_state_dict({"weight": weight})
    return conv


def _basic_block(in_channels: int, channels: int, stride: int, rng: Stream | None) -> nn.Graph:
    """Make the graph of one residual block: two convolutions and the way around them."""
    modules: dict[str, nn.Module] = {
        "conv1": _conv(in_channels, channels, 3, stride, rng),
        "bn1": nn.BatchNorm2d(channels),
        "relu1": nn.ReLU(),
        "conv2": _conv(channels, channels, 3, 1, rng),
        "bn2": nn.BatchNorm2d(channels),
    }
    x = h = nn.Input()
    for module in modules.values():
        h = module(h)
    shortcut = x
    if stride != 1 or in_channels != channels:
        modules["downsample"] = nn.Sequential(
            _conv(in_channels, channels, 1, stride, rng), nn.BatchNorm2d(channels)
        )
        shortcut = modules["downsample"](x)
    modules["add"] = nn.Add()
    modules["relu2"] = nn.ReLU()
    return nn.Graph(x, modules["relu2"](modules["add"](h, shortcut)), names=modules)


def resnet18(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    cifar: bool = False,
    rng: Stream | None = None,
) -> ResNet:
    """Build ResNet-18: four stages of two basic blocks.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    cifar : bool, default False
        The form for 32x32 images, see :class:`ResNet`.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Returns
    -------
    ResNet
        The network, with 11,689,512 parameters for the defaults and the keys of
        ``torchvision.models.resnet18``.

    Examples
    --------
    >>> from xpconv.models import resnet18
    >>> resnet18().num_parameters
    11689512
    """
    return ResNet((2, 2, 2, 2), num_classes, in_channels, cifar=cifar, rng=rng)


def resnet34(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    cifar: bool = False,
    rng: Stream | None = None,
) -> ResNet:
    """Build ResNet-34: stages of three, four, six and three basic blocks.

    Parameters
    ----------
    num_classes : int, default 1000
        Length of the logits.
    in_channels : int, default 3
        Channels of the image.
    cifar : bool, default False
        The form for 32x32 images, see :class:`ResNet`.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Returns
    -------
    ResNet
        The network, with 21,797,672 parameters for the defaults and the keys of
        ``torchvision.models.resnet34``.

    Examples
    --------
    >>> from xpconv.models import resnet34
    >>> resnet34().num_parameters
    21797672
    """
    return ResNet((3, 4, 6, 3), num_classes, in_channels, cifar=cifar, rng=rng)
