"""Convolution layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from .._shapes import ntuple, padding_pairs
from .._typing import Array, IntOrTuple, Padding
from ..random import Stream
from ._born import born
from ._module import Backward, Module
from .init import kaiming_uniform, uniform


class _Conv(Module):
    """What convolution layers of every dimension share."""

    _n: ClassVar[int]
    _op: ClassVar[Callable[..., Array]]

    weight: Array
    bias: Array | None

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
        (in_channels,) = ntuple(in_channels, 1, "in_channels", minimum=1)
        (out_channels,) = ntuple(out_channels, 1, "out_channels", minimum=1)
        (groups,) = ntuple(groups, 1, "groups", minimum=1)
        if in_channels % groups:
            raise ValueError(
                f"in_channels must be divisible by groups, got {in_channels} and {groups}"
            )
        if out_channels % groups:
            raise ValueError(
                f"out_channels must be divisible by groups, got {out_channels} and {groups}"
            )
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros', got {padding_mode!r}")
        n = self._n
        kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.groups = kernel, groups
        self.stride = ntuple(stride, n, "stride", minimum=1)
        self.dilation = ntuple(dilation, n, "dilation", minimum=1)
        padding_pairs(padding, kernel, self.stride, self.dilation)  # refuses what cannot work
        self.padding = padding
        self.padding_mode = padding_mode
        shape = (out_channels, in_channels // groups, *kernel)
        # PyTorch's default: uniform in 1 / sqrt(fan in), for weights and biases alike.
        self.weight = born(kaiming_uniform(shape, a=math.sqrt(5), rng=rng))
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.bias = born(uniform((out_channels,), -bound, bound, rng=rng)) if bias else None

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(type(self)._op, x, self.weight, self.bias, **self._options)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight, dbias = pullback(dy)
            return dx, {"weight": dweight} if dbias is None else {"weight": dweight, "bias": dbias}

        return y, backward

    def infer(self, x: Array) -> Array:
        return type(self)._op(x, self.weight, self.bias, **self._options)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        window = math.prod(self.kernel_size) * self.in_channels // self.groups
        return math.prod(output_shape) * (2 * window + (self.bias is not None))

    def _describe(self) -> str:
        options = {k: v for k, v in self._options.items() if v != _DEFAULTS[k](self._n)}
        named = "".join(f", {k}={v}" for k, v in options.items())
        bias = "" if self.bias is not None else ", bias=False"
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}{named}{bias}"
        )


_DEFAULTS: dict[str, Callable[[int], Any]] = {
    "stride": lambda n: (1,) * n,
    "padding": lambda n: 0,
    "dilation": lambda n: (1,) * n,
    "groups": lambda n: 1,
}


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
    padding_mode : {"zeros"}
        What stands around the image.
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
