"""The plain product: a fully connected layer, and the sums and joins that networks are made of."""

from __future__ import annotations

import math

from .._arrays import namespace, same_dtype
from .._typing import Array, Pullback
from ._registry import differentiable


def _linear_vjp(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, Pullback]:
    y = linear(x, weight, bias)
    xp = namespace(x=x)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        rows = math.prod(dy.shape[:-1])
        dy2 = xp.reshape(dy, (rows, dy.shape[-1]))
        dx = xp.reshape(xp.matmul(dy2, weight), x.shape)  # (rows, O) @ (O, I)
        x2 = xp.reshape(x, (rows, x.shape[-1]))
        dweight = xp.matmul(xp.permute_dims(dy2, (1, 0)), x2)  # (O, rows) @ (rows, I)
        dbias = None if bias is None else xp.sum(dy2, axis=0, dtype=dy.dtype)
        return dx, dweight, dbias

    return y, pullback


@differentiable(_linear_vjp)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    r"""Apply an affine map to the last axis, ``y = x @ weight.T + bias``.

    Parameters
    ----------
    x : array, shape (..., I)
        Input, with any number of leading axes.
    weight : array, shape (O, I)
        One row per output feature.
    bias : array, shape (O,), optional
        One number per output feature.

    Returns
    -------
    array, shape (..., O)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If the sizes do not fit.
    TypeError
        If dtypes, libraries or devices differ.

    Notes
    -----
    Counterpart of ``torch.nn.functional.linear``. With the way back
    :math:`dx = dy\,W`, :math:`dW = dy^T x`, :math:`db = \sum dy`.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> linear(b.asarray([1.0, 2.0]), b.asarray([[3.0, 4.0]]))
    array([11.])
    """
    xp = namespace(("weight",), x=x, weight=weight, bias=bias)
    same_dtype(x=x, weight=weight, bias=bias)
    if weight.ndim != 2:
        raise ValueError(f"weight must have shape (O, I), got {tuple(weight.shape)}")
    out_features, in_features = weight.shape
    if x.ndim < 1 or x.shape[-1] != in_features:
        raise ValueError(
            f"x has shape {tuple(x.shape)} but weight {tuple(weight.shape)} expects "
            f"{in_features} features in the last axis"
        )
    if bias is not None and bias.shape != (out_features,):
        raise ValueError(f"bias must have shape ({out_features},), got {tuple(bias.shape)}")
    # One 2-D product, (rows, I) @ (I, O): batched products are slow on some libraries.
    x2 = xp.reshape(x, (math.prod(x.shape[:-1]), in_features))
    y = xp.matmul(x2, xp.permute_dims(weight, (1, 0)))
    if bias is not None:
        y = y + bias
    return xp.reshape(y, (*x.shape[:-1], out_features))
