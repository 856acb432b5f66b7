"""Batch-norm bodies, compiled for the host, against the portable code and against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda import host
from tests.cuda.calls import (
    DTYPES,
    assert_same,
    name_of,
    normal,
    portable,
    there_and_back,
    whole,
)
from tests.ops import strategies
from xpconv import ops
from xpconv.engines import body
from xpconv.ops._channel_norm import batch_rectified, batch_standardised

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ROUNDING = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 4e-2}


def compare(x: np.ndarray, parameters: list[np.ndarray | None], **options: Any) -> None:
    mine = there_and_back(ops.batch_norm, x, *parameters, **options)
    with portable():
        theirs = there_and_back(ops.batch_norm, x, *parameters, **options)
    rounding = ROUNDING[str(x.dtype)]
    for a, b in zip(mine, theirs, strict=True):
        size = 1.0 if b is None else max(1.0, float(np.abs(b.astype(np.float64)).max(initial=0)))
        assert_same([a], [b], rtol=0, atol=rounding * size)


@same_fixture
@given(
    batch=st.integers(2, 5),
    channels=st.sampled_from([1, 3, 4, 8, 33, 40]),
    spatial=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    seed=strategies.seeds,
    dtype=st.sampled_from(DTYPES),
    affine=st.sampled_from(["both", "weight", "bias", "none"]),
    last=st.booleans(),
    single=st.booleans(),
)
@pytest.mark.parametrize("training", [True, False])
def test_as_portable(
    training: bool,
    batch: int,
    channels: int,
    spatial: tuple[int, ...],
    seed: int,
    dtype: Any,
    affine: str,
    last: bool,
    single: bool,
) -> None:
    x = normal((batch, channels, *spatial), dtype, seed)
    if last and spatial:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    kind = "float32" if single and name_of(dtype) in ("float16", "bfloat16") else dtype
    mean, weight, bias = (normal((channels,), kind, seed + k) for k in range(3))
    var = np.abs(normal((channels,), kind, seed + 3)) + np.asarray(0.5, dtype=kind)
    compare(
        x,
        [
            None if training else mean,
            None if training else var,
            weight if affine in ("both", "weight") else None,
            bias if affine in ("both", "bias") else None,
        ],
        training=training,
    )


def test_statistics_keep_their_digits_far_from_zero() -> None:
    x = (normal((64, 5, 9, 9), "float64") * 1e-2 + 1e3).astype("float32")
    mean, var, _ = body("batch_moments", x)(x, 0.0)
    wide = x.astype("float64")
    np.testing.assert_allclose(mean, wide.mean(axis=(0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(var, wide.var(axis=(0, 2, 3)), rtol=1e-3)


@pytest.mark.parametrize("channels", [3, 64])
def test_many_blocks_in_any_order(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # More rows than one block takes; a barrier that is missing would show in the reversed order.
    x = normal((150, channels, 5, 4), "float32")
    first = there_and_back(ops.batch_norm, x, None, None, training=True)
    monkeypatch.setattr(host.Order, "reversed", True)
    assert_same(first, there_and_back(ops.batch_norm, x, None, None, training=True))
    compare(x, [None, None], training=True)


def test_a_number_that_is_none_spoils_its_channel_only() -> None:
    x = normal((4, 6, 3, 3), "float32")
    x[1, 2, 0, 0] = np.nan
    y = ops.batch_norm(x, None, None, training=True)
    assert np.isnan(y[:, 2]).all()
    assert not np.isnan(np.delete(y, 2, axis=1)).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_a_rectifier_after_it_changes_no_bit(activation: str, dtype: Any, affine: bool) -> None:
    x, dy = (normal((40, 8, 5, 3), dtype, seed) for seed in (1, 2))
    x[0, 0, 0] = 20  # some of it ends at 6 where nothing scales it
    weight, bias = (normal((8,), dtype, seed) if affine else None for seed in (3, 4))
    found = batch_rectified(activation, x, weight, bias, 1e-5)
    alone = batch_standardised(x, weight, bias, 1e-5)
    y, back = ops.vjp(getattr(ops, activation), alone.y)
    assert activation == "relu" or affine or (y == 6).any()
    assert_same([found.y], [y])
    assert_same(list(found.pullback(dy)), list(alone.pullback(back(dy)[0])))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5), (700, 3, 4), (2, 40, 30, 11), (1, 1)])
def test_sums_of_channels(shape: tuple[int, ...], dtype: Any) -> None:
    x = whole(shape, dtype)
    sums = body("channel_sums", x)(x)
    axes = (0, *range(2, len(shape)))
    assert_same([sums], [x.astype("float64").sum(axis=axes).astype(dtype)])
