"""Handwritten digits that come with scikit-learn: real data, without a download."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._dataset import ArrayDataset
from ._split import Split

DIGITS_MEAN, DIGITS_STD = 4.883595489977728, 6.016089539056044
"""Mean and standard deviation of the training part's pixels, which go from 0 to 16."""


def load_digits() -> Split:
    """Load 1,797 handwritten digits of 8 x 8 pixels, as a training and a test part.

    Returns
    -------
    Split
        ``train`` with 1,347 and ``test`` with 450 samples; ``x`` is standardised, float32 of shape
        (N, 1, 8, 8), ``y`` the digit, int64 of shape (N,).

    Raises
    ------
    ImportError
        If scikit-learn, which brings the data, is not installed.

    Notes
    -----
    Divided by ``train_test_split(test_size=0.25, random_state=0, stratify=y)``, and standardised
    with the mean and the standard deviation of the training part. The digits were collected by
    Alpaydin and Kaynak ("Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998); these are the 1,797 of that collection's test set.

    Examples
    --------
    >>> from xpconv import data
    >>> train, test = data.load_digits()
    >>> train
    ArrayDataset(x: float32[1347, 1, 8, 8], y: int64[1347])
    """
    try:
        from sklearn.datasets import load_digits as load
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn: pip install 'xpconv[train]'"
        ) from error
    digits = load()
    labels = np.asarray(digits.target, dtype=np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images, labels, test_size=0.25, random_state=0, stratify=labels
    )
    return Split(
        ArrayDataset(standardise_digits(x_train), y_train),
        ArrayDataset(standardise_digits(x_test), y_test),
    )


def standardise_digits(pixels: Any) -> np.ndarray:
    """Turn pixels from 0 to 16 into what a network trained on `load_digits` expects.

    Parameters
    ----------
    pixels : array-like, shape (N, 8, 8) or (8, 8)
        Ink from 0 (none) to 16.

    Returns
    -------
    numpy.ndarray of float32, shape (N, 1, 8, 8)
        Standardised images with a channel axis; ``N`` is 1 for a single image.

    Raises
    ------
    ValueError
        If the images are not 8 x 8.
    """
    x = np.asarray(pixels, dtype=np.float64)
    if x.ndim not in (2, 3) or x.shape[-2:] != (8, 8):
        raise ValueError(f"digits are images of 8 x 8 pixels, got an array of shape {x.shape}")
    standard = (x - DIGITS_MEAN) / DIGITS_STD
    return standard.reshape(-1, 1, 8, 8).astype(np.float32)
