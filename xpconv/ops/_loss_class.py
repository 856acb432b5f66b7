"""Losses of class labels: negative log-likelihood and focal loss."""

from __future__ import annotations

import math

from .._typing import Array, Pullback
from ._activation_softmax import powers
from ._loss_labels import labelled
from ._loss_operands import loss_rule
from ._registry import differentiable


@loss_rule
def _nll_loss_vjp(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    rows = labelled(("input", "target"), input, target, weight, ignore_index)
    y, spread = rows.reduced(rows.counted(-rows.pick(input) * rows.weights), reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        # A choice, not a product: a row without weight and of infinite share has NaN at its label.
        slope = rows.counted(-rows.weights * spread(dy))
        return (rows.xp.where(rows.here(input), slope, 0.0),)

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
    rows = labelled(("input", "target"), input, target, weight, ignore_index)
    xp = rows.xp
    shifted, each, total = powers(input, rows.axis)
    log_p = rows.pick(shifted) - xp.log(total)
    missing = -xp.expm1(log_p)  # 1 - p, with all its digits
    damped = missing**gamma if gamma else xp.ones_like(log_p)
    y, spread = rows.reduced(rows.counted(-damped * log_p * rows.weights), reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        # d(-(1-p)^g log p) / d(log p) = -(1-p)^g (1 - g p log p / (1-p)), where -log p / (1-p)
        # goes to 1 with p, and p log p to 0 where p does.
        flat = (missing == 0) | (log_p == -math.inf)
        ratio = xp.where(flat, 1.0, -log_p / missing)
        slope = -damped * (1 + gamma * xp.exp(log_p) * ratio) * rows.weights
        slope = rows.counted(slope * spread(dy))
        return (rows.to_logits(each, total, slope, slope),)

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
