"""Lp pooling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_pool
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

LP = {1: ops.lp_pool1d, 2: ops.lp_pool2d, 3: ops.lp_pool3d}


def test_by_hand(backend: Library) -> None:
    x = backend.array([[[3.0, -4.0, 0.0, 2.0]]])
    y, pullback = ops.vjp(ops.lp_pool1d, x, 2, 2)
    backend.assert_close(y, np.array([[[5.0, 2.0]]]))
    (dx,) = pullback(backend.array([[[1.0, 10.0]]]))
    backend.assert_close(dx, np.array([[[0.6, -0.8, 0.0, 10.0]]]))
    backend.assert_close(ops.lp_pool1d(x, float("inf"), 2), np.array([[[4.0, 2.0]]]))


@given(p=st.sampled_from([1, 2, 3, 1.5, -1]), kernel=st.integers(1, 3), stride=st.integers(1, 3))
def test_against_the_loops(backend: Library, p: float, kernel: int, stride: int) -> None:
    x = np.random.default_rng(kernel).uniform(0.5, 2.0, size=(2, 2, 6, 5))
    y = ops.lp_pool2d(backend.array(x), p, kernel, stride)
    backend.assert_close(y, reference_pool.lp_pool(x, p, kernel, stride))


@given(
    pool=strategies.pools(min_batch=1),
    p=st.sampled_from([1, 2, 2.0, 3, 4, 1.5, -1, -2.0, float("inf"), float("-inf")]),
    seed=strategies.seeds,
)
def test_as_pytorch(backend: Library, torch, pool, p: float, seed: int) -> None:
    theirs = getattr(torch.nn.functional, f"lp_pool{pool.dims}d")
    shape = tuple(max(n, k) for n, k in zip(pool.x[2:], pool.kernel_size, strict=True))
    kernel = pool.kernel_size[0] if pool.dims == 1 else pool.kernel_size
    options = {"stride": pool.stride, "ceil_mode": pool.ceil_mode}
    assert_as_torch(
        backend,
        LP[pool.dims],
        lambda x: theirs(x, p, kernel, **options),
        [np.random.default_rng(seed).uniform(0.5, 2.0, size=(*pool.x[:2], *shape))],
        norm_type=p,
        kernel_size=kernel,
        **options,
    )


@pytest.mark.parametrize("p", [1, 2, 3, 1.5, 0.5, -1, -2, float("inf"), float("-inf")])
def test_zeros_signs_nan_and_infinity_as_pytorch(backend: Library, torch, p: float) -> None:
    x = np.array([0.0, 0, 0, 2, -1, -2, -2, 2, np.nan, 2, np.inf, 2, 1, 2])[None, None]
    assert_as_torch(
        backend,
        ops.lp_pool1d,
        lambda x: torch.nn.functional.lp_pool1d(x, p, 2),
        [x],
        norm_type=p,
        kernel_size=2,
    )


def test_integers_as_pytorch(backend: Library, torch) -> None:
    x = np.arange(-8, 16).reshape(1, 1, 4, 6)
    functional = torch.nn.functional
    for dtype, p in (("int64", 2), ("int64", 3.0), ("uint8", 2.0), ("bool", 2)):
        desired = functional.lp_pool2d(torch.tensor(x.astype(dtype)), p, 2).numpy()
        y = ops.lp_pool2d(backend.array(x.astype(dtype)), p, 2)
        backend.assert_close(y, desired, dtype="float32")
    for dtype, p, error in (("int32", 2, TypeError), ("int64", -2, ValueError)):
        with pytest.raises(error, match=dtype if error is TypeError else "negative"):
            ops.lp_pool2d(backend.array(x.astype(dtype)), p, 2)


def test_empty_and_unbatched(backend: Library, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 5, 4))
    y = ops.lp_pool2d(backend.array(x[0]), 2, 2)
    backend.assert_close(y, host(ops.lp_pool2d(backend.array(x), 2, 2))[0])
    assert ops.lp_pool2d(backend.array(x[:0]), 2, 2).shape == (0, 3, 2, 2)


def test_refusals(backend: Library) -> None:
    x = backend.array(np.ones((2, 3, 4, 4)))
    for arguments, words, error in (
        ((0, 2), ["norm_type"], ValueError),
        (("2", 2), ["norm_type"], TypeError),
        ((2, 5), ["3x4x4", "too small"], ValueError),
        ((2, (2, 2, 2)), ["kernel_size"], ValueError),
        ((2, 2, 0), ["stride"], ValueError),
    ):
        with refused(*words, error=error):
            ops.lp_pool2d(x, *arguments)
    with refused("complex", error=TypeError):
        ops.lp_pool2d(backend.array(np.ones((2, 3, 4, 4), "complex64")), 2, 2)
