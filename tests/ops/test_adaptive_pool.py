"""Adaptive average and max pooling."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference, reference_pool
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

AVG = {1: ops.adaptive_avg_pool1d, 2: ops.adaptive_avg_pool2d, 3: ops.adaptive_avg_pool3d}
MAX = {1: ops.adaptive_max_pool1d, 2: ops.adaptive_max_pool2d, 3: ops.adaptive_max_pool3d}
EITHER = pytest.mark.parametrize("pools", [AVG, MAX], ids=["avg", "max"])


@st.composite
def shapes(draw: st.DrawFn, smallest: int = 1) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of x, and an output size that may be smaller, equal or larger."""
    dims = draw(st.sampled_from([1, 2, 2, 3]))
    high = 4 if dims == 3 else 9
    spatial = strategies.ints(draw, dims, 1, high)
    return (2, 2, *spatial), strategies.ints(draw, dims, smallest, high)


def test_by_hand(backend: Library) -> None:
    """Five elements in three windows: 0 and 1, 1 to 3, 3 and 4."""
    x = backend.array([[[1.0, 5, 3, 4, 2]]])
    y, pullback = ops.vjp(ops.adaptive_avg_pool1d, x, 3)
    backend.assert_close(y, np.array([[[3.0, 4.0, 3.0]]]))
    (dx,) = pullback(backend.array([[[2.0, 3.0, 4.0]]]))
    backend.assert_close(dx, np.array([[[1.0, 2, 1, 3, 2]]]))
    (y, indices), pullback = ops.vjp(ops.adaptive_max_pool1d, x, 3, return_indices=True)
    backend.assert_equal(y, np.array([[[5.0, 5.0, 4.0]]]))
    backend.assert_equal(indices, np.array([[[1, 1, 3]]]))
    (dx,) = pullback(backend.array([[[2.0, 3.0, 4.0]]]))
    backend.assert_equal(dx, np.array([[[0.0, 5, 0, 4, 0]]]))


@given(sizes=shapes(), seed=strategies.seeds)
def test_average_against_the_loops(backend: Library, sizes, seed: int) -> None:
    shape, out = sizes
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    y, pullback = ops.vjp(AVG[len(out)], backend.array(x), out)
    backend.assert_close(y, reference_pool.adaptive_avg_pool(x, out))
    dy = rng.normal(size=y.shape)
    (dx,) = pullback(backend.array(dy))
    backend.assert_close(dx, reference_pool.adaptive_avg_pool_gradient(x, dy))


@given(sizes=shapes(), seed=strategies.seeds, nan=st.booleans())
def test_max_against_the_loops(backend: Library, sizes, seed: int, nan: bool) -> None:
    shape, out = sizes
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, size=shape).astype(float)
    x[rng.uniform(size=shape) < 0.2] = np.nan if nan else -np.inf
    (y, indices), pullback = ops.vjp(MAX[len(out)], backend.array(x), out, return_indices=True)
    desired, places = reference_pool.adaptive_max_pool(x, out)
    backend.assert_equal(y, desired)
    backend.assert_equal(indices, places)
    backend.assert_equal(MAX[len(out)](backend.array(x), out), desired)
    dy = rng.normal(size=y.shape)
    (dx,) = pullback(backend.array(dy))
    backend.assert_close(dx, reference.max_pool_gradient(x, places, dy))


@given(sizes=shapes(), seed=strategies.seeds, dtype=strategies.dtypes)
def test_as_pytorch(backend: Library, torch, sizes, seed: int, dtype: str) -> None:
    shape, out = sizes
    x = np.random.default_rng(seed).normal(size=shape)
    for kind, pools in (("avg", AVG), ("max", MAX)):
        theirs = getattr(torch.nn.functional, f"adaptive_{kind}_pool{len(out)}d")
        assert_as_torch(
            backend,
            pools[len(out)],
            partial(theirs, output_size=out),
            [x],
            dtype=dtype,
            output_size=out,
        )


@EITHER
def test_none_keeps_a_size(backend: Library, rng: np.random.Generator, pools) -> None:
    x = backend.array(rng.normal(size=(2, 3, 5, 4)))
    backend.assert_equal(pools[2](x, (None, 2)), host(pools[2](x, (5, 2))))
    assert pools[2](x, [None, None]).shape == x.shape
    assert pools[2](x[0, ...], 3).shape == (3, 3, 3)


@EITHER
def test_empty(backend: Library, pools) -> None:
    for shape, out, expected in (
        ((0, 2, 4, 5), 3, (0, 2, 3, 3)),
        ((2, 2, 4, 5), (0, 3), (2, 2, 0, 3)),
        ((0, 4, 5), 3, (0, 3, 3)),
    ):
        y, pullback = ops.vjp(pools[2], backend.array(np.ones(shape)), out)
        assert y.shape == expected
        backend.assert_equal(pullback(y)[0], np.zeros(shape))
    no_channels = backend.array(np.ones((2, 0, 4, 5)))
    if pools is AVG:  # as PyTorch
        assert pools[2](no_channels, 3).shape == (2, 0, 3, 3)
        no_channels = no_channels[..., None]
    with refused(str(tuple(no_channels.shape))):
        pools[no_channels.ndim - 2](no_channels, 3)


@EITHER
@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (-1, ValueError, ["output_size", "-1"]),
        ((2, -1), ValueError, ["output_size", "-1"]),
        ((2,), ValueError, ["output_size", "(2,)"]),
        ((2, 2, 2), ValueError, ["output_size", "(2, 2, 2)"]),
        ((), ValueError, ["output_size"]),
        (None, TypeError, ["output_size"]),
        (2.0, TypeError, ["output_size", "2.0"]),
        (True, TypeError, ["output_size"]),
        ((2, "2"), TypeError, ["output_size"]),
    ],
    ids=str,
)
def test_bad_sizes_are_named(backend: Library, pools, out, error, words) -> None:
    with refused(*words, error=error):
        pools[2](backend.array(np.ones((2, 4, 6, 5))), out)


@EITHER
def test_bad_inputs_are_named(backend: Library, pools) -> None:
    for shape in ((4,), (4, 5), (1, 1, 1, 4, 5), (2, 2, 0, 4)):
        with refused(str(shape)):
            pools[2](backend.array(np.ones(shape)), 1)
    with refused("output_size", error=TypeError):
        pools[1](backend.array(np.ones((2, 4, 6))), (None,))
    with refused("x must", "bool", error=TypeError):
        pools[2](backend.array(np.ones((2, 4, 6)), "bool"), 2)


def test_dtypes(backend: Library) -> None:
    x = np.random.default_rng(0).integers(-9, 9, size=(2, 3, 4, 5))
    y = ops.adaptive_max_pool2d(backend.array(x, "int32"), (3, 2))
    backend.assert_equal(y, reference_pool.adaptive_max_pool(x, (3, 2))[0].astype("int32"))
    with refused("x must have a real floating dtype", "int32", error=TypeError):
        ops.adaptive_avg_pool2d(backend.array(x, "int32"), 2)
    spiral = backend.array(x * (1 + 2j))
    backend.assert_close(ops.adaptive_avg_pool2d(spiral, 1), host(ops.global_avg_pool(spiral)))
    for operation in (ops.adaptive_avg_pool2d, ops.adaptive_max_pool2d):
        with refused("x must have a real", "complex128", error=TypeError):
            operation(spiral, 2)
