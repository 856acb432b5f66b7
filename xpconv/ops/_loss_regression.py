"""Losses of numbers: functions of the difference between input and target."""

from __future__ import annotations

from collections.abc import Callable

from .._arrays import conjugate, is_complex
from .._typing import Array, Namespace, Pullback
from ._elementwise import sign
from ._loss_operands import loss_rule, operands, same_shape
from ._loss_reduce import constant, finished, reduce
from ._registry import differentiable


def of_difference(
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
        slopes = [lambda: slope(difference), lambda: -slope(difference)]
        return finished(xp, loss, reduction, [input, target], slopes)

    mean = weighted_mean and reduction == "mean"
    divisor = xp.sum(weight, dtype=weight.dtype) if mean else None
    y, spread = reduce(xp, loss * weight, reduction, divisor)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = spread(dy)
        push = conjugate(xp, weight) * share
        if is_complex(loss):
            dinput = conjugate(xp, slope(difference)) * push
        else:  # real, also where the difference is not
            dinput = slope(difference) * (xp.real(push) if is_complex(push) else push)
        # A weight also moves the sum that divides: d(sum(w e) / sum(w)) = (e - mean) / sum(w).
        return dinput, -dinput, conjugate(xp, loss - y if mean else loss) * share

    return y, pullback


@loss_rule
def _mse_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> tuple[Array, Pullback]:
    weighted = weight is not None  # as in PyTorch, which then takes more dtypes
    xp, arrays = operands(
        integers="kept" if weighted else "beside",
        booleans=not weighted,
        complexes=weighted,
        input=input,
        target=target,
        weight=weight,
    )
    return of_difference(xp, arrays, reduction, lambda d: d * d, lambda d: 2 * d, True)


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
def l1_loss_vjp(
    input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> tuple[Array, Pullback]:
    xp, arrays = operands(
        integers="kept",
        complexes=True,
        input=input,
        target=target,
        weight=weight,
    )
    return of_difference(xp, arrays, reduction, xp.abs, lambda d: _direction(xp, d), True)


def _direction(xp: Namespace, x: Array) -> Array:
    """Direction of each number; 0 for 0."""
    if not is_complex(x):
        return sign(xp, x)
    size = xp.abs(x)
    return x / xp.where(size == 0, constant(xp, 1, size), size)


@differentiable(l1_loss_vjp)
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
    return l1_loss_vjp(input, target, reduction, weight)[0]
