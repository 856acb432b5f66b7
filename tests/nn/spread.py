"""How far drawn numbers are from the distribution that they should have.

Both give Kolmogorov's distance in units of 1/sqrt(n); a right draw exceeds 1.95 once in a thousand.
"""

from __future__ import annotations

import math

import numpy as np


def far_from_uniform(values: np.ndarray, bound: float) -> float:
    """Distance to the even distribution in +-bound."""
    return _distance(np.sort(values, axis=None) / bound / 2 + 0.5)


def far_from_normal(values: np.ndarray, std: float) -> float:
    """Distance to the normal distribution around 0."""
    scaled = np.sort(values, axis=None) / std / math.sqrt(2)
    return _distance(np.array([0.5 * math.erfc(-x) for x in scaled]))


def _distance(ranks: np.ndarray) -> float:
    steps = np.arange(1, ranks.size + 1) / ranks.size
    return float(np.max(np.abs(ranks - steps)) * ranks.size**0.5)
