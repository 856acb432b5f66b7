"""Correlation and convolution of planes with one kernel, as mathematics defines them."""

from __future__ import annotations

import math
from functools import partial

from .._arrays import namespace, same_dtype
from .._typing import Array, Pair, Pullback
from ._conv import conv2d
from ._registry import differentiable, vjp


def _pads(mode: str, kernel_size: tuple[int, int], turned: bool) -> tuple[Pair, ...]:
    """Padding whose valid correlation is the wanted part of the full one.

    ``"same"`` is the middle of ``"full"``. With an even kernel there are two middles: as in SciPy,
    correlation takes the one that begins at K // 2, convolution the one at (K - 1) // 2.
    """
    if mode == "valid":
        return tuple((0, 0) for _ in kernel_size)
    if mode == "full":
        return tuple((k - 1, k - 1) for k in kernel_size)
    if mode == "same":
        halves = [((k - 1) // 2, k // 2) for k in kernel_size]
        return tuple((b, a) if turned else (a, b) for a, b in halves)
    raise ValueError(f"mode must be 'valid', 'same' or 'full', got {mode!r}")


def _as_layer(
    x: Array, kernel: Array, mode: str, turned: bool
) -> tuple[Array, Array, tuple[Pair, ...]]:
    """View planes as one-channel images and the kernel, maybe turned, as a layer's weight."""
    xp = namespace(("kernel",), x=x, kernel=kernel)
    same_dtype(x=x, kernel=kernel)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (..., H, W), got {tuple(x.shape)}")
    if kernel.ndim != 2:
        raise ValueError(f"kernel must have shape (KH, KW), got {tuple(kernel.shape)}")
    images = xp.reshape(x, (math.prod(x.shape[:-2]), 1, *x.shape[-2:]))
    weight = xp.reshape(xp.flip(kernel) if turned else kernel, (1, 1, *kernel.shape))
    return images, weight, _pads(mode, kernel.shape, turned)


def _slide(x: Array, kernel: Array, mode: str, turned: bool) -> Array:
    xp = namespace(("kernel",), x=x, kernel=kernel)
    images, weight, pads = _as_layer(x, kernel, mode, turned)
    y = conv2d(images, weight, padding=pads)
    return xp.reshape(y, (*x.shape[:-2], *y.shape[-2:]))


def _slide_vjp(
    turned: bool, x: Array, kernel: Array, mode: str = "valid"
) -> tuple[Array, Pullback]:
    xp = namespace(("kernel",), x=x, kernel=kernel)
    images, weight, pads = _as_layer(x, kernel, mode, turned)
    y, back = vjp(conv2d, images, weight, padding=pads)
    shape = y.shape  # y is not kept alive

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dimages, dweight = back(xp.reshape(dy, shape))
        if dimages is None:  # integers have no gradient
            return None, None
        dkernel = xp.reshape(dweight, tuple(kernel.shape))
        return xp.reshape(dimages, tuple(x.shape)), xp.flip(dkernel) if turned else dkernel

    return xp.reshape(y, (*x.shape[:-2], *y.shape[-2:])), pullback


@differentiable(partial(_slide_vjp, False))
def correlate2d(x: Array, kernel: Array, mode: str = "valid") -> Array:
    r"""Cross-correlate planes with a kernel: slide it, multiply, sum.

    Parameters
    ----------
    x : array, shape (..., H, W)
        One plane, or any number of them.
    kernel : array, shape (KH, KW)
        In the dtype of ``x``.
    mode : {"valid", "same", "full"}, default "valid"
        Where the kernel lies wholly within the plane; the middle of the full result, of the
        plane's size; or wherever kernel and plane touch.

    Returns
    -------
    array, shape (..., H-KH+1, W-KW+1), (..., H, W) or (..., H+KH-1, W+KW-1)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If the mode is unknown, the ranks are wrong or, for ``"valid"``, the kernel is larger than
        the plane.

    Notes
    -----
    .. math:: (x \star k)_{i,j} = \sum_{p,q} x_{i+p,\,j+q}\, k_{p,q}

    Counterpart of ``scipy.signal.correlate2d``, but for complex kernels: they are not conjugated,
    as in no layer.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> x = b.asarray([[1.0, 6.0, 2.0], [5.0, 3.0, 1.0], [7.0, 0.0, 4.0]])
    >>> correlate2d(x, b.asarray([[1.0, 2.0], [-1.0, 0.0]]))
    array([[8., 7.],
           [4., 5.]])
    """
    return _slide(x, kernel, mode, turned=False)


@differentiable(partial(_slide_vjp, True))
def convolve2d(x: Array, kernel: Array, mode: str = "valid") -> Array:
    r"""Convolve planes with a kernel: `correlate2d` with the kernel turned by 180 degrees.

    Parameters
    ----------
    x : array, shape (..., H, W)
        One plane, or any number of them.
    kernel : array, shape (KH, KW)
        In the dtype of ``x``.
    mode : {"valid", "same", "full"}, default "valid"
        As in `correlate2d`.

    Returns
    -------
    array
        Of the shape that `correlate2d` gives.

    Notes
    -----
    .. math:: (x * k)_{i,j} = \sum_{p,q} x_{i-p,\,j-q}\, k_{p,q}

    Counterpart of ``scipy.signal.convolve2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> x = b.asarray([[1.0, 6.0, 2.0], [5.0, 3.0, 1.0], [7.0, 0.0, 4.0]])
    >>> convolve2d(x, b.asarray([[1.0, 2.0], [-1.0, 0.0]]))
    array([[ 7.,  5.],
           [11.,  3.]])
    """
    return _slide(x, kernel, mode, turned=True)
