"""Losses that are parabolas near zero and straight lines beyond."""

from __future__ import annotations

from collections.abc import Callable

from .._arrays import is_floating
from .._typing import Array, Namespace, Pullback
from ._loss_operands import loss_rule, operands
from ._loss_reduce import constant
from ._loss_regression import l1_loss_vjp, of_difference
from ._registry import differentiable


@loss_rule
def _smooth_l1_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", beta: float = 1.0
) -> tuple[Array, Pullback]:
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0:
        return l1_loss_vjp(input, target, reduction)
    xp, arrays = operands(booleans=True, input=input, target=target)
    value, slope = _huber(xp, beta, 1.0)
    return of_difference(xp, [*arrays, None], reduction, value, slope)


def _huber(
    xp: Namespace, scale: float, steepness: float
) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """A parabola in ``d / scale`` and the straight lines that go on from it: value and slope."""
    width = scale * steepness

    def value(d: Array) -> Array:
        size = xp.abs(d)
        # Up to the width it is d^2 / 2, beyond it width * (|d| - width / 2): no choice is needed.
        inner = xp.minimum(size, constant(xp, width, d))
        return inner * (size - 0.5 * inner) / scale

    def slope(d: Array) -> Array:
        steepest = constant(xp, steepness, d)
        return xp.minimum(xp.maximum(d / scale, -steepest), steepest)

    return value, slope


@differentiable(_smooth_l1_loss_vjp)
def smooth_l1_loss(
    input: Array, target: Array, reduction: str = "mean", beta: float = 1.0
) -> Array:
    r"""Square small differences and take the absolute value of large ones.

    Parameters
    ----------
    input, target : array
        Of the same shape and real floating dtype; integers beside floating numbers get their dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    beta : float, default 1.0
        Where the parabola ends; with 0 it is `l1_loss`.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.smooth_l1_loss``.

    Raises
    ------
    ValueError
        If the shapes differ or ``beta`` is negative.

    Notes
    -----
    :math:`d^2 / (2 \beta)` where :math:`|d| < \beta`, else :math:`|d| - \beta / 2`
    (Girshick, "Fast R-CNN", 2015).
    """
    return _smooth_l1_loss_vjp(input, target, reduction, beta)[0]


@loss_rule
def _huber_loss_vjp(
    input: Array,
    target: Array,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Array | None = None,
) -> tuple[Array, Pullback]:
    if not delta > 0:
        raise ValueError(f"huber_loss does not support non-positive values for delta, got {delta}")
    xp, arrays = operands(booleans=True, input=input, target=target, weight=weight)
    if not is_floating(input):
        raise TypeError(f"input must have a real floating dtype, got {input.dtype}")
    value, slope = _huber(xp, 1.0, delta)
    return of_difference(xp, arrays, reduction, value, slope)


@differentiable(_huber_loss_vjp)
def huber_loss(
    input: Array,
    target: Array,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Array | None = None,
) -> Array:
    r"""Square small differences and continue in straight lines.

    Parameters
    ----------
    input, target : array
        Of the same shape and real floating dtype; an integer target gets the input's dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    delta : float, default 1.0
        Where the parabola ends.
    weight : array, of the shape of ``input``, optional
        Factor of each element. The mean divides by the number of elements.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.huber_loss``.

    Raises
    ------
    ValueError
        If the shapes differ or ``delta`` is not positive.

    Notes
    -----
    :math:`d^2 / 2` where :math:`|d| < \delta`, else :math:`\delta (|d| - \delta / 2)`
    (Huber, "Robust estimation of a location parameter", 1964).
    """
    return _huber_loss_vjp(input, target, reduction, delta, weight)[0]
