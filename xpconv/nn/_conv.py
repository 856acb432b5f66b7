"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from .. import ops
from .._shapes import ntuple, padding_pairs
from .._typing import Array, IntOrTuple, Padding
from ..ops._registry import rectified_vjp
from ..random import Stream
from ._born import born
from ._module import Backward, Grads, Module
from ._way_back import WayBack, Wish, go_back
from .init import kaiming_uniform, uniform

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Module):
    """What convolution layers of every dimension and direction share."""

    _n: ClassVar[int]
    _op: ClassVar[Callable[..., Array]]

    weight: Array
    bias: Array | None

    def _keep(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple,
        padding: Padding,
        dilation: IntOrTuple,
        groups: int,
    ) -> None:
        """Check the options and keep them under PyTorch's names."""
        (in_channels,) = ntuple(in_channels, 1, "in_channels", minimum=1)
        (out_channels,) = ntuple(out_channels, 1, "out_channels", minimum=1)
        (groups,) = ntuple(groups, 1, "groups", minimum=1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} must be divisible by groups, got {channels} and {groups}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = ntuple(kernel_size, self._n, "kernel_size", minimum=1)
        self.stride = ntuple(stride, self._n, "stride", minimum=1)
        self.dilation = ntuple(dilation, self._n, "dilation", minimum=1)
        padding_pairs(padding, self.kernel_size, self.stride, self.dilation)  # refuses nonsense
        self.padding = padding

    def _draw(self, shape: tuple[int, ...], bias: bool, rng: Stream | None) -> None:
        """Draw as PyTorch does: uniform in 1 / sqrt(fan in), for weights and biases alike."""
        self.weight = born(kaiming_uniform(shape, a=math.sqrt(5), rng=rng))
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        biases = (self.out_channels,)
        self.bias = born(uniform(biases, -bound, bound, rng=rng)) if bias else None

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def _compute(
        self, x: Array, vjp: Callable[..., Any] = ops.vjp, **options: Any
    ) -> tuple[Array, Backward]:
        y, pullback = vjp(type(self)._op, x, self.weight, self.bias, **options)

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array, Grads]:
            dx, dweight, dbias = pullback(dy, input_grad=wish.input_grad)
            return dx, {"weight": dweight} if dbias is None else {"weight": dweight, "bias": dbias}

        return y, backward

    def _describe(self) -> str:
        options = {k: v for k, v in self._options.items() if v not in _DEFAULTS[k](self._n)}
        named = "".join(f", {k}={v}" for k, v in options.items())
        bias = "" if self.bias is not None else ", bias=False"
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}{named}{bias}"
        )


_DEFAULTS: dict[str, Callable[[int], tuple[Any, ...]]] = {
    "stride": lambda n: ((1,) * n,),
    "padding": lambda n: (0,),
    "output_padding": lambda n: ((0,) * n,),
    "dilation": lambda n: ((1,) * n,),
    "groups": lambda n: (1,),
}


class _Conv(Convolution):
    """Convolution layers of every dimension."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple = 1,
        padding: Padding = 0,
        dilation: IntOrTuple = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rng: Stream | None = None,
    ) -> None:
        self._keep(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {PADDING_MODES}, got {padding_mode!r}")
        self.padding_mode = padding_mode
        self._draw(
            (self.out_channels, self.in_channels // self.groups, *self.kernel_size), bias, rng
        )

    def _amounts(self) -> tuple[int, ...]:
        """Amounts for `xpconv.ops.pad`, which begin with the last dimension."""
        pairs = padding_pairs(self.padding, self.kernel_size, self.stride, self.dilation)
        return tuple(amount for pair in reversed(pairs) for amount in pair)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        return self._by(ops.vjp, x)

    def _rectified(self, x: Array, training: bool, activation: str) -> tuple[Array, Backward]:
        """Do what ``forward`` does, with one of the `ACTIVATIONS` after it."""
        return self._by(partial(rectified_vjp, activation), x)

    def _by(self, vjp: Callable[..., Any], x: Array) -> tuple[Array, Backward]:
        if self.padding_mode == "zeros":
            return self._compute(x, vjp, **self._options)
        padded, unpad = ops.vjp(ops.pad, x, self._amounts(), self.padding_mode)
        y, inner = self._compute(padded, vjp, **(self._options | {"padding": 0}))

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array, Grads]:
            dpadded, grads = go_back(inner, dy, wish)
            return unpad(dpadded)[0] if wish.input_grad else None, grads

        return y, backward

    def infer(self, x: Array) -> Array:
        options = self._options
        if self.padding_mode != "zeros":
            x, options["padding"] = ops.pad(x, self._amounts(), self.padding_mode), 0
        return type(self)._op(x, self.weight, self.bias, **options)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        window = math.prod(self.kernel_size) * self.in_channels // self.groups
        return math.prod(output_shape) * (2 * window + (self.bias is not None))

    def _describe(self) -> str:
        mode = "" if self.padding_mode == "zeros" else f", padding_mode={self.padding_mode}"
        return super()._describe() + mode


class Conv1d(_Conv):
    """Slide kernels over signals (N, C, L): `Conv2d` with one spatial dimension.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As in `Conv2d`.
    rng : Stream, optional
        As in `Conv2d`.
    """

    _n = 1
    _op = staticmethod(ops.conv1d)


class Conv2d(_Conv):
    """Slide kernels over images (N, C, H, W); see `xpconv.ops.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size : int or (int, int)
        KH and KW.
    stride, padding, dilation, groups
        As in `xpconv.ops.conv2d`.
    bias : bool, default True
        Whether to learn one number per output channel.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}, default "zeros"
        What stands around the image; see `xpconv.ops.pad`.
    rng : Stream, optional
        Source of the initial weights; by default the current stream.

    Attributes
    ----------
    weight : array, shape (out_channels, in_channels/groups, KH, KW)
        Kernels, drawn as PyTorch draws them: uniform in ±1/sqrt(fan in).
    bias : array, shape (out_channels,), or None
        Drawn likewise.

    Notes
    -----
    Counterpart of ``torch.nn.Conv2d``.

    Examples
    --------
    >>> from xpconv import get_backend, nn
    >>> layer = nn.Conv2d(1, 6, 5, padding=2)
    >>> x = get_backend("numpy").xp.zeros((2, 1, 28, 28), dtype="float32")
    >>> y, backward = layer.forward(x, training=True)
    >>> dx, grads = backward(y)
    >>> y.shape, dx.shape, sorted(grads)
    ((2, 6, 28, 28), (2, 1, 28, 28), ['bias', 'weight'])
    """

    _n = 2
    _op = staticmethod(ops.conv2d)


class Conv3d(_Conv):
    """Slide kernels over volumes (N, C, D, H, W): `Conv2d` with three spatial dimensions.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As in `Conv2d`.
    rng : Stream, optional
        As in `Conv2d`.
    """

    _n = 3
    _op = staticmethod(ops.conv3d)
