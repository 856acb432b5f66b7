"""Data in two parts: one to learn from, one to be judged by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._dataset import ArrayDataset


class Split(NamedTuple):
    """Samples to train on and samples to test on."""

    train: ArrayDataset
    test: ArrayDataset


def train_validation_split(
    dataset: ArrayDataset, fraction: float, *, seed: int = 0
) -> tuple[ArrayDataset, ArrayDataset]:
    """Set a part of the training samples aside, to choose by and to stop early by.

    Parameters
    ----------
    dataset : ArrayDataset
        The samples to divide.
    fraction : float
        The part set aside, between 0 and 1; at least one sample stays on either side.
    seed : int, default 0
        Which samples it takes depends on nothing else.

    Returns
    -------
    train, validation : ArrayDataset
        All samples, each in one of the two, in their old order.

    Raises
    ------
    ValueError
        If ``fraction`` is not between 0 and 1, or there is only one sample.

    Examples
    --------
    >>> data = ArrayDataset([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3])
    >>> train, validation = train_validation_split(data, 0.25)
    >>> len(train), len(validation)
    (3, 1)
    """
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
    n = len(dataset)
    if n < 2:
        raise ValueError("one sample cannot be divided")
    count = min(max(round(fraction * n), 1), n - 1)
    aside = np.zeros(n, dtype=bool)
    aside[np.random.default_rng(seed).permutation(n)[:count]] = True
    return dataset[~aside], dataset[aside]
