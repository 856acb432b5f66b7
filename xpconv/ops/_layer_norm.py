"""Normalisation over the last axes, whatever stands before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._arrays import is_complex, namespace, same_dtype
from .._shapes import integer
from .._typing import Array, Pullback
from ._precision import widened
from ._registry import differentiable
from ._sample_norm import Groups, fused_sample_norm
from ._standardise import check_norm, standardised_view


def _trailing(x: Array, normalized_shape: Any, **parameters: Array | None) -> range:
    """Return the axes to normalise along, last first."""
    if isinstance(normalized_shape, str) or not isinstance(normalized_shape, Sequence):
        raise TypeError(f"normalized_shape must be a tuple of ints, got {normalized_shape!r}")
    sizes = tuple(integer(size, "normalized_shape") for size in normalized_shape)
    if not sizes:
        raise ValueError("Expected normalized_shape to have at least one entry, got ()")
    if tuple(x.shape[-len(sizes) :]) != sizes or len(sizes) > x.ndim:
        raise ValueError(
            f"Given normalized_shape={list(sizes)}, expected x of shape (*, "
            f"{', '.join(map(str, sizes))}), but got {tuple(x.shape)}"
        )
    for name, array in parameters.items():
        if array is not None and tuple(array.shape) != sizes:
            raise ValueError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{tuple(array.shape)} and normalized_shape={list(sizes)}"
            )
    return range(x.ndim - 1, x.ndim - 1 - len(sizes), -1)


def _same(x: Array) -> Array:
    return x


def _layer_norm_vjp(
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    xp = check_norm(x, weight=weight, bias=bias)
    axes = _trailing(x, normalized_shape, weight=weight, bias=bias)
    each = math.prod(normalized_shape)
    rows = math.prod(x.shape[: x.ndim - len(axes)])
    fused = fused_sample_norm(x, weight, bias, eps, Groups(rows, 1, 1, each, last=False))
    if fused is not None:
        return fused.y, fused.pullback
    y, pullback, _, _ = standardised_view(
        xp, x, _same, _same, axes, weight, bias, eps, parameters=tuple(normalized_shape)
    )
    return y, pullback


@differentiable(_layer_norm_vjp)
def layer_norm(
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """Bring the last axes together to mean 0 and variance 1, then scale and shift each element.

    Parameters
    ----------
    x : array, shape (..., *normalized_shape)
        Input, real floating dtype.
    normalized_shape : tuple of int
        Sizes of the axes to normalise over, the last ones of ``x``.
    weight, bias : array, shape normalized_shape, optional
        Scale and shift of each element. Of the dtype of ``x``, or of float32 where ``x`` is of half
        precision.
    eps : float, default 1e-5
        Added to the (biased) variance.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit.

    Notes
    -----
    Ba, Kiros and Hinton, "Layer normalization" (2016). Counterpart of
    ``torch.nn.functional.layer_norm``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> layer_norm(get_backend("numpy").asarray([[1.0, 3.0], [5.0, 5.0]]), (2,), eps=0.0625)
    array([[-0.9701425,  0.9701425],
           [ 0.       ,  0.       ]])
    """
    return _layer_norm_vjp(x, normalized_shape, weight, bias, eps)[0]


def _rms_norm_vjp(
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    eps: float | None = None,
) -> tuple[Array, Pullback]:
    xp = namespace(x=x, weight=weight)
    if is_complex(x):
        same_dtype(x=x, weight=weight)
    else:
        check_norm(x, weight=weight)
    axes = _trailing(x, normalized_shape, weight=weight)
    if eps is None:
        eps = float(xp.finfo(widened(x).dtype).eps)
    sizes = tuple(normalized_shape)
    y, back, _, _ = standardised_view(
        xp, x, _same, _same, axes, weight, None, eps, parameters=sizes, centre=False
    )
    return y, lambda dy: back(dy)[:2]


@differentiable(_rms_norm_vjp)
def rms_norm(
    x: Array,
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    eps: float | None = None,
) -> Array:
    r"""Divide the last axes by their root mean square, then scale each element.

    Parameters
    ----------
    x : array, shape (..., *normalized_shape)
        Input, floating dtype. Of complex numbers the mean square is complex, too, as in PyTorch.
    normalized_shape : tuple of int
        Sizes of the axes to normalise over, the last ones of ``x``.
    weight : array, shape normalized_shape, optional
        Scale of each element. Of the dtype of ``x``, or of float32 where ``x`` is of half
        precision.
    eps : float, optional
        Added to the mean square; by default the distance from 1 to the next number of the dtype
        that is computed in: that of ``x``, float32 for half precision.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit.

    Notes
    -----
    .. math:: y = \gamma\,x \Big/ \sqrt{\overline{x^2} + \epsilon}

    Zhang and Sennrich, "Root mean square layer normalization" (2019). Counterpart of
    ``torch.nn.functional.rms_norm``.
    """
    return _rms_norm_vjp(x, normalized_shape, weight, eps)[0]
