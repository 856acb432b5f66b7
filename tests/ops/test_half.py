"""Half precision: sums are longer than float16 can count, and still come out right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from xpconv import ops

SIDE = 300  # 300 x 300 ones add up to 90,000; the largest float16 is 65,504
LONG = 100_000


def ramp(*shape: int) -> np.ndarray:
    return np.linspace(100, 300, int(np.prod(shape))).reshape(shape)


LONG_SUMS = [
    ("global_avg_pool", (np.full((1, 1, SIDE, SIDE), 1.5),), {}),
    ("avg_pool2d", (np.full((1, 1, SIDE, SIDE), 1.5),), {"kernel_size": SIDE}),
    ("mse_loss", (np.ones(LONG), np.zeros(LONG)), {}),
    ("binary_cross_entropy_with_logits", (np.zeros(LONG), np.ones(LONG)), {}),
    ("softmax", (np.zeros((1, LONG)),), {}),
    ("batch_norm", (ramp(LONG, 1), None, None), {"training": True}),
    ("linear", (np.full((2, 4096), 0.25), np.full((3, 4096), 0.25)), {}),
    ("conv2d", (np.full((1, 512, 4, 4), 0.25), np.full((2, 512, 3, 3), 0.25)), {}),
]


@pytest.mark.parametrize(
    ("name", "arrays", "options"), LONG_SUMS, ids=[name for name, *_ in LONG_SUMS]
)
def test_long_sums(backend: Library, name: str, arrays: tuple, options: dict[str, Any]) -> None:
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    operation = getattr(ops, name)
    here = [None if array is None else backend.array(array, "float16") for array in arrays]
    exact = [None if array is None else host(array).astype("float64") for array in here]
    y, pullback = ops.vjp(operation, *here, **options)
    desired, exact_pullback = ops.vjp(operation, *exact, **options)
    backend.assert_close(y, desired, rtol=2e-3, dtype="float16")
    dy = np.ones(y.shape, "float16")
    gradients = exact_pullback(dy.astype("float64"))
    for actual, gradient in zip(pullback(backend.array(dy)), gradients, strict=True):
        if gradient is not None:
            backend.assert_close(actual, gradient, rtol=4e-3, atol=1e-6, dtype="float16")
