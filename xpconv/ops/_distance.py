"""Distance between vectors."""

from __future__ import annotations

from .._typing import Array, Pullback
from ._broadcast import broadcast_shape, sum_to
from ._loss_operands import loss_rule, operands
from ._registry import differentiable
from ._vector_norm import vector_norm


@loss_rule
def _pairwise_distance_vjp(
    x1: Array, x2: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> tuple[Array, Pullback]:
    xp, (x1, x2) = operands(integers="float32", complexes=True, x1=x1, x2=x2)
    shape = broadcast_shape(x1=x1, x2=x2)
    difference = xp.reshape(x1 - x2 + eps, shape or (1,))
    norm, norm_back = vector_norm(xp, difference, p, (difference.ndim - 1,))

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = xp.reshape(norm_back(xp.reshape(dy, norm.shape)), shape)
        return sum_to(xp, dx, tuple(x1.shape)), sum_to(xp, -dx, tuple(x2.shape))

    last = (1,) if keepdim and shape else ()
    return xp.reshape(norm, (*shape[:-1], *last)), pullback


@differentiable(_pairwise_distance_vjp)
def pairwise_distance(
    x1: Array, x2: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Array:
    r"""Distance between the vectors of two arrays.

    Parameters
    ----------
    x1, x2 : array, shape (..., D)
        Vectors along the last axis; they broadcast. Floating or complex dtype, or integers, which
        are computed in float32.
    p : float, default 2.0
        Order of the norm; also 0 and the infinities.
    eps : float, default 1e-6
        Added to every difference, so that no distance is zero.
    keepdim : bool, default False
        Whether the last axis stays, with size 1.

    Returns
    -------
    array, shape (...) or (..., 1)
        Real. Counterpart of ``torch.nn.functional.pairwise_distance``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.

    Notes
    -----
    :math:`\lVert x_1 - x_2 + \epsilon \rVert_p`.
    """
    return _pairwise_distance_vjp(x1, x2, p, eps, keepdim)[0]
