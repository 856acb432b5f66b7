"""The p-norm of vectors along some axes, with PyTorch's gradient at zero and at ties."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .._arrays import is_complex, sign
from .._typing import Array, Namespace
from ._standardise import sum_along

NormPullback = Callable[[Array], Array]


def vector_norm(
    xp: Namespace, x: Array, p: float, axes: Sequence[int]
) -> tuple[Array, NormPullback]:
    """Return the norms, with the axes kept, and the way back from them; at zero it gives zeros.

    Of complex numbers the norms are real. Half precision does not arrive here.
    """
    if p == 2:
        return _euclidean(xp, x, axes)
    if (p < 0 or math.isinf(p)) and any(x.shape[axis] == 0 for axis in axes):
        raise ValueError(
            f"cannot compute the {p} norm along empty dimensions: x has shape {tuple(x.shape)}"
        )
    size = xp.abs(x)
    if math.isinf(p):
        extreme = xp.max if p > 0 else xp.min
        norm = extreme(size, axis=tuple(axes), keepdims=True)

        def to_extremes(dnorm: Array) -> Array:  # ties share
            mask = xp.astype((size == norm) | xp.isnan(size), size.dtype)
            return sign(xp, x) * (mask * (dnorm / sum_along(xp, mask, axes)))

        return norm, to_extremes
    if p == 0:
        count = sum_along(xp, xp.astype(size != 0, size.dtype), axes)
        return count, lambda dnorm: x * 0
    if p == 1:
        return sum_along(xp, size, axes), lambda dnorm: sign(xp, x) * dnorm
    norm = sum_along(xp, size**p, axes) ** (1 / p)

    def pullback(dnorm: Array) -> Array:
        slope = xp.where((size == 0) | (norm == 0), 0.0, (size / norm) ** (p - 1))
        return sign(xp, x) * slope * dnorm

    return norm, pullback


def _euclidean(xp: Namespace, x: Array, axes: Sequence[int]) -> tuple[Array, NormPullback]:
    squares = xp.real(x) ** 2 + xp.imag(x) ** 2 if is_complex(x) else x * x
    norm = xp.sqrt(sum_along(xp, squares, axes))
    return norm, lambda dnorm: x * (dnorm / xp.where(norm == 0, 1.0, norm))
