"""Losses of class labels: negative log-likelihood and focal loss."""

from __future__ import annotations

import math

from .._arrays import namespace, require_floating
from .._typing import Array, Namespace, Pullback
from ._activation_softmax import log_softmax
from ._loss_labels import class_axis, class_weights, label_column, one_hot
from ._loss_operands import loss_rule
from ._loss_reduce import Spread, constant, reduce
from ._registry import differentiable


def _at_labels(
    input: Array, target: Array, weight: Array | None, ignore_index: int
) -> tuple[Namespace, int, Array, Array | float]:
    """Check a call with class labels: where they stand, and how much each class counts."""
    xp = namespace(("target",), input=input, target=target, weight=weight)
    require_floating(input=input)
    axis = class_axis("input", input)
    weights = class_weights(xp, "input", input, weight)
    column = label_column(xp, ("input", "target"), input, target, ignore_index)
    return xp, axis, one_hot(xp, input, column, axis) & (column != ignore_index), weights


def _reduced_rows(
    xp: Namespace, loss: Array, counted: Array, reduction: str, axis: int
) -> tuple[Array, Spread]:
    """Pick each row's loss, and reduce; the mean divides by the weights of the labels."""
    rows = xp.sum(loss * counted, axis=axis, dtype=loss.dtype)
    return reduce(xp, rows, reduction, xp.sum(counted, dtype=loss.dtype))


@loss_rule
def _nll_loss_vjp(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    xp, axis, here, weights = _at_labels(input, target, weight, ignore_index)
    zero = constant(xp, 0, input)
    counted = xp.astype(here, input.dtype) * weights
    y, spread = _reduced_rows(xp, xp.where(here, -input, zero), counted, reduction, axis)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.expand_dims(spread(dy), axis=axis)
        return (xp.where(here, -counted * share, zero),)

    return y, pullback


@differentiable(_nll_loss_vjp)
def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """Take the negative log-probability of the true class.

    Parameters
    ----------
    input : array, shape (N, C, ...) or (C,)
        Log-probabilities, real floating dtype, as `log_softmax` returns them.
    target : array of integers, shape (N, ...) or ()
        The true class of each row, in 0 to C-1.
    weight : array, shape (C,), optional
        How much each class counts.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean is weighted: divided by the sum of the true classes' weights.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N, ...)
        Counterpart of ``torch.nn.functional.nll_loss``.

    Raises
    ------
    ValueError
        If shapes do not fit or a label is out of range.
    TypeError
        If labels are not integers.
    """
    return _nll_loss_vjp(input, target, weight, ignore_index, reduction)[0]


@loss_rule
def _focal_loss_vjp(
    input: Array,
    target: Array,
    weight: Array | None = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    xp, axis, here, weights = _at_labels(input, target, weight, ignore_index)
    zero, one = constant(xp, 0, input), constant(xp, 1, input)
    counted = xp.astype(here, input.dtype) * weights
    log_all = log_softmax(input, axis)
    log_p = xp.where(here, log_all, zero)
    missing = -xp.expm1(log_p)  # 1 - p, with all its digits
    damped = missing**gamma if gamma else xp.ones_like(log_p)
    y, spread = _reduced_rows(xp, -damped * log_p, counted, reduction, axis)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.expand_dims(spread(dy), axis=axis)
        # d(-(1-p)^g log p) / d(log p) = -(1-p)^g (1 - g p log p / (1-p)), where -log p / (1-p)
        # goes to 1 with p, and p log p to 0 where p does.
        flat = (missing == 0) | (log_p == -math.inf)
        ratio = xp.where(flat, one, -log_p) / xp.where(flat, one, missing)
        slope = -damped * (1 + gamma * xp.exp(log_p) * ratio) * counted
        rows = xp.sum(slope, axis=axis, keepdims=True, dtype=slope.dtype)
        counts = xp.any(here, axis=axis, keepdims=True)
        return (xp.where(counts, (slope - xp.exp(log_all) * rows) * share, zero),)

    return y, pullback


@differentiable(_focal_loss_vjp)
def focal_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    r"""Cross entropy that cares less for rows that are classified well already.

    Parameters
    ----------
    input : array, shape (N, C, ...) or (C,)
        Logits, real floating dtype.
    target : array of integers, shape (N, ...) or ()
        The true class of each row, in 0 to C-1.
    weight : array, shape (C,), optional
        How much each class counts; the paper's :math:`\alpha`.
    gamma : float, default 2.0
        How little well classified rows count. With 0 it is `cross_entropy`.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean is weighted: divided by the sum of the true classes' weights.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N, ...)
        For yes-or-no questions see `sigmoid_focal_loss`.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is out of range or ``gamma`` is negative.
    TypeError
        If labels are not integers.

    Notes
    -----
    :math:`-w_l (1 - p_l)^\gamma \log p_l` with :math:`p = \text{softmax}(x)` and label l
    (Lin et al., "Focal loss for dense object detection", 2017). PyTorch has no counterpart.
    """
    return _focal_loss_vjp(input, target, weight, gamma, ignore_index, reduction)[0]
