"""Negative logarithms of densities: how unlikely numbers and counts are."""

from __future__ import annotations

import math

from .._arrays import conjugate, require_floating
from .._typing import Array, Pullback
from ._broadcast import broadcast_shape
from ._loss_operands import fails, loss_rule, operands
from ._loss_reduce import Slope, constant, finished
from ._registry import differentiable


@loss_rule
def _poisson_nll_loss_vjp(
    input: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    operands(integers="float32", complexes=True, input=input)
    xp, (input, target) = operands(
        integers="float32", booleans=True, complexes=not full, input=input, target=target
    )
    broadcast_shape(input=input, target=target)
    if log_input:
        rate, log_rate = xp.exp(input), input
    else:
        rate, log_rate = input, xp.log(input + eps)
    loss = rate - target * log_rate

    def dinput() -> Array:
        slope = rate - target if log_input else 1 - target / (input + eps)
        return conjugate(xp, slope)

    def dtarget() -> Array:
        if not full:
            return conjugate(xp, -log_rate)
        return xp.where(counts, xp.log(target) + 0.5 / target, 0.0) - log_rate

    if full:  # Stirling's approximation of log(target!), for counts above 1
        counts = target > 1
        stirling = target * xp.log(target) - target + 0.5 * xp.log(2 * math.pi * target)
        loss = loss + xp.where(counts, stirling, 0.0)
    return finished(xp, loss, reduction, [input, target], [dinput, dtarget])


@differentiable(_poisson_nll_loss_vjp)
def poisson_nll_loss(
    input: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    r"""Measure how unlikely counts are under Poisson distributions.

    Parameters
    ----------
    input : array
        Logarithm of the expected counts, or with ``log_input=False`` the counts themselves.
    target : array, broadcasts against ``input``
        The counts. Integers are computed in the input's dtype, or in float32; complex numbers are
        accepted unless ``full``.
    log_input : bool, default True
        Whether ``input`` is a logarithm.
    full : bool, default False
        Add Stirling's approximation of the constant, where ``target > 1``.
    eps : float, default 1e-8
        Added to the expected counts before their logarithm is taken.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input`` and ``target`` together
        Counterpart of ``torch.nn.functional.poisson_nll_loss``.

    Raises
    ------
    ValueError
        If shapes do not broadcast.

    Notes
    -----
    :math:`e^x - t x`, or :math:`x - t \log(x + \epsilon)`; the constant is
    :math:`t \log t - t + \frac12 \log(2 \pi t)`.
    """
    return _poisson_nll_loss_vjp(input, target, log_input, full, eps, reduction)[0]


@loss_rule
def _gaussian_nll_loss_vjp(
    input: Array,
    target: Array,
    var: Array | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    number = isinstance(var, float)  # PyTorch refuses a plain int, and so do we
    arrays = {"input": input, "target": target} | ({} if number else {"var": var})
    xp, (input, target, *rest) = operands(**arrays)
    if rest:
        require_floating(var=var)
    variance = constant(xp, var, input) if number else _fitting(rest[0], input)
    broadcast_shape(input=input, target=target, var=variance)
    if (number and var < 0) or (not number and fails(xp, variance < 0)):
        raise ValueError("var has negative entry/entries")
    variance = xp.maximum(variance, constant(xp, eps, variance))
    difference = input - target
    loss = 0.5 * (xp.log(variance) + difference * difference / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)

    def dinput() -> Array:
        return difference / variance

    # As PyTorch's, this passes through the bound by eps as if it were not there.
    def dvar() -> Array:
        return 0.5 * (1 - dinput() * difference) / variance

    slopes: list[Slope | None] = [dinput, lambda: -dinput(), None if number else dvar]
    y, pullback = finished(xp, loss, reduction, [input, target, variance], slopes)
    if number:
        return y, pullback

    def reshaped(dy: Array) -> tuple[Array | None, ...]:
        *others, dvariance = pullback(dy)
        return (*others, xp.reshape(dvariance, tuple(rest[0].shape)))

    return y, reshaped


def _fitting(var: Array, input: Array) -> Array:
    """Give a variance without the input's last axis that axis; refuse other shapes."""
    if var.shape == input.shape:
        return var
    if var.shape == input.shape[:-1]:
        return var[..., None]
    if var.ndim == input.ndim:
        odd = [a for a, b in zip(var.shape, input.shape, strict=True) if a != b]
        if odd == [1]:
            return var
    raise ValueError(
        f"var is of incorrect size: {tuple(var.shape)} for input of shape {tuple(input.shape)}; "
        "it takes the same shape, one without the last axis, or one with a single axis of size 1"
    )


@differentiable(_gaussian_nll_loss_vjp)
def gaussian_nll_loss(
    input: Array,
    target: Array,
    var: Array | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Array:
    r"""Measure how unlikely numbers are under normal distributions.

    Parameters
    ----------
    input : array
        Expected values, real floating dtype.
    target : array, broadcasts against ``input``
        The numbers.
    var : array or float
        Variances: of the shape of ``input``, of that shape without the last axis, or with one axis
        of size 1.
    full : bool, default False
        Add the constant :math:`\frac12 \log 2 \pi`.
    eps : float, default 1e-6
        Smallest variance.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input`` and ``target`` together
        Counterpart of ``torch.nn.functional.gaussian_nll_loss``.

    Raises
    ------
    ValueError
        If shapes do not fit or a variance is negative. To see that takes a look at the values, and
        is left out within `labels_checked`.

    Notes
    -----
    :math:`\frac12 (\log v + (x - t)^2 / v)` with :math:`v = \max(\text{var}, \epsilon)`.
    (Nix and Weigend, "Estimating the mean and variance of the target probability distribution",
    1994).
    """
    return _gaussian_nll_loss_vjp(input, target, var, full, eps, reduction)[0]
