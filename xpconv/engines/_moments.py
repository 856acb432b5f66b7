"""Mean and variance of channels, joined from those of parts."""

from __future__ import annotations

import numpy as np


def joined(
    sums: np.ndarray, sizes: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of channels (C,), of sums' dtype.

    Parameters
    ----------
    sums : array (parts, 3, C)
        Of each part a number near its mean, such as its first, and around that number the sum and
        the sum of squares. So no digits are lost where the mean is large.
    sizes : array (parts,)
        How many numbers a part has.
    eps : float
        See above.

    Notes
    -----
    Parts are joined by Chan's formula, in float64. T. F. Chan, G. H. Golub and R. J. LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    """
    weights = sizes[:, None] / sizes.sum()
    shift, total, squares = np.moveaxis(sums.astype(np.float64), 1, 0)
    inner = total / sizes[:, None]  # each part's mean around its shift
    means = shift + inner
    mean = (weights * means).sum(axis=0)
    within = squares / sizes[:, None] - inner * inner
    var = np.maximum((weights * (within + (means - mean) ** 2)).sum(axis=0), 0)
    found = (mean, var, 1 / np.sqrt(var + eps))
    mean, var, rstd = (array.astype(sums.dtype) for array in found)
    return mean, var, rstd
