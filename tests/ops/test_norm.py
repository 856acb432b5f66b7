"""`batch_norm`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

shapes = st.tuples(
    st.integers(2, 4), st.integers(1, 3), st.lists(st.integers(1, 3), max_size=3)
).map(lambda parts: (parts[0], parts[1], *parts[2]))


def test_by_hand(backend: Library) -> None:
    x = backend.array([[1.0, 10], [3.0, 10]])
    mean, var = backend.array([1.0, 0]), backend.array([4.0, 1])
    y = ops.batch_norm(x, mean, var, eps=0.0)
    backend.assert_equal(y, np.array([[0.0, 10], [1.0, 10]]))
    y = ops.batch_norm(
        x, mean, var, backend.array([2.0, 1]), backend.array([0.0, 5]), training=True, eps=1.0
    )
    backend.assert_close(y, np.array([[-(2**0.5), 5], [2**0.5, 5]]))


@given(shape=shapes, affine=st.booleans(), training=st.booleans(), seed=seeds)
def test_against_the_loops(backend: Library, shape, affine, training, seed) -> None:
    rng = np.random.default_rng(seed)
    x, mean = rng.normal(3, 2, size=shape), rng.normal(size=shape[1])
    var = rng.uniform(0.5, 2, size=shape[1])
    scale = [rng.normal(size=shape[1]) if affine else None for _ in range(2)]
    y = ops.batch_norm(
        *(None if array is None else backend.array(array) for array in (x, mean, var, *scale)),
        training=training,
        eps=0.01,
    )
    statistics = (None, None) if training else (mean, var)
    backend.assert_close(y, reference.batch_norm(x, *statistics, *scale, 0.01))


def test_training_needs_no_running_statistics(backend: Library, rng) -> None:
    x = rng.normal(size=(4, 3, 2))
    y = ops.batch_norm(backend.array(x), None, None, training=True)
    backend.assert_close(y, reference.batch_norm(x, None, None, None, None, 1e-5))


def test_running_statistics_are_left_alone(backend: Library, rng) -> None:
    x, mean, var = rng.normal(size=(4, 3)), rng.normal(size=3), rng.uniform(1, 2, size=3)
    arrays = [backend.array(array) for array in (x, mean, var)]
    ops.batch_norm(*arrays, training=True, momentum=0.5)
    for array, original in zip(arrays, (x, mean, var), strict=True):
        backend.assert_equal(array, original)


def test_large_means_do_not_swamp_the_variance(backend: Library, rng) -> None:
    """The variance is that of the differences from the mean, not E[x^2] - E[x]^2."""
    x = rng.normal(size=(64, 2))
    far = (x + 1000).astype("float32")
    y = ops.batch_norm(backend.array(far), None, None, training=True)
    exact = reference.batch_norm(far.astype("float64"), None, None, None, None, 1e-5)
    backend.assert_close(y, exact, rtol=1e-3, dtype="float32")


def test_gradient_sums_to_zero_over_the_batch(backend: Library, rng) -> None:
    """Training: y does not change when a channel is shifted, so its gradient has no mean."""
    x = backend.array(rng.normal(size=(4, 3, 5)))
    y, pullback = ops.vjp(ops.batch_norm, x, None, None, training=True)
    dx = host(pullback(backend.array(rng.normal(size=y.shape)))[0])
    np.testing.assert_allclose(dx.sum((0, 2)), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (((4,), (4,), (4,)), {}, ["(4,)"]),
        (((4, 3), (4,), (3,)), {}, ["running_mean", "3", "4"]),
        (((4, 3), (3,), (3, 1)), {}, ["running_var", "3"]),
        (((4, 3), (3,), (3,), (2,), (3,)), {}, ["weight", "3", "2"]),
        (((4, 3), (3,), (3,), (3,), (4,)), {}, ["bias", "3", "4"]),
        (((4, 3), None, None), {}, ["running_mean", "running_var"]),
        (((4, 3), (3,), None), {}, ["running_var"]),
        (((1, 3), (3,), (3,)), {"training": True}, ["more than 1 value per channel", "(1, 3)"]),
        (((4, 3), (3,), (3,)), {"training": True, "eps": 0.0}, ["eps must be positive", "0.0"]),
        (((4, 3), (3,), (3,)), {"eps": -0.5}, ["eps must be non-negative", "-0.5"]),
    ],
    ids=str,
)
def test_bad_arguments_are_named(backend: Library, shapes, options, words) -> None:
    arrays = [None if shape is None else backend.array(np.ones(shape)) for shape in shapes]
    with refused(*words):
        ops.batch_norm(*arrays, **options)


@pytest.mark.parametrize("training", [False, True])
def test_empty_batch(backend: Library, training: bool) -> None:
    one = backend.array(np.ones(3))
    arrays = (backend.array(np.zeros((0, 3, 2))), one, one, one, one)
    y, pullback = ops.vjp(ops.batch_norm, *arrays, training=training)
    assert y.shape == (0, 3, 2)
    dx, _, _, dweight, dbias = pullback(y)
    assert dx.shape == (0, 3, 2)
    backend.assert_equal(dweight, np.zeros(3))
    backend.assert_equal(dbias, np.zeros(3))


@given(
    shape=shapes,
    affine=st.booleans(),
    tracked=st.booleans(),
    training=st.booleans(),
    eps=st.sampled_from([1e-5, 0.1]),
    seed=seeds,
    dtype=dtypes,
)
def test_as_pytorch(backend, torch, shape, affine, tracked, training, eps, seed, dtype) -> None:
    rng = np.random.default_rng(seed)
    channels = shape[1]
    training = training or not tracked
    statistics = [rng.normal(size=channels), rng.uniform(0.5, 2, size=channels)]
    # Two equal values in a channel would leave a variance of zero, and rounding divided by eps.
    x = rng.permutation(int(np.prod(shape))).reshape(shape) / 2.0
    assert_as_torch(
        backend,
        ops.batch_norm,
        lambda x, mean, var, weight, bias: torch.nn.functional.batch_norm(
            x,
            None if mean is None else mean.clone(),
            None if var is None else var.clone(),
            weight,
            bias,
            training=training,
            eps=eps,
        ),
        [
            x,
            *(statistics if tracked else [None, None]),
            *([rng.normal(size=channels), rng.normal(size=channels)] if affine else [None, None]),
        ],
        without_gradient=(1, 2),
        dtype=dtype,
        training=training,
        eps=eps,
    )
