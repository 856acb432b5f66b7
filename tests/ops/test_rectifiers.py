"""Rectifiers whose left slopes are learned or drawn: prelu, and rrelu in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_activations as reference
from tests.backends import Library, host
from tests.nn.layers import run
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import nn, ops
from xpconv.random import Stream, use_stream


def test_prelu_by_hand(backend: Library) -> None:
    x, weight = backend.array([[-2.0, -4.0], [3.0, 0.0]]), backend.array([0.5, 0.25])
    y, pullback = ops.vjp(ops.prelu, x, weight)
    backend.assert_equal(y, np.array([[-1.0, -1.0], [3.0, 0.0]]))
    dx, dweight = pullback(backend.array([[1.0, 2.0], [3.0, 4.0]]))
    backend.assert_equal(dx, np.array([[0.5, 0.5], [3.0, 1.0]]))
    backend.assert_equal(dweight, np.array([-2.0, -8.0]))


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    each=st.sampled_from([(), (1,), "C"]),
    seed=seeds,
    dtype=dtypes,
)
def test_prelu_as_pytorch(backend: Library, torch, shape, each, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    slopes = each if each != "C" else ((shape[1],) if len(shape) > 1 else (1,))
    x, weight = rng.normal(size=shape), rng.normal(size=slopes)
    assert_as_torch(backend, ops.prelu, torch.nn.functional.prelu, [x, weight], dtype=dtype)
    dy = rng.normal(size=shape)
    y, pullback = ops.vjp(ops.prelu, backend.array(x), backend.array(weight))
    for actual, desired in zip(
        (y, *pullback(backend.array(dy))), reference.prelu(x, weight, dy), strict=True
    ):
        backend.assert_close(actual, desired)


def test_prelu_at_nan_and_kink_as_pytorch(backend: Library, torch) -> None:
    x = np.array([[np.nan, 1.0, np.inf], [0.0, -0.0, -np.inf]])
    weight = np.array([0.25, -0.5, 2.0])
    assert_as_torch(backend, ops.prelu, torch.nn.functional.prelu, [x, weight])


@pytest.mark.parametrize("slope", [0.0, np.inf, -np.inf, np.nan])
def test_odd_slopes_leave_what_is_positive_as_pytorch(backend: Library, torch, slope) -> None:
    def theirs(x: Any) -> Any:
        return torch.nn.functional.leaky_relu(x, slope)

    x = np.array([2.0, np.inf, 0.0, -1.0, -np.inf, np.nan])
    assert_as_torch(backend, ops.leaky_relu, theirs, [x], negative_slope=slope)


@pytest.mark.parametrize(
    ("shape", "slopes", "words"),
    [
        ((2, 3, 4), (2,), ("parameter numbers = 2 and channel size = 3", "(2, 3, 4)")),
        ((3,), (3,), ("parameter numbers = 3 and channel size = 1",)),
        ((), (2,), ("parameter numbers = 2",)),
        ((2, 3), (0,), ("parameter numbers = 0 and channel size = 3",)),
        ((2, 3), (3, 1), ("weight", "(3, 1)")),
        ((2, 3), (1, 1), ("weight", "(1, 1)")),
    ],
)
def test_prelu_wants_a_slope_for_each_channel(backend: Library, shape, slopes, words) -> None:
    with refused(*words):
        ops.prelu(backend.array(np.ones(shape)), backend.array(np.ones(slopes)))


def test_prelu_wants_floating_numbers(backend: Library) -> None:
    whole, real = backend.array([1, 2]), backend.array([1.0])
    for arrays in ((whole, real), (real, whole), (whole, whole)):
        with refused("must have a real floating dtype", "int64", error=TypeError):
            ops.prelu(*arrays)


def drawn(backend: Library, x: np.ndarray, **options) -> np.ndarray:
    return host(ops.rrelu(backend.array(x), training=True, **options))


def test_drawn_slopes_fill_their_interval(backend: Library) -> None:
    slopes = -drawn(backend, -np.ones(4000), lower=-0.5, upper=1.5, key=(1, 2))
    assert -0.5 <= slopes.min() < -0.49
    assert 1.49 < slopes.max() <= 1.5
    counts, _ = np.histogram(slopes, 10, (-0.5, 1.5))
    assert np.all(np.abs(counts - 400) < 80)  # four standard deviations


def test_what_is_drawn_is_the_slope(backend: Library, rng) -> None:
    x, dy = rng.normal(size=(6, 5)), rng.normal(size=(6, 5))
    x[0] = [0.0, -0.0, np.nan, np.inf, -np.inf]
    y, pullback = ops.vjp(ops.rrelu, backend.array(x), training=True, key=(1, 2))
    slopes = host(pullback(backend.array(np.ones_like(x)))[0])
    np.testing.assert_array_equal(slopes[~(x <= 0)], 1.0)
    assert np.all((slopes[x <= 0] >= 1 / 8) & (slopes[x <= 0] <= 1 / 3))
    assert len(set(slopes[x <= 0])) > 8
    np.testing.assert_allclose(host(y), x * slopes)
    np.testing.assert_allclose(host(pullback(backend.array(dy))[0]), dy * slopes)


def test_one_key_draws_the_same_everywhere(backend: Library, rng) -> None:
    x = rng.normal(size=(7, 5))
    expected = ops.rrelu(x, training=True, key=(11, 12))
    for dtype in ("float32", "float64"):
        y = ops.rrelu(backend.array(x, dtype), training=True, key=(11, 12))
        backend.assert_close(y, expected.astype(dtype), 1e-6)
    assert np.any(expected != ops.rrelu(x, training=True, key=(11, 13)))


def test_one_slope_is_no_draw(backend: Library, torch) -> None:
    def theirs(x):
        return torch.nn.functional.rrelu(x, 0.3, 0.3, training=True)

    x = np.array([-2.0, -0.0, 0.0, 1.0])
    assert_as_torch(backend, ops.rrelu, theirs, [x], lower=0.3, upper=0.3, training=True)


def test_the_layer_draws_while_training(backend: Library) -> None:
    layer, x = nn.RReLU(0.2, 0.6), backend.array(-np.ones((3, 4)))
    first, second = (host(run(layer, x, seed=seed)[0]) for seed in (1, 2))
    assert np.any(first != second)
    np.testing.assert_allclose(host(layer(x)), -0.4)
    with use_stream(Stream(3)) as stream:
        before = stream.state_dict()
        np.testing.assert_allclose(host(run(layer, x, training=False)[0]), -0.4)
        assert stream.state_dict() == before


def test_layers_refuse_what_pytorchs_refuse(backend: Library) -> None:
    for ends in ((1, -1), (1, 1)):
        with refused("max_val", "must be greater than min_val", str(ends[1])):
            nn.Hardtanh(*ends)
    with refused("num_parameters", "0"):
        nn.PReLU(0)
    for shape in ((2, 3), (1, 2, 3, 2, 2)):
        for call in (nn.Softmax2d(), nn.Softmax2d().forward):
            with refused("Softmax2d: expected input to be 3D or 4D", f"{len(shape)}D"):
                call(backend.array(np.ones(shape)))
