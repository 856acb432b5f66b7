"""Dropout, with masks that are the same on every backend."""

from __future__ import annotations

from array_api_compat import device

from .._arrays import namespace, require_floating
from .._typing import Array, Pullback
from ..random import current_stream, random_bits
from ._registry import differentiable


def _dropout_vjp(
    x: Array, p: float = 0.5, training: bool = True, *, key: tuple[int, int] | None = None
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    require_floating(xp, x=x)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, got {p}")
    if not training or p == 0:
        return x, lambda dy: (dy,)
    if p == 1:
        return x * 0, lambda dy: (dy * 0,)
    if key is None:
        key = current_stream().next_key()
    bits = random_bits(key, tuple(x.shape), xp=xp, device=device(x))
    keep = bits >= round(p * 2**32)

    def mask(array: Array) -> Array:
        return array * (xp.astype(keep, array.dtype) * (1 / (1 - p)))

    return mask(x), lambda dy: (mask(dy),)


@differentiable(_dropout_vjp)
def dropout(
    x: Array, p: float = 0.5, training: bool = True, *, key: tuple[int, int] | None = None
) -> Array:
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
