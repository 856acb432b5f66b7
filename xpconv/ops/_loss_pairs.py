"""Losses of pairs: scores to rank, distances and angles to pull together or push apart."""

from __future__ import annotations

from .._arrays import is_floating, namespace
from .._typing import Array, Namespace, Pullback
from ._broadcast import broadcast_shape, sum_to
from ._loss_operands import loss_rule, operands
from ._loss_reduce import PYTORCH_EPSILON, constant, finished
from ._registry import differentiable


def _answers(xp: Namespace, target: Array) -> Array:
    """The target in a dtype that has a -1 to compare with."""
    return target if is_floating(target) else xp.astype(target, xp.int64)


@loss_rule
def _hinge_embedding_loss_vjp(
    input: Array, target: Array, margin: float = 1.0, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    xp = namespace(("target",), input=input, target=target)
    if is_floating(input) and is_floating(target):
        operands(input=input, target=target)
    else:  # the target is only compared: it has no say in the result's dtype
        operands(integers="kept", input=input)
    broadcast_shape(input=input, target=target)
    zero = constant(xp, 0, input)
    missing = constant(xp, margin if is_floating(input) else int(margin), input) - input
    answer = _answers(xp, target)
    apart, together = answer != 1, answer != -1
    loss = xp.where(apart, xp.maximum(missing, zero), zero) + xp.where(together, input, zero)

    def dinput() -> Array:
        pushed = xp.astype(apart & (missing >= 0), input.dtype)
        return xp.astype(together, input.dtype) - pushed

    return finished(xp, loss, reduction, [input], [dinput])


@differentiable(_hinge_embedding_loss_vjp)
def hinge_embedding_loss(
    input: Array, target: Array, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    """Pull together what is alike; push the rest apart up to a margin.

    Parameters
    ----------
    input : array
        Distances, real floating dtype, or integers for the reductions that stay whole.
    target : array, broadcasts against ``input``
        1 where a pair is alike and -1 where it is not. It has no gradient.
    margin : float, default 1.0
        The distance asked for where the target is -1.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input`` and ``target`` together
        The distance itself for 1, ``max(0, margin - input)`` for -1. Counterpart of
        ``torch.nn.functional.hinge_embedding_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.
    """
    return _hinge_embedding_loss_vjp(input, target, margin, reduction)[0]


@loss_rule
def _margin_ranking_loss_vjp(
    input1: Array,
    input2: Array,
    target: Array,
    margin: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    xp, arrays = operands(integers="float32", input1=input1, input2=input2, target=target)
    input1, input2, target = arrays
    if not input1.ndim == input2.ndim == target.ndim:
        raise ValueError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {tuple(input1.shape)}, input2: {tuple(input2.shape)}, target: "
            f"{tuple(target.shape)}"
        )
    broadcast_shape(input1=input1, input2=input2, target=target)
    difference = input1 - input2
    missing = margin - target * difference
    loss = xp.maximum(missing, constant(xp, 0, missing))
    active = xp.astype(missing >= 0, missing.dtype)
    slopes = [lambda: -target * active, lambda: target * active, lambda: -difference * active]
    return finished(xp, loss, reduction, arrays, slopes)


@differentiable(_margin_ranking_loss_vjp)
def margin_ranking_loss(
    input1: Array,
    input2: Array,
    target: Array,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """Ask that one score beats the other by a margin.

    Parameters
    ----------
    input1, input2, target : array
        Scores to compare, and 1 where the first should be larger, -1 where the second should.
        Equally many axes, which broadcast; real floating dtype, or integers, which are computed in
        float32.
    margin : float, default 0.0
        The distance asked for.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the pairs' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of all three together
        ``max(0, -target * (input1 - input2) + margin)``. Counterpart of
        ``torch.nn.functional.margin_ranking_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.
    """
    return _margin_ranking_loss_vjp(input1, input2, target, margin, reduction)[0]


@loss_rule
def _cosine_embedding_loss_vjp(
    input1: Array,
    input2: Array,
    target: Array,
    margin: float = 0.0,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    xp = namespace(("input2", "target"), input1=input1, input2=input2, target=target)
    if is_floating(target):
        operands(input1=input1, input2=input2, target=target)
    _, (a, b) = operands(integers="float32", booleans=True, input1=input1, input2=input2)
    if target.ndim > 1:
        raise ValueError(f"0D or 1D target expected, got shape {tuple(target.shape)}")
    if not a.ndim == b.ndim == target.ndim + 1:
        raise ValueError(
            f"{target.ndim}D target expects {target.ndim + 1}D inputs, but found inputs with "
            f"sizes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    broadcast_shape(input1=a, input2=b)

    def total(x: Array) -> Array:
        return xp.sum(x, axis=-1, dtype=x.dtype)

    squares = total(a * a) + PYTORCH_EPSILON, total(b * b) + PYTORCH_EPSILON
    lengths = xp.sqrt(squares[0]) * xp.sqrt(squares[1])
    cosine = total(a * b) / lengths
    broadcast_shape(cosine=cosine, target=target)
    zero = constant(xp, 0, cosine)
    answer = _answers(xp, target)
    alike, apart, excess = answer == 1, answer == -1, cosine - margin
    loss = xp.where(alike, 1 - cosine, zero) + xp.where(apart, xp.maximum(excess, zero), zero)

    def dcosine() -> Array:
        return xp.astype(apart & (excess >= 0), a.dtype) - xp.astype(alike, a.dtype)

    y, pullback = finished(xp, loss, reduction, [cosine], [dcosine])

    def to_vectors(dy: Array) -> tuple[Array | None, ...]:
        (share,) = pullback(dy)
        across, along = (share / lengths)[..., None], (share * cosine)[..., None]
        # Each part on its own: a vector of size 1 is stretched in the product, not in its length.
        return tuple(
            sum_to(xp, other * across, tuple(own.shape))
            - sum_to(xp, own * (along / square[..., None]), tuple(own.shape))
            for own, other, square in ((a, b, squares[0]), (b, a, squares[1]))
        )

    return y, to_vectors


@differentiable(_cosine_embedding_loss_vjp)
def cosine_embedding_loss(
    input1: Array,
    input2: Array,
    target: Array,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """Turn vectors that are alike towards one another, and others apart.

    Parameters
    ----------
    input1, input2 : array, shape (N, D) or (D,)
        Vectors, which broadcast; real floating dtype, or integers, which are computed in float32.
    target : array, shape (N,) or ()
        1 where a pair is alike and -1 where it is not. It has no gradient.
    margin : float, default 0.0
        The cosine that pairs with -1 may have.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the pairs' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N,)
        ``1 - cos`` for 1, ``max(0, cos - margin)`` for -1. As in PyTorch, 1e-12 is added to the
        squared lengths. Counterpart of ``torch.nn.functional.cosine_embedding_loss``.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    return _cosine_embedding_loss_vjp(input1, input2, target, margin, reduction)[0]
