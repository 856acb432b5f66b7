"""Lengths of vectors, and how far apart or how alike they are."""

from __future__ import annotations

from collections.abc import Sequence

from .._arrays import is_complex, is_floating, namespace, require_floating, same_dtype
from .._shapes import integer
from .._typing import Array, Namespace, Pullback
from ._axis import axis_of
from ._broadcast import broadcast_shape, sum_to
from ._precision import rule_in_single
from ._registry import differentiable
from ._vector_norm import vector_norm


def _dot(xp: Namespace, x: Array, y: Array) -> Array:
    """Products whose sum is the real inner product of two arrays."""
    if is_complex(x):
        return xp.real(x) * xp.real(y) + xp.imag(x) * xp.imag(y)
    return x * y


@rule_in_single
def _normalize_vjp(
    x: Array, p: float = 2.0, dim: int | Sequence[int] | None = 1, eps: float = 1e-12
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    if not is_floating(x):
        raise TypeError(f"x must have a floating dtype, got {x.dtype}")
    shape = tuple(x.shape)
    if dim is None:
        axes = tuple(range(x.ndim))
    else:
        dims = dim if isinstance(dim, Sequence) else (dim,)
        axes = tuple(sorted({axis_of(shape, integer(entry, "dim")) for entry in dims}))
        if len(axes) != len(dims):
            raise ValueError(f"dim {tuple(dims)} names an axis twice for x of shape {shape}")
    vector = x if x.ndim else xp.reshape(x, (1,))
    norm, norm_back = vector_norm(xp, vector, p, axes)
    length = xp.where(norm < eps, eps, norm)
    y = vector / length

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dy = xp.reshape(dy, vector.shape)
        along = sum_to(xp, _dot(xp, dy, y), norm.shape)
        dnorm = xp.where(norm >= eps, -along / length, 0.0)
        return (xp.reshape(dy / length + norm_back(dnorm), shape),)

    return xp.reshape(y, shape), pullback


@differentiable(_normalize_vjp)
def normalize(
    x: Array, p: float = 2.0, dim: int | Sequence[int] | None = 1, eps: float = 1e-12
) -> Array:
    r"""Divide vectors along some axes by their length.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.
    p : float, default 2.0
        Order of the norm; also 0 and the infinities.
    dim : int, tuple of int, or None, default 1
        The axis or axes along which vectors lie; None for all.
    eps : float, default 1e-12
        Least length to divide by.

    Returns
    -------
    array
        :math:`x / \max(\lVert x \rVert_p, \epsilon)`, of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If an axis is out of range.

    Notes
    -----
    Counterpart of ``torch.nn.functional.normalize``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> normalize(get_backend("numpy").asarray([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    return _normalize_vjp(x, p, dim, eps)[0]


@rule_in_single
def _cosine_similarity_vjp(
    x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8
) -> tuple[Array, Pullback]:
    xp = namespace(("x2",), x1=x1, x2=x2)
    same_dtype(x1=x1, x2=x2)
    require_floating(x1=x1, x2=x2)
    if not eps >= 0:
        raise ValueError(f"eps must be non-negative, got {eps}")
    shape = broadcast_shape(x1=x1, x2=x2)
    axis = axis_of(shape, dim, of="arrays")
    stretched = shape or (1,)
    first, second = (xp.broadcast_to(array, stretched) for array in (x1, x2))

    def unit(x: Array) -> tuple[Array, Array, Array]:
        """Return x over its length, that length (at least eps), and 1 over it as it was, or 0."""
        norm, _ = vector_norm(xp, x, 2.0, (axis,))
        length = xp.where(norm < eps, eps, norm)
        return x / length, length, xp.where(norm == 0, 0.0, 1 / norm)

    (unit1, length1, inverse1), (unit2, length2, inverse2) = unit(first), unit(second)
    y = xp.sum(unit1 * unit2, axis=axis, keepdims=True, dtype=x1.dtype)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dy = xp.reshape(dy, y.shape)
        # As in PyTorch the length's gradient is not cut off below eps.
        dx1 = dy * (unit2 - first * (y * inverse1)) / length1
        dx2 = dy * (unit1 - second * (y * inverse2)) / length2
        return sum_to(xp, dx1, x1.shape), sum_to(xp, dx2, x2.shape)

    return xp.reshape(y, shape[:axis] + shape[axis + 1 :]), pullback


@differentiable(_cosine_similarity_vjp)
def cosine_similarity(x1: Array, x2: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    r"""Cosine of the angle between vectors along one axis.

    Parameters
    ----------
    x1, x2 : array
        Of one real floating dtype. Axes of size 1, and axes missing at the front, stretch to the
        other's size.
    dim : int, default 1
        The axis along which vectors lie, in the shape that both share.
    eps : float, default 1e-8
        Least length of a vector to divide by.

    Returns
    -------
    array
        Without axis ``dim``.

    Raises
    ------
    ValueError
        If the shapes do not go together, ``dim`` is out of range, or ``eps`` is negative.

    Notes
    -----
    .. math:: \frac{x_1 \cdot x_2}
        {\max(\lVert x_1 \rVert, \epsilon)\,\max(\lVert x_2 \rVert, \epsilon)}

    Counterpart of ``torch.nn.functional.cosine_similarity``.
    """
    return _cosine_similarity_vjp(x1, x2, dim, eps)[0]
