"""Pooling bodies, compiled for the host: to the last bit what the portable code answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from tests.cuda.calls import DTYPES, assert_same, name_of, normal, portable, there_and_back, whole
from tests.ops import strategies
from xpconv import ops

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    if layout == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == "every second":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return x[:, ::-1].copy()[:, ::-1] if layout == "reversed" else x


LAYOUTS = ["channels first", "channels last", "every second", "reversed"]


def shape_of(pool: strategies.Pool, times: int) -> tuple[int, ...]:
    """The drawn shape with more channels, which threads then read several at once."""
    return (pool.x[0], pool.x[1] * times, *pool.x[2:])


def options_of(pool: strategies.Pool) -> dict[str, Any]:
    names = ("kernel_size", "stride", "padding", "ceil_mode")
    return {name: getattr(pool, name) for name in names}


def compare(operation: Any, x: np.ndarray, **options: Any) -> None:
    mine = there_and_back(operation, x, **options)
    with portable():
        theirs = there_and_back(operation, x, **options)
    assert_same(mine, theirs)


@same_fixture
@given(
    pool=strategies.pools(dilated=True),
    times=st.sampled_from([1, 4, 8]),
    seed=strategies.seeds,
    indices=st.booleans(),
    layout=st.sampled_from(LAYOUTS),
    dtype=st.sampled_from(DTYPES),
)
def test_max_pool(pool: Any, times: int, seed: int, indices: bool, layout: str, dtype: Any) -> None:
    x = laid_out(whole(shape_of(pool, times), dtype, seed), layout)
    options = options_of(pool) | {"dilation": pool.dilation, "return_indices": indices}
    compare(getattr(ops, f"max_pool{pool.dims}d"), x, **options)


@same_fixture
@given(
    pool=strategies.pools(),
    times=st.sampled_from([1, 4, 8]),
    seed=strategies.seeds,
    count_include_pad=st.booleans(),
    divisor=st.sampled_from([None, None, 3, -2]),
    layout=st.sampled_from(LAYOUTS),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_avg_pool(
    pool: Any,
    times: int,
    seed: int,
    count_include_pad: bool,
    divisor: int | None,
    layout: str,
    dtype: str,
) -> None:
    assume(pool.dims < 3 or all(k <= n for k, n in zip(pool.kernel_size, pool.x[2:])))
    x = laid_out(normal(shape_of(pool, times), dtype, seed), layout)
    options = options_of(pool) | {"count_include_pad": count_include_pad}
    if pool.dims > 1:
        options["divisor_override"] = divisor
    compare(getattr(ops, f"avg_pool{pool.dims}d"), x, **options)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_ties(dtype: Any) -> None:
    x = np.asarray([[1, 1, np.nan, 0], [0, 1, 0, np.nan], [-np.inf] * 4, [-np.inf] * 4])
    for kernel in (2, 3):
        compare(
            ops.max_pool2d, x.astype(dtype)[None, None], kernel_size=kernel, return_indices=True
        )


def test_dilated_windows_that_miss_the_image() -> None:
    x = normal((1, 4, 2, 2), "float32")
    options = {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 3}
    with pytest.raises(ValueError, match="Output size is too small"):
        compare(ops.max_pool2d, x, **options)
    x = normal((1, 4, 5, 6), "float32")
    compare(ops.max_pool2d, x, return_indices=True, **options)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_averages_of_half_precision_are_rounded_once(dtype: str) -> None:
    if dtype not in map(name_of, DTYPES):
        pytest.skip("ml_dtypes is not installed: NumPy has no bfloat16")
    x = normal((2, 8, 7, 7), next(d for d in DTYPES if name_of(d) == dtype))
    compare(ops.avg_pool2d, x, kernel_size=3, stride=2, padding=1)
    compare(ops.avg_pool2d, x, kernel_size=3, stride=1)


def test_windows_of_more_elements_than_a_byte_counts() -> None:
    compare(ops.max_pool2d, normal((1, 4, 20, 40), "float32"), kernel_size=(17, 17), stride=3)


def test_divisors_beyond_32_bits() -> None:
    compare(ops.avg_pool2d, normal((1, 4, 5, 5), "float64"), kernel_size=2, divisor_override=2**40)


def test_integers_stay_with_the_portable_code() -> None:
    compare(ops.max_pool2d, whole((1, 2, 4, 4), "int64"), kernel_size=2)


@pytest.mark.parametrize("size", [1, (2, 3), (4, 3), (8, None)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adaptive_pools_of_equal_windows(size: Any, dtype: str) -> None:
    x = laid_out(normal((2, 8, 8, 9), dtype), "channels last")
    for operation in (ops.adaptive_avg_pool2d, ops.adaptive_max_pool2d):
        mine = there_and_back(operation, x, size)
        with portable():
            theirs = there_and_back(operation, x, size)
        assert_same(mine, theirs, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-6)


def test_one_without_a_batch_and_unequal_windows() -> None:
    for shape, size in (((8, 8, 9), (2, 3)), ((2, 8, 7, 9), (3, 4))):
        compare(ops.adaptive_avg_pool2d, normal(shape, "float64"), output_size=size)
