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


def _add_vjp(x: Array, y: Array) -> tuple[Array, Pullback]:
    return add(x, y), lambda dz: (dz, dz)


@differentiable(_add_vjp)
def add(x: Array, y: Array) -> Array:
    """Add two arrays of one shape, as at the end of a residual block.

    Parameters
    ----------
    x, y : array
        Of the same shape and dtype; nothing is broadcast.

    Returns
    -------
    array
        The sum.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    namespace(("y",), x=x, y=y)
    same_dtype(x=x, y=y)
    if x.shape != y.shape:
        raise ValueError(f"x has shape {tuple(x.shape)} but y has {tuple(y.shape)}")
    return x + y


def _concat_vjp(*arrays: Array, dim: int = 1) -> tuple[Array, Pullback]:
    sizes = [array.shape[dim] for array in arrays]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        axis = dim % dy.ndim
        pieces, start = [], 0
        for size in sizes:
            window = (slice(None),) * axis + (slice(start, start + size),)
            pieces.append(dy[(*window, ...)])
            start += size
        return tuple(pieces)

    return concat(*arrays, dim=dim), pullback


@differentiable(_concat_vjp)
def concat(*arrays: Array, dim: int = 1) -> Array:
    """Join arrays along one axis, by default the channels.

    Parameters
    ----------
    *arrays : array
        Of the same shape but for axis ``dim``.
    dim : int, default 1
        The axis to join along.

    Returns
    -------
    array
        Counterpart of ``torch.cat``.

    Raises
    ------
    ValueError
        If the other sizes differ, or nothing is given.
    """
    if not arrays:
        raise ValueError("concat needs at least one array")
    named = {f"arrays[{i}]": array for i, array in enumerate(arrays)}
    xp = namespace(tuple(named), **named)
    same_dtype(**named)
    first = arrays[0].shape
    if not -len(first) <= dim < len(first):
        raise ValueError(f"dim {dim} is out of range for arrays of shape {tuple(first)}")
    axis = dim % len(first)
    for name, array in named.items():
        rest = (*array.shape[:axis], *array.shape[axis + 1 :])
        if array.ndim != len(first) or rest != (*first[:axis], *first[axis + 1 :]):
            raise ValueError(
                f"sizes must agree except in dim {dim}: arrays[0] has shape {tuple(first)} "
                f"but {name} has {tuple(array.shape)}"
            )
    return xp.concat(arrays, axis=axis)


def _flatten_vjp(x: Array, start_dim: int = 1, end_dim: int = -1) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    return flatten(x, start_dim, end_dim), lambda dy: (xp.reshape(dy, x.shape),)


@differentiable(_flatten_vjp)
def flatten(x: Array, start_dim: int = 1, end_dim: int = -1) -> Array:
    """Merge the axes from ``start_dim`` to ``end_dim`` into one.

    Parameters
    ----------
    x : array, shape (N, ...)
        Input.
    start_dim, end_dim : int, default 1 and -1
        First and last axis to merge.

    Returns
    -------
    array, shape (N, F)
        In NCHW order, whatever the memory layout. Counterpart of ``torch.flatten``, with the
        defaults of ``torch.nn.Flatten``.

    Raises
    ------
    ValueError
        If the axes are out of range or in the wrong order.
    """
    xp = namespace(x=x)
    ndim = max(x.ndim, 1)
    shape = x.shape if x.ndim else (1,)
    for name, dim in (("start_dim", start_dim), ("end_dim", end_dim)):
        if not -ndim <= dim < ndim:
            raise ValueError(f"{name} {dim} is out of range for x of shape {tuple(x.shape)}")
    start, end = start_dim % ndim, end_dim % ndim
    if start > end:
        raise ValueError(
            f"start_dim {start_dim} comes after end_dim {end_dim} for x of shape {tuple(x.shape)}"
        )
    merged = math.prod(shape[start : end + 1])
    return xp.reshape(x, (*shape[:start], merged, *shape[end + 1 :]))
