"""Compiled passes of average pools and dropout: against plain loops, for any memory order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.engines.test_bodies import DTYPES, drawn
from tests.engines.test_direct import NEEDED
from tests.ops import strategies
from xpconv import engines, ops
from xpconv.ops._pool_windows import pool_windows

pytestmark = NEEDED


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 8, 15, 16, 17, 33])
@pytest.mark.parametrize("counting", [(True, None), (False, None), (True, 7)])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "ceil"),
    [
        ((6, 8), (2, 2), (2, 2), (0, 0), False),  # each pixel in one window
        ((7, 5), (2, 2), (2, 2), (0, 0), True),  # a last window hangs over
        ((7, 8), (2, 1), (3, 2), (1, 0), False),  # pixels between the windows in none
        ((6, 7), (3, 3), (2, 2), (1, 1), True),  # over one another, and over the edge
        ((12, 13), (10, 9), (1, 2), (3, 2), False),  # rows of large windows by themselves
    ],
)
def test_average_pool_by_vectors_of_channels(
    dtype: str, channels: int, counting, size, kernel, stride, padding, ceil: bool
) -> None:
    rng = np.random.default_rng(channels)
    x = rng.normal(size=(2, *size, channels)).astype(dtype).transpose(0, 3, 1, 2)
    windows = pool_windows(2, x, kernel, stride, padding, 1, ceil)
    y = engines.body("avg_pool", x)(x, windows, *counting)
    desired = reference.avg_pool(x, kernel, stride, padding, ceil, *counting)
    assert y.dtype == dtype
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(y, desired, rtol=tolerance, atol=tolerance)
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = engines.body("avg_pool_grad", x)(dy, windows, *counting)
    desired = reference.avg_pool_gradient(x, dy, kernel, stride, padding, ceil, *counting)
    assert dx.dtype == dtype
    np.testing.assert_allclose(dx, desired, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_windows(bad: float) -> None:
    x = np.ones((1, 17, 4, 6), np.float32)
    x[0, 16, 1, 2] = bad
    y, pullback = ops.vjp(ops.avg_pool2d, x, 2)
    expected = np.ones((1, 17, 2, 3), np.float32)
    expected[0, 16, 0, 1] = bad
    np.testing.assert_array_equal(y, expected)
    dy = np.zeros_like(y)
    dy[0, 3, 1, 0] = bad
    dx = np.zeros_like(x)
    dx[0, 3, 2:, :2] = bad
    np.testing.assert_array_equal(pullback(dy)[0], dx)


def test_large_windows_lose_few_digits() -> None:
    """One after the other, 16384 numbers of float32 near 1 would lose five digits."""
    x = np.random.default_rng(0).uniform(0.9, 1.1, size=(1, 4, 256, 128)).astype(np.float32)
    y = ops.avg_pool2d(x, 128)
    exact = x.astype(np.float64).reshape(1, 4, 2, 128, 128).mean(axis=(3, 4))
    np.testing.assert_allclose(y[..., 0], exact, rtol=2e-6)


def words(key: tuple[int, int], count: int) -> list[int]:
    """Philox4x32-10 as its authors write it down, one counter after the other."""
    found: list[int] = []
    for block in range(-(-count // 4)):
        c, k = [block % 2**32, block >> 32, 0, 0], list(key)
        for _ in range(10):
            p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
            c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
            k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
        found += c
    return found[:count]


KEYS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


@given(
    size=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    key=KEYS,
    p=st.floats(0.0, 0.999),
    dtype=DTYPES,
    seed=strategies.seeds,
    last=st.booleans(),
)
def test_dropout(size, key, p: float, dtype: str, seed: int, last: bool) -> None:
    """The words of plain order decide, however the memory lies; what is dropped is x times 0."""
    x = drawn(tuple(size), dtype, seed, last and len(size) > 2)
    limit, scale = round(p * 2**32), 1 / (1 - p)
    y = engines.body("dropout", x)(x, key, limit, scale)
    kept = np.array(words(key, x.size), dtype=np.int64).reshape(x.shape) >= limit
    with np.errstate(invalid="ignore"):
        desired = x * (kept * x.dtype.type(scale))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, desired)


@pytest.mark.parametrize("shape", [(3, 40, 8, 8), (3, 40, 7, 7), (5, 5000), (70000,)])
def test_dropout_of_many_numbers_on_any_number_of_threads(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    layouts = [x]
    if x.ndim == 4:
        layouts.append(np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1))
        layouts.append(x[:, :, ::-1])  # neither plain nor channels-last
    kept = np.array(words((7, 9), x.size)).reshape(shape) >= round(0.3 * 2**32)
    for count in (1, 3):
        monkeypatch.setenv("XPCONV_NUM_THREADS", str(count))
        for given_ in layouts:
            y, pullback = ops.vjp(ops.dropout, given_, 0.3, True, key=(7, 9))
            desired = given_ * (kept * np.float32(1 / (1 - 0.3)))
            np.testing.assert_array_equal(y, desired)
            np.testing.assert_array_equal(pullback(given_)[0], desired)
