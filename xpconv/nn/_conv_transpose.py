"""Transposed convolution layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from .._shapes import ntuple, padding_pairs, transposed_sizes
from .._typing import Array, IntOrTuple, Padding
from ..random import Stream
from ._conv import Convolution
from ._module import Backward


class _ConvTranspose(Convolution):
    """Transposed convolution layers of every dimension."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrTuple,
        stride: IntOrTuple = 1,
        padding: Padding = 0,
        output_padding: IntOrTuple = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrTuple = 1,
        padding_mode: str = "zeros",
        *,
        rng: Stream | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                "only padding_mode='zeros' is supported for transposed convolutions, "
                f"got {padding_mode!r}"
            )
        if isinstance(padding, str):
            raise TypeError(f"padding of a transposed convolution must be numbers, got {padding!r}")
        self._keep(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.output_padding = ntuple(output_padding, self._n, "output_padding", minimum=0)
        self.padding_mode = padding_mode
        shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        self._draw(shape, bias, rng)

    @property
    def _options(self) -> dict[str, Any]:
        return super()._options | {"output_padding": self.output_padding}

    def forward(
        self, x: Array, training: bool = False, output_size: IntOrTuple | None = None
    ) -> tuple[Array, Backward]:
        return self._compute(x, **self._sized(x, output_size))

    def infer(self, x: Array, output_size: IntOrTuple | None = None) -> Array:
        return type(self)._op(x, self.weight, self.bias, **self._sized(x, output_size))

    def __call__(self, x: Any, output_size: IntOrTuple | None = None) -> Any:
        """Infer; of the sizes that the stride leaves open, ``output_size`` picks one."""
        return (
            super().__call__(x) if output_size is None else self.infer(x, output_size=output_size)
        )

    def _sized(self, x: Array, output_size: IntOrTuple | None) -> dict[str, Any]:
        """Options of a call, ``output_padding`` being what the wanted output size needs."""
        if output_size is None:
            return self._options
        n = self._n
        if isinstance(output_size, Sequence) and len(output_size) == x.ndim:
            output_size = output_size[x.ndim - n :]
        sizes = ntuple(output_size, n, "output_size")
        least = transposed_sizes(
            x.shape[x.ndim - n :],
            self.kernel_size,
            self.stride,
            padding_pairs(self.padding, self.kernel_size, self.stride, self.dilation),
            self.dilation,
            (0,) * n,
        )
        extra = tuple(size - low for size, low in zip(sizes, least, strict=True))
        if any(e < 0 or e >= s for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(low + s - 1 for low, s in zip(least, self.stride, strict=True))
            raise ValueError(
                f"requested an output size of {sizes}, but valid sizes range from {least} to "
                f"{most} for an input of shape {tuple(x.shape)}"
            )
        return self._options | {"output_padding": extra}

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        window = math.prod(self.kernel_size) * self.out_channels // self.groups
        bias = math.prod(output_shape) if self.bias is not None else 0
        return 2 * math.prod(input_shapes[0]) * window + bias


class ConvTranspose1d(_ConvTranspose):
    """Spread signals (N, C, L) with kernels: `ConvTranspose2d` with one spatial dimension.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
        As in `ConvTranspose2d`.
    padding_mode : {"zeros"}
        As in `ConvTranspose2d`.
    rng : Stream, optional
        As in `ConvTranspose2d`.
    """

    _n = 1
    _op = staticmethod(ops.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Spread images (N, C, H, W) with kernels; see `xpconv.ops.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size : int or (int, int)
        KH and KW.
    stride, padding, output_padding, groups, dilation
        As in `xpconv.ops.conv_transpose2d`.
    bias : bool, default True
        Whether to learn one number per output channel.
    padding_mode : {"zeros"}
        There is no other.
    rng : Stream, optional
        Source of the initial weights; by default the current stream.

    Attributes
    ----------
    weight : array, shape (in_channels, out_channels/groups, KH, KW)
        Kernels, drawn as PyTorch draws them: uniform in ±1/sqrt(KH * KW * out_channels/groups).
    bias : array, shape (out_channels,), or None
        Drawn likewise.

    Notes
    -----
    With a stride, images of several sizes have the same size after a `Conv2d`. Which of them comes
    back is said by ``output_padding``, or in a call: ``layer(x, output_size=(11, 12))``, where the
    size may stand for the spatial dimensions or for all. Counterpart of
    ``torch.nn.ConvTranspose2d``.

    Examples
    --------
    >>> from xpconv import get_backend, nn
    >>> x = get_backend("numpy").xp.zeros((1, 3, 12, 11), dtype="float32")
    >>> half = nn.Conv2d(3, 8, 3, stride=2, padding=1)(x)
    >>> layer = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> half.shape, layer(half).shape, layer(half, output_size=x.shape).shape
    ((1, 8, 6, 6), (1, 3, 11, 11), (1, 3, 12, 11))
    """

    _n = 2
    _op = staticmethod(ops.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Spread volumes (N, C, D, H, W) with kernels: `ConvTranspose2d` in three dimensions.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
        As in `ConvTranspose2d`.
    padding_mode : {"zeros"}
        As in `ConvTranspose2d`.
    rng : Stream, optional
        As in `ConvTranspose2d`.
    """

    _n = 3
    _op = staticmethod(ops.conv_transpose3d)
