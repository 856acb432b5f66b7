"""Layers that resample, and that shuffle pixels and channels."""

from __future__ import annotations

from .. import ops
from .._typing import IntOrTuple
from ._stateless import Stateless

Scale = float | tuple[float, ...] | list[float] | None


class Upsample(Stateless):
    """Resample to another size; see `xpconv.ops.interpolate`.

    Parameters
    ----------
    size : int or tuple of int, optional
        Spatial size of the result.
    scale_factor : float or tuple of float, optional
        Or how many times as large the result is.
    mode : str, default "nearest"
        One of the modes of `xpconv.ops.interpolate`.
    align_corners, recompute_scale_factor : bool, optional
        As in `xpconv.ops.interpolate`.

    Notes
    -----
    Counterpart of ``torch.nn.Upsample``.
    """

    _op = staticmethod(ops.interpolate)

    def __init__(
        self,
        size: IntOrTuple | None = None,
        scale_factor: Scale = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        if isinstance(scale_factor, tuple | list):
            scale_factor = tuple(float(factor) for factor in scale_factor)
        elif scale_factor is not None:
            scale_factor = float(scale_factor)
        super().__init__(size, scale_factor, mode, align_corners, recompute_scale_factor)
        self._names = self._names[:-1]  # PyTorch's layer does not know antialias


class UpsamplingNearest2d(Upsample):
    """Enlarge images by repeating pixels: `Upsample` with ``mode="nearest"``.

    Parameters
    ----------
    size, scale_factor
        As in `Upsample`.
    """

    def __init__(self, size: IntOrTuple | None = None, scale_factor: Scale = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Enlarge images: `Upsample` with ``mode="bilinear"`` and ``align_corners=True``.

    Parameters
    ----------
    size, scale_factor
        As in `Upsample`.
    """

    def __init__(self, size: IntOrTuple | None = None, scale_factor: Scale = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class _Shuffle(Stateless):
    """Numbers move and none is computed."""

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class PixelShuffle(_Shuffle):
    """Lay r*r channels out as the pixels of images r times as large.

    Parameters
    ----------
    upscale_factor : int
        The factor r; see `xpconv.ops.pixel_shuffle`.
    """

    _op = staticmethod(ops.pixel_shuffle)


class PixelUnshuffle(_Shuffle):
    """Lay blocks of r*r pixels out as channels.

    Parameters
    ----------
    downscale_factor : int
        The factor r; see `xpconv.ops.pixel_unshuffle`.
    """

    _op = staticmethod(ops.pixel_unshuffle)


class ChannelShuffle(_Shuffle):
    """Deal the channels of every group out to all groups.

    Parameters
    ----------
    groups : int
        Number of groups; see `xpconv.ops.channel_shuffle`.
    """

    _op = staticmethod(ops.channel_shuffle)
