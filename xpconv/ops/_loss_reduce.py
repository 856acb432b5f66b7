"""What every loss is made of: a reduction, and the way back through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from array_api_compat import device

from .._arrays import conjugate, is_floating
from .._typing import Array, Namespace, Pullback
from ._broadcast import sum_to

Slope = Callable[[], Array]
Spread = Callable[[Array], Array]

PYTORCH_EPSILON = 9.999999960041972e-13
"""What keeps its divisors from 0: 1e-12 as a float32, in every dtype."""


def constant(xp: Namespace, value: float, like: Array) -> Array:
    """A 0-d array of the dtype and on the device of another."""
    return xp.full((), value, dtype=like.dtype, device=device(like))


def reduce(
    xp: Namespace, loss: Array, reduction: str, divisor: Array | float | None = None
) -> tuple[Array, Spread]:
    """Reduce elementwise losses; also return what spreads the cotangent over the elements."""
    if reduction == "none":
        return loss, lambda dy: dy
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    shape = tuple(loss.shape)
    floating = is_floating(loss)
    if reduction == "mean" and not floating and divisor is None:
        raise TypeError(f"the mean of losses of dtype {loss.dtype} is no integer")
    total = xp.sum(loss, dtype=loss.dtype if floating else xp.int64)
    if reduction == "sum":
        return total, lambda dy: xp.broadcast_to(dy, shape)
    if divisor is None or isinstance(divisor, int | float):
        n = math.prod(shape) if divisor is None else divisor  # 0 makes NaN of the mean of nothing
        return total / n, lambda dy: xp.broadcast_to(dy / n, shape)
    if not floating:  # a sum of whole weights divides
        total, divisor = xp.astype(total, xp.float32), xp.astype(divisor, xp.float32)
    return total / divisor, lambda dy: xp.broadcast_to(dy / conjugate(xp, divisor), shape)


def finished(
    xp: Namespace,
    loss: Array,
    reduction: str,
    inputs: Sequence[Array],
    slopes: Sequence[Slope | None],
    *,
    axis: int | None = None,
    divisor: Array | float | None = None,
) -> tuple[Array, Pullback]:
    """Reduce the losses and return the way back to the inputs.

    ``slopes`` give the derivative of each element of the loss with respect to each input, None
    where there is none. Inputs may have been broadcast. Where the loss has lost an axis against
    the inputs, ``axis`` says which.
    """
    y, spread = reduce(xp, loss, reduction, divisor)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = spread(dy) if axis is None else xp.expand_dims(spread(dy), axis=axis)
        return tuple(
            None if slope is None else sum_to(xp, slope() * share, tuple(x.shape))
            for x, slope in zip(inputs, slopes, strict=True)
        )

    return y, pullback
