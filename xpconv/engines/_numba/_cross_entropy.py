"""Cross entropy of class labels and its gradient, one pass over scores that are few."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._jit import jit

_FEW = 2**13  # numbers; of more NumPy's exponentials are faster, vectors at a time


def label_entropy(
    scores: np.ndarray, labels: np.ndarray, ignore_index: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return each row's loss, softmax minus one-hot, and whether the row counts.

    Parameters
    ----------
    scores : array, shape (N, C)
    labels : array of integers, shape (N,)

    Returns
    -------
    losses, slopes, counts : arrays of shape (N,), (N, C) and (N, 1), or None
        What is ignored loses nothing and has slopes of 0. None where there are too many scores, or
        where a label is neither a class nor ignored.
    """
    if not 0 < scores.size <= _FEW:
        return None
    given = np.require(scores, requirements=["C", "W"])
    numbers = np.require(labels, dtype=np.int64, requirements=["C", "W"])
    losses, slopes = np.empty(given.shape[0], given.dtype), np.empty_like(given)
    counts = np.empty((given.shape[0], 1), np.bool_)
    fits = _label_entropy(given, numbers, ignore_index, losses, slopes, counts)
    return (losses, slopes, counts) if fits else None


@jit
def _label_entropy(
    scores: Any, labels: Any, ignored: int, losses: Any, slopes: Any, counts: Any
) -> bool:
    one, zero = scores.dtype.type(1), scores.dtype.type(0)
    for n in range(scores.shape[0]):
        row, slope, label = scores[n], slopes[n], labels[n]
        counts[n, 0] = label != ignored
        if label != ignored and not 0 <= label < row.size:
            return False
        largest = row[0]
        for c in range(1, row.size):
            largest = row[c] if row[c] > largest else largest
        total = zero
        for c in range(row.size):
            slope[c] = math.exp(row[c] - largest)
            total += slope[c]
        share = (one if counts[n, 0] else zero) / total  # NaN where the total is
        for c in range(row.size):
            slope[c] *= share
        losses[n] = zero
        if counts[n, 0]:
            losses[n] = math.log(total) - (row[label] - largest)
            slope[label] -= one
    return True
