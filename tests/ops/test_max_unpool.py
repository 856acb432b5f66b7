"""Max unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given

from tests import reference_pool
from tests.backends import Library
from tests.ops import strategies
from tests.refusals import refused
from xpconv import ops

POOL = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
UNPOOL = {1: ops.max_unpool1d, 2: ops.max_unpool2d, 3: ops.max_unpool3d}


def test_by_hand(backend: Library) -> None:
    x, places = backend.array([[[5.0, 7.0]]]), backend.array([[[1, 2]]])
    y, pullback = ops.vjp(ops.max_unpool1d, x, places, 2)
    backend.assert_equal(y, np.array([[[0.0, 5, 7, 0]]]))
    dx, nothing = pullback(backend.array([[[1.0, 2, 3, 4]]]))
    backend.assert_equal(dx, np.array([[[2.0, 3]]]))
    assert nothing is None


def test_the_last_of_several_values_stays(backend: Library, torch) -> None:
    x, places = np.arange(1.0, 9).reshape(2, 1, 4), np.array([[[0, 3, 0, 3]], [[2, 2, 2, 1]]])
    y, pullback = ops.vjp(ops.max_unpool1d, backend.array(x), backend.array(places), 1)
    backend.assert_equal(y, np.array([[[3.0, 0, 0, 4]], [[0, 8, 7, 0]]]))
    theirs = torch.nn.functional.max_unpool1d(torch.tensor(x), torch.tensor(places), 1)
    backend.assert_equal(y, theirs.numpy())
    (dx, _) = pullback(backend.array(x))
    backend.assert_equal(dx, np.array([[[1.0, 4, 1, 4]], [[7, 7, 7, 6]]]))


@given(pool=strategies.pools(), seed=strategies.seeds)
def test_against_the_loops_and_pytorch(backend: Library, torch, pool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = (pool.kernel_size, pool.stride, pool.padding)
    size = pool.x[2:]
    x = rng.normal(size=pool.x)
    _, places = POOL[pool.dims](x, *windows, return_indices=True)
    usual = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(places.shape[2:], *windows, strict=True)]
    assume(all(u - s < n < u + s for u, s, n in zip(usual, pool.stride, size, strict=True)))
    values = rng.normal(size=places.shape)
    y, pullback = ops.vjp(
        UNPOOL[pool.dims], backend.array(values), backend.array(places), *windows, size
    )
    backend.assert_equal(y, reference_pool.max_unpool(values, places, size))
    if pool.x[0]:
        tensor = torch.tensor(values, requires_grad=True)
        unpool = getattr(torch.nn.functional, f"max_unpool{pool.dims}d")
        desired = unpool(tensor, torch.tensor(places), *windows, size)
        dy = rng.normal(size=y.shape)
        desired.backward(torch.tensor(dy))
        backend.assert_equal(y, desired.detach().numpy())
        backend.assert_equal(pullback(backend.array(dy))[0], tensor.grad.numpy())


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (None, (1, 2, 4, 6)),
        ((5, 7), (1, 2, 5, 7)),
        ([3, 5], (1, 2, 3, 5)),
        ((1, 2, 4, 5), (1, 2, 4, 5)),
    ],
    ids=str,
)
def test_output_sizes(backend: Library, size: Any, shape: tuple[int, ...]) -> None:
    x, places = np.ones((1, 2, 2, 3)), np.zeros((1, 2, 2, 3), "int64")
    y = ops.max_unpool2d(backend.array(x), backend.array(places), 2, output_size=size)
    assert y.shape == shape
    unbatched = ops.max_unpool2d(backend.array(x[0]), backend.array(places[0]), 2, None, 0, size)
    assert unbatched.shape == shape[1:]


@pytest.mark.parametrize(
    ("options", "words", "error"),
    [
        ({"output_size": (6, 6)}, ["(6, 6)", "between 2 and 6"], ValueError),
        ({"output_size": (4,)}, ["output_size", "2 or 4", "1"], ValueError),
        ({"output_size": 4}, ["output_size", "4"], TypeError),
        ({"output_size": (4.0, 6)}, ["output_size", "4.0"], TypeError),
        ({"kernel_size": (2,)}, ["kernel_size", "(2,)"], ValueError),
        ({"kernel_size": 0}, ["kernel_size", "0"], ValueError),
        ({"stride": 0}, ["stride", "0"], ValueError),
        ({"padding": -1}, ["padding", "-1"], ValueError),
        ({"kernel_size": 1, "padding": 2}, ["output_size", "non-negative"], ValueError),
    ],
    ids=str,
)
def test_bad_options_are_named(backend: Library, options, words, error) -> None:
    x, places = backend.array(np.ones((1, 2, 2, 3))), backend.array(np.zeros((1, 2, 2, 3), "int64"))
    with refused(*words, error=error):
        ops.max_unpool2d(x, places, **{"kernel_size": 2, **options})


@pytest.mark.parametrize("place", [24, -1])
def test_places_outside_are_refused(backend: Library, place: int) -> None:
    places = np.zeros((1, 2, 2, 3), "int64")
    places[0, 1, 1, 2] = place
    with refused("invalid max index", "4x6", str(place)):
        ops.max_unpool2d(backend.array(np.ones(places.shape)), backend.array(places), 2)


def test_bad_arrays_are_named(backend: Library) -> None:
    x, places = np.ones((1, 2, 2, 3)), np.zeros((1, 2, 2, 3), "int64")
    for values, where, words, error in (
        (x, places[:, :1], ["indices", "(1, 2, 2, 3)", "(1, 1, 2, 3)"], ValueError),
        (x, places.astype("int32"), ["indices", "int64", "int32"], TypeError),
        (x.astype("int64"), places, ["x must", "int64"], TypeError),
        (x[0, 0], places[0, 0], ["(2, 3)"], ValueError),
        (x[:, :0], places[:, :0], ["(1, 0, 2, 3)"], ValueError),
        (x[:, :, :0], places[:, :, :0], ["(1, 2, 0, 3)"], ValueError),
    ):
        with refused(*words, error=error):
            ops.max_unpool2d(backend.array(values), backend.array(where), 2)
    empty = ops.max_unpool2d(backend.array(x[:0]), backend.array(places[:0]), 2)
    assert empty.shape == (0, 2, 4, 6)
