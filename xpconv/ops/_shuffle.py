"""Shuffles: pixels from and to channels, and channels among groups."""

from __future__ import annotations

from .._arrays import namespace
from .._shapes import positive
from .._typing import Array, Pullback
from ._registry import differentiable


def _image(x: Array) -> tuple[tuple[int, ...], int, int, int]:
    """The leading dimensions, channels, height and width of (..., C, H, W)."""
    if x.ndim < 3:
        raise ValueError(f"x must have at least 3 axes (..., C, H, W), got shape {tuple(x.shape)}")
    *lead, channels, height, width = x.shape
    return tuple(lead), channels, height, width


def _pixel_shuffle_vjp(x: Array, upscale_factor: int) -> tuple[Array, Pullback]:
    y = pixel_shuffle(x, upscale_factor)
    return y, lambda dy: (pixel_unshuffle(dy, upscale_factor),)


@differentiable(_pixel_shuffle_vjp)
def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """Lay r*r channels out as the pixels of images r times as large.

    Parameters
    ----------
    x : array, shape (..., C*r*r, H, W)
        Images of any dtype, with any number of leading dimensions.
    upscale_factor : int
        The factor r.

    Returns
    -------
    array, shape (..., C, H*r, W*r)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If the channels are not divisible by r*r.

    Notes
    -----
    From Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
    Convolutional Neural Network (2016). Counterpart of ``torch.nn.functional.pixel_shuffle``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1, 5]], [[2, 6]], [[3, 7]], [[4, 8]]])
    >>> pixel_shuffle(x, 2)
    array([[[1, 2, 5, 6],
            [3, 4, 7, 8]]])
    """
    xp = namespace(x=x)
    r = positive(upscale_factor, "upscale_factor")
    lead, channels, height, width = _image(x)
    if channels % (r * r):
        raise ValueError(
            f"the channels must be divisible by the square of upscale_factor: {channels} channels "
            f"of x {tuple(x.shape)} are not divisible by {r * r}"
        )
    n, kept = len(lead), channels // (r * r)
    y = xp.reshape(x, (*lead, kept, r, r, height, width))
    # (..., C, r, r, H, W) -> (..., C, H, r, W, r)
    y = xp.permute_dims(y, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return xp.reshape(y, (*lead, kept, height * r, width * r))


def _pixel_unshuffle_vjp(x: Array, downscale_factor: int) -> tuple[Array, Pullback]:
    y = pixel_unshuffle(x, downscale_factor)
    return y, lambda dy: (pixel_shuffle(dy, downscale_factor),)


@differentiable(_pixel_unshuffle_vjp)
def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Lay blocks of r*r pixels out as channels: `pixel_shuffle` undone.

    Parameters
    ----------
    x : array, shape (..., C, H*r, W*r)
        Images of any dtype, with any number of leading dimensions.
    downscale_factor : int
        The factor r.

    Returns
    -------
    array, shape (..., C*r*r, H, W)
        In the dtype of ``x``. Counterpart of ``torch.nn.functional.pixel_unshuffle``.

    Raises
    ------
    ValueError
        If height or width are not divisible by r.
    """
    xp = namespace(x=x)
    r = positive(downscale_factor, "downscale_factor")
    lead, channels, height, width = _image(x)
    if height % r or width % r:
        raise ValueError(
            f"height and width must be divisible by downscale_factor={r}, got {height} x {width} "
            f"in x {tuple(x.shape)}"
        )
    n = len(lead)
    y = xp.reshape(x, (*lead, channels, height // r, r, width // r, r))
    # (..., C, H, r, W, r) -> (..., C, r, r, H, W)
    y = xp.permute_dims(y, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return xp.reshape(y, (*lead, channels * r * r, height // r, width // r))


def _channel_shuffle_vjp(x: Array, groups: int) -> tuple[Array, Pullback]:
    y = channel_shuffle(x, groups)
    back = x.shape[1] // groups or 1  # the same shuffle with as many groups as a group has channels
    return y, lambda dy: (channel_shuffle(dy, back),)


@differentiable(_channel_shuffle_vjp)
def channel_shuffle(x: Array, groups: int) -> Array:
    """Deal the channels of every group out to all groups.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        At least three axes, of any dtype.
    groups : int
        Number of groups, a divisor of C.

    Returns
    -------
    array, shape (N, C, ...)
        In the dtype of ``x``: channel c of group g has become number c*groups + g.

    Raises
    ------
    ValueError
        If C is not divisible by ``groups``.

    Notes
    -----
    From Zhang et al., ShuffleNet (2017). Counterpart of ``torch.nn.functional.channel_shuffle``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1], [2], [3], [4], [5], [6]]])
    >>> channel_shuffle(x, 2)[0, :, 0]
    array([1, 4, 2, 5, 3, 6])
    """
    xp = namespace(x=x)
    groups = positive(groups, "groups")
    if x.ndim < 3:
        raise ValueError(f"x must have at least 3 axes (N, C, ...), got shape {tuple(x.shape)}")
    n, channels, *spatial = x.shape
    if channels % groups:
        raise ValueError(
            f"Number of channels must be divisible by groups. Got {channels} channels and "
            f"{groups} groups."
        )
    y = xp.reshape(x, (n, groups, channels // groups, *spatial))
    y = xp.permute_dims(y, (0, 2, 1, *range(3, y.ndim)))
    return xp.reshape(y, (n, channels, *spatial))
