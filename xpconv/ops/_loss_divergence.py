"""The distance between distributions."""

from __future__ import annotations

import math

from .._typing import Array, Pullback
from ._broadcast import broadcast_shape
from ._loss_operands import loss_rule, operands
from ._loss_reduce import Slope, constant, finished
from ._registry import differentiable


@loss_rule
def _kl_div_vjp(
    input: Array, target: Array, reduction: str = "mean", log_target: bool = False
) -> tuple[Array, Pullback]:
    xp, (input, target) = operands(integers="refused", input=input, target=target)
    broadcast_shape(input=input, target=target)
    if log_target:
        share = xp.exp(target)
        loss = share * (target - input)
    else:
        share = target
        entropy = xp.where(target == 0, 0.0, target * xp.log(target))  # 0 log 0 = 0
        loss = entropy - target * input

    def dtarget() -> Array:
        if log_target:
            return loss + share
        # NaN at 0, as PyTorch's: the true derivative is infinite there.
        known = xp.where(target > 0, target, constant(xp, math.nan, target))
        return xp.log(known) + 1 - input

    rows: float | None = None
    if reduction == "batchmean":
        rows = input.shape[0] if input.ndim else 1
        reduction = "mean"
    slopes: list[Slope | None] = [lambda: -share, dtarget]
    return finished(xp, loss, reduction, [input, target], slopes, divisor=rows)


@differentiable(_kl_div_vjp)
def kl_div(input: Array, target: Array, reduction: str = "mean", log_target: bool = False) -> Array:
    r"""Measure how far distributions lie from the expected ones, pointwise.

    Parameters
    ----------
    input : array
        Logarithms of probabilities, real floating dtype.
    target : array, of the dtype of ``input``, broadcasts against it
        The expected probabilities, or with ``log_target`` their logarithms.
    reduction : {"mean", "batchmean", "sum", "none"}, default "mean"
        ``"batchmean"`` divides the sum by the first axis of ``input``: the divergence as
        mathematics defines it. ``"mean"`` divides by the number of elements.
    log_target : bool, default False
        Whether ``target`` is a logarithm.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input`` and ``target`` together
        Counterpart of ``torch.nn.functional.kl_div``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.

    Notes
    -----
    :math:`t (\log t - x)` with :math:`0 \log 0 = 0` (Kullback and Leibler, "On information and
    sufficiency", 1951).
    """
    return _kl_div_vjp(input, target, reduction, log_target)[0]
