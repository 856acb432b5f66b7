"""The dropout body, compiled for the host: the portable mask, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda.calls import DTYPES, assert_same, normal, portable, there_and_back
from tests.ops import strategies
from xpconv import get_backend, ops
from xpconv._late import Late, Table

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_fixture
@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple),
    seed=strategies.seeds,
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["plain", "channels last", "gaps", "not aligned"]),
    p=st.sampled_from([0.1, 0.5, 0.9, 1 - 1e-12, 1e-12]),
    key=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_as_portable(
    shape: tuple[int, ...], seed: int, dtype: Any, layout: str, p: float, key: tuple[int, int]
) -> None:
    x = np.asarray(normal(shape, dtype, seed))
    if layout == "channels last" and len(shape) > 2:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == "gaps" and shape:
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    if layout == "not aligned" and shape:
        x = np.concatenate([x.ravel()[:1], x.ravel()])[1:].reshape(shape)
    mine = there_and_back(ops.dropout, x, p, key=key)
    with portable():
        assert_same(mine, there_and_back(ops.dropout, x, p, key=key))


def test_many_channels_last_stay_so() -> None:
    x = np.moveaxis(normal((2, 7, 5, 8), "float32"), -1, 1)
    y, back = ops.vjp(ops.dropout, x, 0.5, key=(1, 2))
    assert y.strides == x.strides == back(y)[0].strides


def test_what_is_no_number() -> None:
    x = np.asarray([np.nan, np.inf, -np.inf, 1.0] * 8, dtype="float32")
    mine = there_and_back(ops.dropout, x, 0.5, key=(3, 4))
    with portable():
        assert_same(mine, there_and_back(ops.dropout, x, 0.5, key=(3, 4)))


def test_keys_that_come_late() -> None:
    x, words = np.asarray(normal((3, 8), "float32")), [1, 2**32 - 1]
    table = Table(get_backend("numpy"), lambda target, values: np.copyto(target, values))
    with table.in_force(recording=False):
        key = Late(lambda: words[0]), Late(lambda: words[1])
        mine = there_and_back(ops.dropout, x, 0.5, key=key)
    assert_same(mine, there_and_back(ops.dropout, x, 0.5, key=(1, 2**32 - 1)))
