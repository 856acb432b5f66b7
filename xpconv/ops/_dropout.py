"""Dropout in all its forms: of elements, of channels, for SELU, of whole residual blocks."""

from __future__ import annotations

from .._arrays import namespace
from .._typing import Array, Pullback
from ._drop import (
    Key,
    channels,
    channels_1d,
    channels_3d,
    drop,
    dropout_rule,
    elements,
    probability,
)
from ._registry import differentiable

_dropout_vjp = dropout_rule("dropout", elements, True)


@differentiable(_dropout_vjp)
def dropout(x: Array, p: float = 0.5, training: bool = True, *, key: Key | None = None) -> Array:
    """Set elements to zero at random and scale up the others, so that the mean stays.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.
    p : float, default 0.5
        Probability of an element to be set to zero.
    training : bool, default True
        Without it ``x`` is returned as it is.
    key : (int, int), optional
        Key of the mask; by default the current stream's next one (see `xpconv.random`).

    Returns
    -------
    array
        Of the shape and dtype of ``x``. One key gives one mask, on every backend.

    Raises
    ------
    ValueError
        If ``p`` is not between 0 and 1.

    Notes
    -----
    Srivastava et al., "Dropout" (2014), in the inverted form. Counterpart of
    ``torch.nn.functional.dropout``.
    """
    return _dropout_vjp(x, p, training, key=key)[0]


_dropout1d_vjp = dropout_rule("dropout1d", channels_1d, True)


@differentiable(_dropout1d_vjp)
def dropout1d(x: Array, p: float = 0.5, training: bool = True, *, key: Key | None = None) -> Array:
    """Drop whole channels of (N, C, L) or (C, L); see `dropout2d`."""
    return _dropout1d_vjp(x, p, training, key=key)[0]


_dropout2d_vjp = dropout_rule("dropout2d", channels, True)


@differentiable(_dropout2d_vjp)
def dropout2d(x: Array, p: float = 0.5, training: bool = True, *, key: Key | None = None) -> Array:
    """Set whole channels to zero at random and scale up the others.

    Parameters
    ----------
    x : array, shape (N, C, H, W)
        Input, floating dtype. The first two axes are samples and channels whatever follows them:
        also three axes are (N, C, L), as in PyTorch.
    p : float, default 0.5
        Probability of a channel to be set to zero.
    training : bool, default True
        Without it ``x`` is returned as it is.
    key : (int, int), optional
        Key of the mask; by default the current stream's next one.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``p`` is not between 0 and 1, or ``x`` has fewer than two axes.

    Notes
    -----
    Neighbouring pixels are alike, so dropping single ones hides little. Tompson et al.,
    "Efficient object localization using convolutional networks" (2015). Counterpart of
    ``torch.nn.functional.dropout2d``.
    """
    return _dropout2d_vjp(x, p, training, key=key)[0]


_dropout3d_vjp = dropout_rule("dropout3d", channels_3d, True)


@differentiable(_dropout3d_vjp)
def dropout3d(x: Array, p: float = 0.5, training: bool = True, *, key: Key | None = None) -> Array:
    """Drop whole channels of (N, C, D, H, W) or (C, D, H, W); see `dropout2d`."""
    return _dropout3d_vjp(x, p, training, key=key)[0]


_alpha_dropout_vjp = dropout_rule("alpha_dropout", elements, False, alpha=True)


@differentiable(_alpha_dropout_vjp)
def alpha_dropout(
    x: Array, p: float = 0.5, training: bool = False, *, key: Key | None = None
) -> Array:
    r"""Set elements to SELU's negative limit at random, and keep mean 0 and variance 1.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.
    p : float, default 0.5
        Probability of an element to be dropped.
    training : bool, default False
        Without it ``x`` is returned as it is.
    key : (int, int), optional
        Key of the mask; by default the current stream's next one.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``p`` is not between 0 and 1.

    Notes
    -----
    With :math:`\alpha' = 1.758`, the negated limit of SELU, a mask :math:`m` of zeros and ones and
    :math:`a = ((1 - p)(1 + p \alpha'^2))^{-1/2}`,

    .. math:: y = a\,(m x - (1 - m)\,\alpha') + a\,p\,\alpha'

    Klambauer et al., "Self-normalizing neural networks" (2017). Counterpart of
    ``torch.nn.functional.alpha_dropout``; as there, ``p=1`` gives zeros.
    """
    return _alpha_dropout_vjp(x, p, training, key=key)[0]


_feature_alpha_dropout_vjp = dropout_rule("feature_alpha_dropout", channels, False, alpha=True)


@differentiable(_feature_alpha_dropout_vjp)
def feature_alpha_dropout(
    x: Array, p: float = 0.5, training: bool = False, *, key: Key | None = None
) -> Array:
    """Set whole channels of (N, C, ...) to SELU's negative limit; see `alpha_dropout`."""
    return _feature_alpha_dropout_vjp(x, p, training, key=key)[0]


def _stochastic_depth_vjp(
    x: Array, p: float, mode: str, training: bool = True, *, key: Key | None = None
) -> tuple[Array, Pullback]:
    namespace(x=x)
    probability(p, "drop")
    drop_mode(mode)
    if not training or p == 0:
        return x, lambda dy: (dy,)
    if mode == "row" and x.ndim == 0:
        raise ValueError("stochastic_depth by rows needs x of shape (N, ...), got ()")
    rows = x.shape[:1] if mode == "row" else (1,) * min(x.ndim, 1)
    return drop(x, p, key, (*rows, *(1,) * (x.ndim - 1)))


def drop_mode(mode: str) -> str:
    """Return a mode of stochastic depth, or say which there are."""
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode!r}")
    return mode


@differentiable(_stochastic_depth_vjp)
def stochastic_depth(
    x: Array, p: float, mode: str, training: bool = True, *, key: Key | None = None
) -> Array:
    """Drop what a residual block adds, at random, and scale it up where it stays.

    Parameters
    ----------
    x : array, shape (N, ...)
        What a block computed, before it is added to the block's input; floating dtype.
    p : float
        Probability to drop.
    mode : {"batch", "row"}
        Whether the whole batch shares one fate, or each sample has its own.
    training : bool, default True
        Without it ``x`` is returned as it is.
    key : (int, int), optional
        Key of the mask; by default the current stream's next one.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``p`` is not between 0 and 1, or ``mode`` is neither of the two.

    Notes
    -----
    Huang et al., "Deep networks with stochastic depth" (2016). Counterpart of
    ``torchvision.ops.stochastic_depth``.
    """
    return _stochastic_depth_vjp(x, p, mode, training, key=key)[0]
