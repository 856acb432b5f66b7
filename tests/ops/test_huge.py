"""Arrays with more elements than 32 bits can count, where a GPU has the memory for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from xpconv import ops

HUGE = (33, 64, 1024, 1024)  # 2.2e9 elements, 8.9 GB; 2**31 are passed in the last sample
FREE = 60e9  # bytes, for what is computed with it and from it

Operation = Callable[..., Any]
OPERATIONS: dict[str, tuple[Operation, dict[str, Any], tuple[int, ...] | None]] = {
    "relu": (ops.relu, {}, None),
    "max_pool2d": (ops.max_pool2d, {"kernel_size": 2}, None),
    "avg_pool2d": (ops.avg_pool2d, {"kernel_size": 3, "stride": 2}, None),
    "conv2d-1x1": (ops.conv2d, {}, (2, 64, 1, 1)),
    "conv2d-3x3": (ops.conv2d, {"padding": 1, "stride": 2}, (2, 64, 3, 3)),
}


def check(backend: Library, name: str, shape: tuple[int, ...]) -> None:
    """Samples do not mix: each is as if it were alone, and the weight's gradient their sum."""
    operation, options, weight_shape = OPERATIONS[name]
    xp, rng = backend.xp, np.random.default_rng(0)
    base = backend.array(rng.standard_normal((1, *shape[1:]), dtype=np.float32))
    factors = backend.array(np.linspace(-1, 1, shape[0], dtype=np.float32).reshape(-1, 1, 1, 1))
    x = base * factors
    weight = ()
    if weight_shape is not None:
        weight = (backend.array(rng.standard_normal(weight_shape, dtype=np.float32)),)
    y, pullback = ops.vjp(operation, x, *weight, **options)
    dx, *dweight = pullback(y)
    total = None
    for i in range(shape[0]):
        alone, back = ops.vjp(operation, x[i : i + 1, ...], *weight, **options)
        dalone, *part = back(alone)
        if part:
            total = part[0] if total is None else total + part[0]
        if i in (0, shape[0] // 2, shape[0] - 1):
            for whole, single in ((y, alone), (dx, dalone)):
                difference = xp.max(xp.abs(whole[i : i + 1, ...] - single))
                assert float(difference) <= 1e-4 * float(xp.max(xp.abs(single))) + 1e-6, i
    if total is not None:
        difference = xp.max(xp.abs(dweight[0] - total))
        assert float(difference) < 1e-3 * float(xp.max(xp.abs(total)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_small(backend: Library, name: str) -> None:
    """What is compared holds where nothing is huge."""
    check(backend, name, (5, 64, 6, 8))


@pytest.mark.huge
@pytest.mark.parametrize("backend", ["cupy"], indirect=True)
@pytest.mark.parametrize("name", OPERATIONS)
def test_huge(backend: Library, name: str) -> None:
    import cupy

    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    free = backend.backend.memory_info().free
    if free < FREE:
        pytest.skip(f"needs {FREE / 1e9:.0f} GB of free GPU memory")
    try:
        check(backend, name, HUGE)
    finally:
        pool.free_all_blocks()
