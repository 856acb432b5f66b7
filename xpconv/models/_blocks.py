"""What the networks are made of, and how their weights begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import nn
from .._typing import Array, IntOrTuple
from ..random import Stream

Draw = Callable[[tuple[int, ...]], Array]
"""Makes initial values of a shape."""


class Conv2dNormActivation(nn.Sequential):
    """A convolution, its normalisation and its activation.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size : int or (int, int), default 3
        KH and KW, odd.
    stride, groups : int, default 1
        As in `xpconv.nn.Conv2d`. The padding keeps the size, before the stride.
    norm_layer : callable, optional
        Makes a normalisation of O channels; the convolution then has no bias.
    activation_layer : callable, optional
        Makes the activation; None leaves it out.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Counterpart of ``torchvision.ops.Conv2dNormActivation``, with its keys ``0`` and ``1``.

    Examples
    --------
    >>> from xpconv.models import Conv2dNormActivation
    >>> list(Conv2dNormActivation(3, 8).state_dict())[:3]
    ['0.weight', '1.weight', '1.bias']
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple = 3,
        stride: int = 1,
        groups: int = 1,
        norm_layer: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
        activation_layer: Callable[[], nn.Module] | None = nn.ReLU,
        *,
        rng: Stream | None = None,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=_half(kernel_size),
                groups=groups,
                bias=norm_layer is None,
                rng=rng,
            )
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer())
        super().__init__(*layers)


class DepthwiseSeparable(nn.Sequential):
    """A convolution of each channel for itself, then one that mixes the channels.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size : int or (int, int), default 3
        Window of the depthwise convolution, odd.
    stride : int, default 1
        Stride of the depthwise convolution.
    norm_layer, activation_layer : callable
        Follow both convolutions, as in `Conv2dNormActivation`.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    The block of MobileNet: :math:`K^2 C + C O` weights where a full convolution has
    :math:`K^2 C O`.

    References
    ----------
    Howard et al. (2017), "MobileNets: efficient convolutional neural networks for mobile vision
    applications".

    Examples
    --------
    >>> from xpconv.models import DepthwiseSeparable
    >>> DepthwiseSeparable(32, 64).num_parameters, 9 * 32 * 64
    (2528, 18432)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple = 3,
        stride: int = 1,
        norm_layer: Callable[[int], nn.Module] | None = nn.BatchNorm2d,
        activation_layer: Callable[[], nn.Module] | None = nn.ReLU,
        *,
        rng: Stream | None = None,
    ) -> None:
        follow: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": activation_layer}
        super().__init__(
            {
                "depthwise": Conv2dNormActivation(
                    in_channels, in_channels, kernel_size, stride, in_channels, **follow, rng=rng
                ),
                "pointwise": Conv2dNormActivation(in_channels, out_channels, 1, **follow, rng=rng),
            }
        )


class SqueezeExcitation(nn.Graph):
    """Weigh the channels of an image by gates computed from their means.

    Parameters
    ----------
    input_channels : int
        C.
    squeeze_channels : int
        Width of the layer between the means and the gates.
    activation : callable, optional
        Makes the activation between the two layers.
    scale_activation : callable, optional
        Makes the activation of the gates.
    rng : Stream, optional, keyword-only
        Where the initial weights come from; the current stream by default.

    Notes
    -----
    Counterpart of ``torchvision.ops.SqueezeExcitation``, with its keys ``fc1`` and ``fc2``.

    References
    ----------
    Hu, Shen, Sun (2018), "Squeeze-and-excitation networks".

    Examples
    --------
    >>> from xpconv.models import SqueezeExcitation
    >>> list(SqueezeExcitation(16, 4).state_dict())
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        scale_activation: Callable[[], nn.Module] = nn.Sigmoid,
        *,
        rng: Stream | None = None,
    ) -> None:
        gates: dict[str, nn.Module] = {
            "avgpool": nn.GlobalAvgPool(),
            "fc1": nn.Conv2d(input_channels, squeeze_channels, 1, rng=rng),
            "activation": activation(),
            "fc2": nn.Conv2d(squeeze_channels, input_channels, 1, rng=rng),
            "scale_activation": scale_activation(),
        }
        x = nn.Input()
        super().__init__(x, nn.Multiply()(chain(x, gates.values()), x), names=gates)


def chain(x: Any, layers: Iterable[nn.Module]) -> Any:
    """Call layers one after the other on a symbolic value."""
    for layer in layers:
        x = layer(x)
    return x


def around(name: str, body: nn.Module, skip: bool, drop: float = 0.0) -> nn.Module:
    """Put a body under a name and, where the shape is kept, add its input to what it computes.

    ``drop`` is the probability of leaving out the body of a sample while training.
    """
    if not skip:
        return nn.Sequential({name: body})
    layers = {name: body} | ({"stochastic_depth": nn.StochasticDepth(drop, "row")} if drop else {})
    x = nn.Input()
    return nn.Graph(x, nn.Add()(chain(x, layers.values()), x), names=layers)


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round a number of channels to a multiple, at most a tenth down."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def initialise(
    model: nn.Module, draws: Mapping[type[nn.Module], Draw | None], *, zero_bias: bool = True
) -> None:
    """Draw the weights of some kinds of layers anew, and set their biases to zero.

    Where there is nothing to draw with, weights stay as they are.
    """
    for _, layer in model.named_modules():
        if type(layer) not in draws:
            continue
        draw, new = draws[type(layer)], {}
        shapes = {key: tuple(array.shape) for key, array in layer.state_dict().items()}
        if draw is not None:
            new["weight"] = draw(shapes["weight"])
        if zero_bias and "bias" in shapes:
            new["bias"] = nn.init.constant(shapes["bias"], 0.0)
        layer.load_state_dict(new, strict=False)


def _half(kernel_size: IntOrTuple) -> IntOrTuple:
    """Return the padding that keeps the size."""
    if isinstance(kernel_size, int):
        return kernel_size // 2
    return tuple(size // 2 for size in kernel_size)
