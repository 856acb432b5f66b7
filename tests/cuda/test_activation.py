"""The rectifiers' bodies, compiled for the host: to the last bit what the portable code answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda.calls import DTYPES, assert_same, normal, portable, there_and_back
from tests.ops import strategies
from xpconv import ops
from xpconv.ops._join import rectified_sum

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def compare(x: np.ndarray) -> None:
    for operation in (ops.relu, ops.relu6):
        mine = there_and_back(operation, x)
        with portable():  # picking among numbers is the same in float32, where NumPy lacks bfloat16
            theirs = there_and_back(operation, x.astype("float32") if x.dtype.kind == "V" else x)
        assert_same(mine, [array.astype(x.dtype) for array in theirs])


@same_fixture
@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    seed=strategies.seeds,
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["plain", "channels last", "gaps"]),
)
def test_as_portable(shape: tuple[int, ...], seed: int, dtype: Any, layout: str) -> None:
    x = np.asarray(normal(shape, dtype, seed))
    if layout == "channels last" and len(shape) > 2:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == "gaps" and shape:
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    compare(x)


def test_many_at_once_keep_their_memory_order() -> None:
    x = np.moveaxis(normal((2, 5, 5, 8), "float32"), -1, 1)
    y, back = ops.vjp(ops.relu, x)
    assert y.strides == x.strides == back(y)[0].strides
    compare(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_no_number(dtype: Any) -> None:
    compare(
        np.asarray([np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, -1.0, 2.0, 6.0, 7.0]).astype(dtype)
    )


@same_fixture
@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    seed=strategies.seeds,
    dtype=st.sampled_from(["float32", "float64", "float16"]),
    last=st.booleans(),
)
def test_a_sum_before_it(shape: tuple[int, ...], seed: int, dtype: str, last: bool) -> None:
    x, y = (np.asarray(normal(shape, dtype, seed + k)) for k in range(2))
    if last and len(shape) > 2:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    mine, back = rectified_sum(x, y)
    with portable():
        theirs, portable_back = rectified_sum(x, y)
    assert_same([mine, *back(y)], [theirs, *portable_back(y)])
    assert not last or len(shape) < 3 or mine.size == 0 or mine.strides == x.strides
