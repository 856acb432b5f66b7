"""Weights computed from other arrays: a direction and a length, or a spectral norm of one."""

from __future__ import annotations

import math

from .._arrays import namespace, require_floating, same_dtype
from .._shapes import integer
from .._typing import Array, Namespace, Pullback
from ..engines import matmul
from ._axis import axis_of
from ._precision import rule_in_single
from ._registry import differentiable
from ._standardise import sum_along
from ._vector_norm import vector_norm


def norm_except(xp: Namespace, v: Array, dim: int | None) -> Array:
    """Length of every slice of ``v`` along ``dim``, axes kept; of all of ``v``, 0-d, for None."""
    if dim is None or dim == -1:  # PyTorch's word for "all"
        return xp.reshape(vector_norm(xp, v, 2.0, range(v.ndim))[0], ())
    own = axis_of(v.shape, integer(dim, "dim"), of="a weight", least=0)
    axes = [axis for axis in range(v.ndim) if axis != own]
    return vector_norm(xp, v, 2.0, axes)[0]


@rule_in_single
def _weight_norm_vjp(v: Array, g: Array, dim: int | None = 0) -> tuple[Array, Pullback]:
    xp = namespace(("g",), v=v, g=g)
    same_dtype(v=v, g=g)
    require_floating(v=v, g=g)
    norm = norm_except(xp, v, dim)
    if g.shape != norm.shape:
        raise ValueError(
            f"g must have shape {tuple(norm.shape)} for v of shape {tuple(v.shape)} and dim={dim}, "
            f"got {tuple(g.shape)}"
        )
    scale = g / norm

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        axes = [axis for axis in range(v.ndim) if not norm.ndim or norm.shape[axis] == 1]
        along = xp.reshape(sum_along(xp, dy * v, axes), norm.shape) / norm
        return scale * (dy - v * (along / norm)), along

    return v * scale, pullback


@differentiable(_weight_norm_vjp)
def weight_norm(v: Array, g: Array, dim: int | None = 0) -> Array:
    r"""Give every slice of an array a length of its own.

    Parameters
    ----------
    v : array
        Directions, real floating dtype.
    g : array
        Lengths, one for each slice along ``dim``: of the shape of ``v`` with every other axis 1, or
        0-d for all of ``v``.
    dim : int or None, default 0
        The axis whose slices have lengths; None, or -1 as in PyTorch, for one length in all.

    Returns
    -------
    array
        :math:`w = g\,v / \lVert v \rVert`, of the shape and dtype of ``v``.

    Raises
    ------
    ValueError
        If ``dim`` is out of range or the shape of ``g`` does not fit.

    Notes
    -----
    Salimans and Kingma, "Weight normalization" (2016). Counterpart of ``torch._weight_norm``, which
    ``torch.nn.utils.parametrizations.weight_norm`` calls.
    """
    return _weight_norm_vjp(v, g, dim)[0]


def as_matrix(xp: Namespace, weight: Array, dim: int) -> Array:
    """(..., H at ``dim``, ...) -> (H, the rest)."""
    order = (dim, *(axis for axis in range(weight.ndim) if axis != dim))
    return xp.reshape(xp.permute_dims(weight, order), (weight.shape[dim], -1))


def power_iteration(
    xp: Namespace, matrix: Array, u: Array, v: Array, count: int, eps: float
) -> tuple[Array, Array]:
    """Turn u and v towards a matrix' largest singular vectors, by ``count`` steps."""

    def unit(x: Array) -> Array:
        length = vector_norm(xp, x, 2.0, (0,))[0]
        return x / xp.where(length < eps, eps, length)

    for _ in range(count):
        u = unit(matmul(matrix, v))
        v = unit(matmul(xp.permute_dims(matrix, (1, 0)), u))
    return u, v


@rule_in_single
def _spectral_norm_vjp(weight: Array, u: Array, v: Array, dim: int = 0) -> tuple[Array, Pullback]:
    xp = namespace(("u", "v"), weight=weight, u=u, v=v)
    same_dtype(weight=weight, u=u, v=v)
    require_floating(weight=weight)
    dim = integer(dim, "dim")
    shape = tuple(weight.shape)
    if len(shape) < 2 or not -len(shape) <= dim < len(shape):
        raise ValueError(f"weight must have at least two axes, dim={dim} being one, got {shape}")
    dim %= len(shape)
    rest = shape[:dim] + shape[dim + 1 :]
    if tuple(u.shape) != (shape[dim],) or tuple(v.shape) != (math.prod(rest),):
        raise ValueError(
            f"u and v must have shapes ({shape[dim]},) and ({math.prod(rest)},) for weight "
            f"{shape} and dim={dim}, got {tuple(u.shape)} and {tuple(v.shape)}"
        )
    sigma = xp.sum(u * matmul(as_matrix(xp, weight, dim), v), dtype=weight.dtype)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        along = xp.sum(dy * weight, dtype=dy.dtype) / (sigma * sigma)
        outer = xp.reshape(u[:, None] * v[None, :], (shape[dim], *rest))  # dsigma / dweight
        back = (*range(1, dim + 1), 0, *range(dim + 1, len(shape)))
        return dy / sigma - along * xp.permute_dims(outer, back), None, None

    return weight / sigma, pullback


@differentiable(_spectral_norm_vjp)
def spectral_norm(weight: Array, u: Array, v: Array, dim: int = 0) -> Array:
    r"""Divide a weight by its largest singular value, given the singular vectors.

    Parameters
    ----------
    weight : array
        At least two axes, real floating dtype; axis ``dim`` counts the rows of the matrix that it
        stands for, all others together its columns.
    u : array, shape (rows,)
        Left singular vector of length 1. It has no gradient: PyTorch takes it for a constant.
    v : array, shape (columns,)
        Right singular vector of length 1. Likewise.
    dim : int, default 0
        The axis of the rows.

    Returns
    -------
    array
        :math:`W / (u^T W v)`, of the shape and dtype of ``weight``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Miyato et al., "Spectral normalization for generative adversarial networks" (2018). What
    ``torch.nn.utils.parametrizations.spectral_norm`` computes; `nn.spectral_norm` keeps the vectors
    and turns them while training.
    """
    return _spectral_norm_vjp(weight, u, v, dim)[0]
