"""A small network with everything that makes resuming hard, and data for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpconv import nn
from xpconv.backend import use_backend
from xpconv.data import ArrayDataset
from xpconv.random import Stream


def network(
    backend: str = "numpy", dtype: str = "float32", seed: int = 0, dropout: float = 0.25
) -> nn.Sequential:
    """Convolution, batch norm, pooling, dropout, for images of 1 x 6 x 6 and 3 classes."""
    rng = Stream(seed)
    with use_backend(backend):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, rng=rng),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, rng=rng),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(24, 3, rng=rng),
        )
    return model.to(dtype=dtype)


def images(n: int = 26, seed: int = 7, dtype: str = "float32") -> ArrayDataset:
    """Noise with a bright stripe whose direction is the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.standard_normal((n, 1, 6, 6))
    x[y == 1, :, 2] += 2
    x[y == 2, :, :, 2] += 2
    return ArrayDataset(x.astype(dtype), y)


def host_state(model: nn.Module) -> dict[str, np.ndarray]:
    """A model's state as copies on the host."""
    from tests.backends import host

    return {name: np.array(host(value)) for name, value in model.state_dict().items()}


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        np.testing.assert_array_equal(np.asarray(other[name]), value, err_msg=name)
