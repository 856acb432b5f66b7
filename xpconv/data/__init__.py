"""Data on the host: arrays of samples, the order they are taken in, and a bundled data set."""

from __future__ import annotations

from ._batches import (
    as_count as as_count,
    batches as batches,
    on_backend as on_backend,
    shuffled as shuffled,
    to_device as to_device,
)
from ._dataset import ArrayDataset as ArrayDataset
from ._digits import (
    DIGITS_MEAN as DIGITS_MEAN,
    DIGITS_STD as DIGITS_STD,
    load_digits as load_digits,
    standardise_digits as standardise_digits,
)
from ._split import Split as Split, train_validation_split as train_validation_split

__all__ = [
    "DIGITS_MEAN",
    "DIGITS_STD",
    "ArrayDataset",
    "Split",
    "as_count",
    "batches",
    "load_digits",
    "on_backend",
    "shuffled",
    "standardise_digits",
    "to_device",
    "train_validation_split",
]
