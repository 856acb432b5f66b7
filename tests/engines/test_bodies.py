"""Fused bodies compute what the portable code does; operations use them where there are any."""

from __future__ import annotations

import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, strategies as st

from tests import reference
from tests.engines.test_direct import NEEDED
from tests.ops import strategies
from xpconv import engines, ops
from xpconv.engines import _bodies, _numpy
from xpconv.ops import _channel_norm
from xpconv.ops._max_pool_axis import argmax, places, route
from xpconv.ops._pool_windows import apart, pool_windows


def drawn(size: tuple[int, ...], dtype: str, seed: int, last: bool) -> np.ndarray:
    """Numbers of all signs with ties, NaN and infinities among them; channels-last or first."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=size) * 2).astype(dtype)
    x[rng.random(size) < 0.03] = np.nan
    x[rng.random(size) < 0.03] = -np.inf
    x[rng.random(size) < 0.03] = np.inf
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if last else x


DTYPES = st.sampled_from(["float32", "float64"])


def test_other_libraries_and_dtypes_have_none() -> None:
    assert engines.body("relu", np.zeros(3, np.int64)) is None
    assert engines.body("no such body", np.zeros(3)) is None
    strict = pytest.importorskip("array_api_strict")
    assert engines.body("relu", strict.zeros(3)) is None


@given(size=st.integers(0, 30000), dtype=DTYPES, seed=strategies.seeds)
def test_relu(size: int, dtype: str, seed: int) -> None:
    x = drawn((1, size), dtype, seed, False)[0]
    dy = np.random.default_rng(seed).normal(size=size).astype(dtype)
    y = engines.body("relu", x)(x)
    dx = engines.body("relu_grad", x)(dy, y)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    np.testing.assert_array_equal(dx, np.where(y <= 0, 0, dy))


@given(size=st.integers(0, 30000), dtype=DTYPES, seed=strategies.seeds)
def test_relu6(size: int, dtype: str, seed: int) -> None:
    x = drawn((1, size), dtype, seed, False)[0] * 2
    dy = np.random.default_rng(seed).normal(size=size).astype(dtype)
    y = engines.body("relu6", x)(x)
    dx = engines.body("relu6_grad", x)(dy, y)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_array_equal(y, np.minimum(np.maximum(x, 0), 6))
    np.testing.assert_array_equal(dx, np.where((x > 0) & (x < 6), dy, 0))


def test_relu_keeps_the_memory_order() -> None:
    x = np.moveaxis(np.ones((4, 32, 32, 8), np.float32), -1, 1)
    y, back = ops.vjp(ops.relu, x)
    assert y.strides == x.strides
    assert back(np.ones_like(y, order="C"))[0].strides == x.strides
    assert ops.relu(np.float32(-1).reshape(())).shape == ()


@pytest.mark.parametrize("affine", [True, False])
@given(
    size=st.tuples(*(st.integers(1, n) for n in (9, 80, 9, 9))),
    dtype=DTYPES,
    seed=strategies.seeds,
    last=st.booleans(),
)
def test_batch_norm(affine: bool, size, dtype: str, seed: int, last: bool) -> None:
    rng = np.random.default_rng(seed)
    size = (size[0] + 1, *size[1:])
    x = drawn(size, dtype, seed, last)
    x = np.where(np.isfinite(x), x, 1) + 3
    dy = rng.normal(size=size).astype(dtype)
    weight, bias = (rng.normal(size=size[1]).astype(dtype) if affine else None for _ in range(2))
    xp = array_namespace(x)
    expected = _channel_norm.of_channels(xp, x, range(2, -1, -1), weight, bias, 1e-3)
    found = _channel_norm.batch_standardised(x, weight, bias, 1e-3)
    tolerance = 3e-4 if dtype == "float32" else 1e-11
    results = [found.y, found.mean, found.var, *found.pullback(dy)]
    wanted = [expected.y, expected.mean.ravel(), expected.var.ravel(), *expected.pullback(dy)]
    for mine, theirs in zip(results, wanted):
        if theirs is None:
            assert mine is None
            continue
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance * 30)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("activation", ["relu", "relu6"])
@given(
    size=st.tuples(*(st.integers(1, n) for n in (9, 80, 9, 9))),
    dtype=DTYPES,
    seed=strategies.seeds,
    last=st.booleans(),
)
def test_with_a_rectifier_to_the_last_bit(
    activation: str, affine: bool, size, dtype: str, seed: int, last: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, dy = drawn(size, dtype, seed, last), drawn(size, dtype, seed + 1, not last)
    mean, rstd = (rng.uniform(0, 2, size[1]).astype(dtype) for _ in range(2))
    weight, bias = (rng.normal(size=size[1]).astype(dtype) if affine else None for _ in range(2))
    named = {name: engines.body(name, x) for name in engines._numba._BODIES}
    with np.errstate(invalid="ignore"):
        y = named[activation](named["normalise"](x, mean, rstd, weight, bias))
        found = named[f"normalise_{activation}"](x, mean, rstd, weight, bias)
        cut = named[f"{activation}_grad"](dy, y)
        expected = named["batch_norm_grad"](cut, x, mean, rstd, weight)
        gradients = named[f"batch_norm_{activation}_grad"](dy, x, mean, rstd, weight, bias)
        np.testing.assert_array_equal(named["add"](x, dy), x + dy)
        np.testing.assert_array_equal(named["add_relu"](x, dy), np.maximum(x + dy, 0))
    np.testing.assert_array_equal(found, y)
    for mine, theirs in zip(gradients, expected):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_many_numbers(dtype: str) -> None:
    x, y = drawn((4, 16, 33, 31), dtype, 0, True), drawn((4, 16, 33, 31), dtype, 1, False)
    with np.errstate(invalid="ignore"):
        total = x + y
        np.testing.assert_array_equal(engines.body("add", x)(x, y), total)
        np.testing.assert_array_equal(engines.body("add_relu", x)(x, y), np.maximum(total, 0))


def test_batch_norm_of_numbers_far_from_zero() -> None:
    x = (1e4 + np.random.default_rng(0).normal(size=(16, 3, 40, 40))).astype(np.float32)
    found = _channel_norm.batch_standardised(x, None, None, 1e-5)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=(0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(found.var, exact.var(axis=(0, 2, 3)), rtol=1e-5)


@NEEDED
@pytest.mark.parametrize("n", [1, 2, 3])
@given(data=st.data(), dtype=DTYPES, seed=strategies.seeds, last=st.booleans())
def test_max_pool(n: int, data, dtype: str, seed: int, last: bool) -> None:
    def each(low: int, high: int) -> tuple[int, ...]:
        return data.draw(st.tuples(*(st.integers(low, high) for _ in range(n))))

    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(data.draw(st.integers(d * (k - 1) + 1, 9)) for k, d in zip(kernel, dilation))
    x = drawn((2, data.draw(st.integers(1, 40)), *size), dtype, seed, last)
    windows = pool_windows(n, x, kernel, stride, padding, dilation, data.draw(st.booleans()))
    xp = array_namespace(x)
    best, numbers = argmax(xp, x, windows)
    y, number, position = engines.body("max_pool", x)(x, windows, True, True)
    assert number.dtype == np.uint8
    np.testing.assert_array_equal(y, best)
    np.testing.assert_array_equal(position, places(xp, windows, numbers))
    dy = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    dx = engines.body("max_pool_grad", x)(dy, number, windows)
    np.testing.assert_allclose(dx, route(xp, dy, windows, numbers), rtol=1e-4, atol=1e-5)


@NEEDED
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 6, 8, 15, 16, 17, 33])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((6, 8), (2, 2), (2, 2), (0, 0)),  # each pixel in one window
        ((7, 5), (2, 2), (2, 2), (0, 0)),  # the last row and column in none
        ((7, 8), (2, 1), (3, 2), (1, 0)),  # pixels between the windows in none
        ((6, 7), (3, 3), (2, 2), (1, 1)),  # over one another, and over the edge
        ((18, 17), (17, 16), (1, 1), (3, 2)),  # more elements than a byte counts
    ],
)
def test_max_pool_by_vectors_of_channels(
    dtype: str, channels: int, size, kernel, stride, padding
) -> None:
    """Vectors that are full and that are not, against plain loops, with ties and NaN."""
    x = drawn((2, channels, *size), dtype, channels, True)
    windows = pool_windows(2, x, kernel, stride, padding, 1, False)
    y, number, position = engines.body("max_pool", x)(x, windows, True, True)
    best, places_ = reference.max_pool(x, kernel, stride, padding, (1, 1))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, best)
    np.testing.assert_array_equal(position, places_)
    dy = np.random.default_rng(channels).normal(size=y.shape).astype(dtype)
    dx = engines.body("max_pool_grad", x)(dy, number, windows)
    assert dx.dtype == dtype
    np.testing.assert_allclose(
        dx, reference.max_pool_gradient(x, places_, dy), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("n", [1, 2, 3])
@given(data=st.data(), dtype=DTYPES, seed=strategies.seeds, last=st.booleans())
def test_disjoint_max_pool(n: int, data, dtype: str, seed: int, last: bool) -> None:
    def each(low: int, high: int) -> tuple[int, ...]:
        return data.draw(st.tuples(*(st.integers(low, high) for _ in range(n))))

    kernel, dilation = each(1, 3), each(1, 2)
    stride = tuple(d * (k - 1) + s for k, d, s in zip(kernel, dilation, each(1, 2)))
    size = tuple(d * (k - 1) + more for k, d, more in zip(kernel, dilation, each(1, 6)))
    lead = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 20)))
    x = drawn((*lead, *size), dtype, seed, last)
    windows = pool_windows(n, x, kernel, stride, 0, dilation, False)
    assert apart(windows)
    xp = array_namespace(x)
    best, numbers = argmax(xp, x, windows)
    y, number = _numpy.body("disjoint_max_pool", dtype)(x, windows, True)
    np.testing.assert_array_equal(y, best)
    np.testing.assert_array_equal(_numpy.body("disjoint_max_pool", dtype)(x, windows, False)[0], y)
    dy = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    dx = _numpy.body("disjoint_max_pool_grad", dtype)(dy, number, windows)
    np.testing.assert_array_equal(dx, route(xp, dy, windows, numbers))


def test_sums_do_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).normal(size=(8, 16, 40, 40)).astype(np.float32)
    results = []
    for count in (1, 3):
        monkeypatch.setenv("XPCONV_NUM_THREADS", str(count))
        found = _channel_norm.batch_standardised(x, None, None, 1e-5)
        results.append([found.y, found.mean, found.var, found.pullback(x)[0]])
    for one, other in zip(*results):
        np.testing.assert_array_equal(one, other)


def test_a_table_names_the_libraries() -> None:
    assert "numpy" in _bodies.LOOKUPS
