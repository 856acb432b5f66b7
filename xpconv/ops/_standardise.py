"""Mean 0 and variance 1 along some axes: what every normalisation shares.

Batch, instance, group, layer and RMS normalisation differ in the axes that they look along and in
how their scale and shift stretch over the array; the mathematics stands here once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._arrays import add_at, conjugate, namespace, require_floating, same_dtype
from .._libraries import quiet
from .._typing import Array, Namespace, Pullback
from ._broadcast import sum_to
from ._precision import is_half, narrowed, widened

View = Callable[[Array], Array]


class Standardised(NamedTuple):
    """A normalised array, the way back to (dx, dweight, dbias), and the statistics it came from."""

    y: Array
    pullback: Pullback
    mean: Array | None
    var: Array


def sum_along(xp: Namespace, x: Array, axes: Sequence[int]) -> Array:
    """Sum and keep the axes, one after the other: rounding grows with their lengths, not product.

    In the array's own dtype, where the standard would widen.
    """
    for axis in axes:
        x = xp.sum(x, axis=axis, keepdims=True, dtype=x.dtype)
    return x


def check_norm(x: Array, **parameters: Array | None) -> Namespace:
    """Return the namespace of a floating array and of the parameters that go with it.

    They share its dtype, or are all of float32 where it is half precision, as in mixed precision.
    """
    xp = namespace(x=x, **parameters)
    require_floating(x=x)
    given = {name: array for name, array in parameters.items() if array is not None}
    if not is_half(x) or any(array.dtype != xp.float32 for array in given.values()):
        same_dtype(x=x, **given)
    return xp


def standardise(
    xp: Namespace,
    x: Array,
    axes: Sequence[int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    centre: bool = True,
) -> Standardised:
    """Normalise along ``axes``, none negative, then scale and shift.

    ``weight`` and ``bias`` are of one shape, which stretches to that of ``x``. Without ``centre``
    the mean is taken to be 0. Of half precision nothing arrives here: callers widen.
    """
    count = max(math.prod(x.shape[axis] for axis in axes), 1)
    mean = None
    if centre:
        mean = sum_along(xp, x, axes) / count
    centred = x if mean is None else x - mean
    var = sum_along(xp, centred * centred, axes) / count
    rstd = 1 / xp.sqrt(var + eps)
    y = centred * (rstd if weight is None else rstd * weight)
    if bias is not None:
        y = add_at(y, (...,), bias)
    shape = next((tuple(array.shape) for array in (weight, bias) if array is not None), ())
    stretched = (1,) * (x.ndim - len(shape)) + shape
    # Along the inner axes one scale holds for all, so it can be applied to their sums.
    inner = [axis for axis in axes if stretched[axis] == 1]
    outer = [axis for axis in axes if stretched[axis] != 1]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        # Complex numbers go back through the conjugates of what they were multiplied by.
        centred = conjugate(xp, x if mean is None else x - mean)
        back = scale = conjugate(xp, rstd)
        sums, products = sum_along(xp, dy, inner), sum_along(xp, dy * centred, inner)
        dweight = None if weight is None else sum_to(xp, products * back, shape)
        dbias = None if bias is None else sum_to(xp, sums, shape)
        if weight is not None:
            factor = conjugate(xp, weight)
            sums, products, scale = sums * factor, products * factor, back * factor
        # With g = weight * dy and n = normalised x: dx is rstd times g - mean(g) - n * mean(g * n).
        along = sum_along(xp, products, outer) * back / count
        dx = centred * (-back * back * along)
        dx = add_at(dx, (...,), dy * scale)
        if mean is not None:
            dx = add_at(dx, (...,), sum_along(xp, sums, outer) * (-back / count))
        return dx, dweight, dbias

    return Standardised(y, pullback, mean, var)


def standardised_view(
    xp: Namespace,
    x: Array,
    view: View,
    unview: View,
    axes: Sequence[int],
    weight: Array | None,
    bias: Array | None,
    eps: float,
    *,
    parameters: tuple[int, ...],
    centre: bool = True,
) -> Standardised:
    """Normalise ``view(x)``, half precision in float32, with everything returned as it came.

    Parameters
    ----------
    view, unview : callable
        To the shape that ``axes`` count in, and back.
    parameters : tuple of int
        Shape in which weight and bias stretch over the view.

    Returns
    -------
    Standardised
        ``y`` in the shape and dtype of ``x``, gradients in those of their arrays; the statistics
        in the view's shape and in the dtype that was computed in.
    """

    def stretched(array: Array | None) -> Array | None:
        return None if array is None else xp.reshape(widened(array), parameters)

    def returned(gradient: Any, array: Array | None) -> Array | None:
        if array is None:
            return None
        return narrowed(xp.reshape(gradient, tuple(array.shape)), array.dtype)

    with quiet():  # layers call this without the registry
        y, back, mean, var = standardise(
            xp, view(widened(x)), axes, stretched(weight), stretched(bias), eps, centre
        )
    dtype = x.dtype

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        with quiet():
            dx, dweight, dbias = back(view(widened(dy)))
        return narrowed(unview(dx), dtype), returned(dweight, weight), returned(dbias, bias)

    return Standardised(narrowed(unview(y), dtype), pullback, mean, var)
