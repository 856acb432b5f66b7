"""The error function, which the array API standard does not have."""

from __future__ import annotations

from .._arrays import namespace
from .._typing import Array

# W. J. Cody, "Rational Chebyshev approximations for the error function",
# Mathematics of Computation 23 (1969). Highest power first; the relative error is below 6e-19.
_SMALL_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_SMALL_Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_LARGE_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_LARGE_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)


def erf(x: Array) -> Array:
    """Return the error function of every element, in single precision or better.

    Notes
    -----
    A rational function of :math:`x^2` up to :math:`|x| = 0.46875`, and beyond it
    :math:`1 - e^{-x^2} R(|x|)`. Past 4 the second form's R may lose relative accuracy, but there
    the whole term is below 2e-8 and past 6 it vanishes beside 1.
    """
    xp = namespace(x=x)
    size = xp.abs(x)
    small = size <= 0.46875
    zero = xp.zeros_like(x)
    t = xp.where(small, x, zero)
    square = t * t
    near = t * _horner(_SMALL_P, square) / _horner(_SMALL_Q, square)
    u = xp.where(size < 6.0, size, xp.full_like(x, 6.0))
    tail = xp.exp(-u * u) * _horner(_LARGE_P, u) / _horner(_LARGE_Q, u)
    far = xp.sign(x) * (1 - tail)
    return xp.where(small, near, far)


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value
