"""The tail of the normal distribution, which the array API standard does not have."""

from __future__ import annotations

from array_api_compat import array_namespace

from .._arrays import itemsize
from .._typing import Array

# With t = (u - 4) / (u + 4) the tail is exp(-u^2 / 2) / (u + 4) times a polynomial in t, highest
# power first: Chebyshev's expansion, cut off below the dtype's precision. The change of variable is
# that of M. M. Shepherd and J. G. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2)
# erfc x in 0 <= x < inf", Mathematics of Computation 36 (1981).
_CENTRE = 4.0
_SINGLE = (
    4.34307101e-04,
    1.60662139e-03,
    -3.67642562e-03,
    -7.58210329e-03,
    6.04382837e-02,
    -1.86511668e-01,
    3.87134345e-01,
    -6.07897127e-01,
    7.5528517e-01,
)
_DOUBLE = (
    2.0545716284064104e-09,
    1.1498856066073165e-08,
    7.6346678144594e-09,
    -7.45424669769731e-08,
    -1.4379615910064892e-07,
    2.6408161197642087e-07,
    1.0109296786920477e-06,
    -6.266570337319202e-07,
    -5.914248474332843e-06,
    7.160858893674287e-07,
    3.514263378822486e-05,
    -1.9082561493858405e-06,
    -0.00023109449184519334,
    0.00013334433316666808,
    0.001630818399972899,
    -0.0034796923711001015,
    -0.007540188962592587,
    0.060396574891189124,
    -0.1865218579597942,
    0.3871374007422086,
    -0.6078966419718907,
    0.7552851304157515,
)


def normal_tail(u: Array, bell: Array) -> Array:
    """Probability that a standard normal number exceeds ``u >= 0``; ``bell = exp(-u * u / 2)``.

    Notes
    -----
    Besides the error of ``bell`` itself it is right to about 4 units in the last place, however
    far out.
    """
    near = array_namespace(u).reciprocal(u + _CENTRE)
    t = 1 - 2 * _CENTRE * near
    highest, *others = _SINGLE if itemsize(u.dtype) == 4 else _DOUBLE
    value = highest * t + others[0]
    for coefficient in others[1:]:
        value = value * t + coefficient
    return bell * near * value
