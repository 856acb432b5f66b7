"""How far two arrays are apart, and how far rounding alone may take them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CONDITION = 8.0
KINKS = 400.0
INTEGER_KINDS = "biu"


@dataclass(frozen=True)
class Distance:
    """The largest difference between two arrays.

    Parameters
    ----------
    max_abs : float
        The largest absolute difference; infinite where one side is not finite or has another shape.
    max_rel : float
        ``max_abs`` relative to the largest magnitude of the reference.
    scale : float
        That magnitude.
    """

    max_abs: float
    max_rel: float
    scale: float


def distance(reference: np.ndarray, other: np.ndarray) -> Distance:
    """Measure how far an array is from its reference.

    Values that are not finite agree when both sides have the same one in the same place.
    """
    if reference.shape != other.shape:
        return Distance(math.inf, math.inf, 0.0)
    a, b = reference.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    scale = float(np.max(np.abs(a[finite]), initial=0.0))
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return Distance(math.inf, math.inf, scale)
    largest = float(np.max(np.abs(a[finite] - b[finite]), initial=0.0))
    if largest == 0.0:
        return Distance(0.0, 0.0, scale)
    return Distance(largest, largest / scale if scale else math.inf, scale)


def rounding(dtype: np.dtype, steps: float) -> float:
    """Return the relative difference that rounding may cause; see `parity_check`.

    Parameters
    ----------
    dtype : numpy.dtype
        What was computed in.
    steps : float
        The sum of the square roots of the numbers of terms, over the sums that lie between what
        was given and the value.

    Returns
    -------
    float
        The tolerance; 0 for integers and booleans, which have no rounding.
    """
    return CONDITION * _roundoff(dtype) * (1.0 + steps)


def kinks(dtype: np.dtype) -> float:
    """Return the relative difference that rounding may cause in gradients through many layers."""
    return KINKS * math.sqrt(_roundoff(dtype))


def _roundoff(dtype: np.dtype) -> float:
    return 0.0 if dtype.kind in INTEGER_KINDS else float(np.finfo(dtype).eps) / 2
