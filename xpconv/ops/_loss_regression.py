"""Losses of numbers: functions of the difference between input and target."""

from __future__ import annotations

from collections.abc import Callable

from .._arrays import is_complex, is_floating
from .._typing import Array, Namespace, Pullback
from ._loss_operands import loss_rule, operands, same_shape
from ._loss_reduce import constant, finished
from ._registry import differentiable


def _of_difference(
    xp: Namespace,
    arrays: list[Array],
    reduction: str,
    value: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    weighted_mean: bool = False,
) -> tuple[Array, Pullback]:
    """Finish a loss that depends on ``input - target`` alone, perhaps times a weight.

    With ``weighted_mean`` the mean divides by the sum of the weights, as PyTorch's does for the
    squared and the absolute error; otherwise by their number.
    """
    input, target, weight = arrays
    same_shape(input=input, target=target, weight=weight)
    difference = input - target
    loss = value(difference)
    if weight is None:

        def dinput() -> Array:
            return slope(difference)

        inputs, slopes = [input, target], [dinput, lambda: -dinput()]
        return finished(xp, loss, reduction, inputs, slopes)

    def weighted_dinput() -> Array:
        return slope(difference) * weight

    mean = weighted_mean and reduction == "mean"
    divisor = xp.sum(weight, dtype=weight.dtype) if mean else None
    y, pullback = finished(
        xp,
        loss * weight,
        reduction,
        arrays,
        # A weight also moves the sum that divides: d(sum(w e) / sum(w)) = (e - mean) / sum(w).
        [weighted_dinput, lambda: -weighted_dinput(), lambda: loss - y if mean else loss],
        divisor=divisor,
    )
    return y, pullback


@loss_rule
def _mse_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> tuple[Array, Pullback]:
    xp, arrays = operands(booleans=True, input=input, target=target, weight=weight)
    return _of_difference(xp, arrays, reduction, lambda d: d * d, lambda d: 2 * d, True)


@differentiable(_mse_loss_vjp)
def mse_loss(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> Array:
    """Square the differences.

    Parameters
    ----------
    input, target : array
        Of the same shape and real floating dtype; integers beside floating numbers get their dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the squares.
    weight : array, of the shape of ``input``, optional
        Factor of each square. The mean divides by the sum of the weights.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.mse_loss``.

    Raises
    ------
    ValueError
        If the shapes differ; nothing is broadcast.
    """
    return _mse_loss_vjp(input, target, reduction, weight)[0]


@loss_rule
def _l1_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> tuple[Array, Pullback]:
    xp, arrays = operands(
        integers="kept", complexes=True, input=input, target=target, weight=weight
    )
    return _of_difference(xp, arrays, reduction, xp.abs, lambda d: _sign(xp, d), True)


def _sign(xp: Namespace, x: Array) -> Array:
    """Direction of each number; 0 for 0 and, as in PyTorch, for a real NaN."""
    return xp.sign(x) if is_complex(x) else xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)


@differentiable(_l1_loss_vjp)
def l1_loss(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> Array:
    """Take the absolute differences.

    Parameters
    ----------
    input, target : array
        Of the same shape and dtype: floating, complex (the loss is real), or integer for the
        reductions that stay whole.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the absolute values.
    weight : array, of the shape of ``input``, optional
        Factor of each absolute value. The mean divides by the sum of the weights.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        The derivative at 0 is 0. Counterpart of ``torch.nn.functional.l1_loss``.

    Raises
    ------
    ValueError
        If the shapes differ; nothing is broadcast.
    TypeError
        If the mean of integers is asked for.
    """
    return _l1_loss_vjp(input, target, reduction, weight)[0]


@loss_rule
def _smooth_l1_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", beta: float = 1.0
) -> tuple[Array, Pullback]:
    if beta < 0:
        raise ValueError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0:
        return _l1_loss_vjp(input, target, reduction)
    xp, arrays = operands(booleans=True, input=input, target=target)
    value, slope = _huber(xp, beta, 1.0)
    return _of_difference(xp, [*arrays, None], reduction, value, slope)


def _huber(
    xp: Namespace, scale: float, steepness: float
) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """A parabola in ``d / scale`` and the straight lines that go on from it: value and slope."""
    width = scale * steepness

    def value(d: Array) -> Array:
        size = xp.abs(d)
        inside = size < width
        small = xp.where(inside, size, constant(xp, 0, size))  # its square cannot overflow
        return xp.where(inside, 0.5 * small * small / scale, steepness * (size - 0.5 * width))

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
    if delta <= 0:
        raise ValueError(f"huber_loss does not support non-positive values for delta, got {delta}")
    xp, arrays = operands(booleans=True, input=input, target=target, weight=weight)
    if not is_floating(xp, input):
        raise TypeError(f"input must have a real floating dtype, got {input.dtype}")
    value, slope = _huber(xp, 1.0, delta)
    return _of_difference(xp, arrays, reduction, value, slope)


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
