"""Logistic losses of one and of many yes-or-no questions."""

from __future__ import annotations

from .._arrays import conjugate, is_complex
from .._typing import Array, Pullback
from ._activation_sigmoid import sigmoid
from ._broadcast import broadcast_shape
from ._loss_binary import binary_costs, times
from ._loss_operands import broadcasts_to, loss_rule, operands
from ._loss_reduce import Slope, finished
from ._registry import differentiable


@loss_rule
def _multilabel_soft_margin_loss_vjp(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    operands(integers="refused", input=input)
    xp, (input, target, weight) = operands(input=input, target=target, weight=weight)
    if input.ndim == 0:
        raise ValueError("input must have an axis of classes, got shape ()")
    shape = broadcast_shape(
        input=input, target=target, **({} if weight is None else {"weight": weight})
    )
    axis, classes = input.ndim - 1, input.shape[-1]
    no, yes = binary_costs(xp, input)
    each = (1 - target) * no + target * yes
    loss = xp.broadcast_to(times(weight, each), shape)
    rows = xp.sum(loss, axis=axis, dtype=loss.dtype) / classes

    def dinput() -> Array:
        slope = (1 - target) * sigmoid(input) - target * sigmoid(-input)
        return xp.broadcast_to(times(weight, slope) / classes, shape)

    slopes: list[Slope | None] = [
        dinput,
        lambda: xp.broadcast_to(times(weight, -input) / classes, shape),
        lambda: xp.broadcast_to(each / classes, shape),
    ]
    inputs = [input, target] if weight is None else [input, target, weight]
    return finished(xp, rows, reduction, inputs, slopes[: len(inputs)], axis=axis)


@differentiable(_multilabel_soft_margin_loss_vjp)
def multilabel_soft_margin_loss(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """Ask a yes-or-no question for each class: the mean of their binary cross entropies.

    Parameters
    ----------
    input : array, shape (N, C)
        Logits, real floating dtype.
    target : array, broadcasts against ``input``
        Whether each class is there, 0 to 1; integers get the input's dtype.
    weight : array, shape (C,), optional
        Factor of each class; broadcasts against ``input``.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the rows' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N,)
        Counterpart of ``torch.nn.functional.multilabel_soft_margin_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.
    """
    return _multilabel_soft_margin_loss_vjp(input, target, weight, reduction)[0]


@loss_rule
def _soft_margin_loss_vjp(
    input: Array, target: Array, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    xp, (input, target) = operands(booleans=True, complexes=True, input=input, target=target)
    broadcasts_to("input", input=input, target=target)
    score = target * input
    if is_complex(score):
        slopes = [lambda: conjugate(xp, -target / (1 + xp.exp(score)))]
        return finished(xp, xp.log1p(xp.exp(-score)), reduction, [input], slopes)
    slopes = [lambda: -target * sigmoid(-score)]
    return finished(xp, binary_costs(xp, score)[1], reduction, [input], slopes)


@differentiable(_soft_margin_loss_vjp)
def soft_margin_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    r"""Logistic loss of yes-or-no questions whose answers are 1 and -1.

    Parameters
    ----------
    input : array
        Logits of 1, floating or complex dtype.
    target : array, broadcasts to ``input``
        1 or -1; integers get the input's dtype. It has no gradient, as in PyTorch.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.soft_margin_loss``.

    Raises
    ------
    ValueError
        If ``target`` does not broadcast to ``input``.

    Notes
    -----
    :math:`\log(1 + e^{-t x})`, which does not overflow here where PyTorch's does.
    """
    return _soft_margin_loss_vjp(input, target, reduction)[0]
