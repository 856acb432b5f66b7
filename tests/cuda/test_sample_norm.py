"""Group, instance and layer norm's bodies, compiled for the host, against the portable code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda import host
from tests.cuda.calls import DTYPES, assert_same, name_of, normal, portable, there_and_back
from tests.ops import strategies
from xpconv import ops
from xpconv.ops._norm import instance_standardised

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ROUNDING = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 4e-2}


def compare(operation: Any, *arrays: Any, **options: Any) -> None:
    mine = there_and_back(operation, *arrays, **options)
    with portable():
        theirs = there_and_back(operation, *arrays, **options)
    for a, b in zip(mine, theirs, strict=True):
        size = 1.0 if b is None else max(1.0, float(np.abs(b.astype(np.float64)).max(initial=0)))
        assert_same([a], [b], rtol=0, atol=ROUNDING[str(arrays[0].dtype)] * size)


@same_fixture
@given(
    kind=st.sampled_from(["group", "instance", "layer"]),
    batch=st.integers(1, 3),
    groups=st.sampled_from([1, 2, 5, 33]),
    each=st.sampled_from([1, 2, 8]),
    spatial=st.lists(st.integers(2, 5), min_size=1, max_size=2).map(tuple),
    seed=strategies.seeds,
    dtype=st.sampled_from(DTYPES),
    affine=st.sampled_from(["both", "weight", "none"]),
    last=st.booleans(),
    single=st.booleans(),
)
def test_as_portable(
    kind: str,
    batch: int,
    groups: int,
    each: int,
    spatial: tuple[int, ...],
    seed: int,
    dtype: Any,
    affine: str,
    last: bool,
    single: bool,
) -> None:
    channels = groups * each
    x = normal((batch, channels, *spatial), dtype, seed)
    if last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    own = "float32" if single and name_of(dtype) in ("float16", "bfloat16") else dtype
    shape = x.shape[2:] if kind == "layer" else (channels,)
    weight, bias = (normal(shape, own, seed + k) for k in (1, 2))
    weight = None if affine == "none" else weight
    bias = bias if affine == "both" else None
    if kind == "group":
        compare(ops.group_norm, x, groups, weight, bias)
    elif kind == "instance":
        compare(ops.instance_norm, x, None, None, weight, bias)
    else:
        compare(ops.layer_norm, x, shape, weight, bias)


def test_statistics_of_instances() -> None:
    x = normal((3, 5, 4, 6), "float64") + 3
    found = instance_standardised(x, None, None, 1e-5)
    np.testing.assert_allclose(found.mean[:, 0, 0], x.mean(axis=(2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.var[:, 0, 0], x.var(axis=(2, 3)), rtol=1e-12)


@pytest.mark.parametrize("each", [1, 16])
def test_barriers(each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = normal((2, 3 * each, 20, 20), "float32"), normal((3 * each,), "float32")
    first = there_and_back(ops.group_norm, x, 3, weight, weight)
    monkeypatch.setattr(host.Order, "reversed", True)
    assert_same(first, there_and_back(ops.group_norm, x, 3, weight, weight))


def test_a_number_that_is_none_spoils_its_group_only() -> None:
    x = normal((2, 6, 3, 3), "float32")
    x[1, 2, 0, 0] = np.nan
    y = ops.group_norm(x, 3)
    assert np.isnan(y[1, 2:4]).all()
    y[1, 2:4] = 0
    assert not np.isnan(y).any()
