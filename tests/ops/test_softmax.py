"""Activations along an axis: softmax, softmin, log_softmax, gumbel_softmax, glu."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference, reference_activations
from tests.backends import Library, dtype_name, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops
from xpconv.random import Stream, use_stream

SOFT = pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])


def oracle(name: str, x: np.ndarray, dim: int) -> np.ndarray:
    p = reference.softmax(-x if name == "softmin" else x, dim)
    return np.log(p) if name == "log_softmax" else p


def test_by_hand(backend: Library) -> None:
    x = backend.array(np.log([[1.0, 3.0], [2.0, 2.0]]))
    backend.assert_close(ops.softmax(x), np.array([[0.25, 0.75], [0.5, 0.5]]))
    backend.assert_close(ops.softmax(x, dim=0), np.array([[1 / 3, 0.6], [2 / 3, 0.4]]))
    backend.assert_close(ops.softmin(x), np.array([[0.75, 0.25], [0.5, 0.5]]))
    backend.assert_close(ops.log_softmax(x), np.log([[0.25, 0.75], [0.5, 0.5]]))


@SOFT
@given(data=st.data(), shape=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=seeds)
def test_against_numpy(backend: Library, name: str, data, shape, seed: int) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).normal(size=shape) * 5
    backend.assert_close(getattr(ops, name)(backend.array(x), dim), oracle(name, x, dim))


@SOFT
@given(
    data=st.data(),
    shape=st.lists(st.integers(0, 4), max_size=4),
    seed=seeds,
    dtype=dtypes,
)
def test_as_pytorch(backend: Library, torch, name: str, data, shape, seed: int, dtype) -> None:
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape) - 1, 0)))
    theirs = getattr(torch.nn.functional, name)
    x = np.random.default_rng(seed).normal(size=shape) * 3
    assert_as_torch(
        backend, getattr(ops, name), lambda x: theirs(x, dim=dim), [x], dtype=dtype, dim=dim
    )


@SOFT
def test_it_is_stable(backend: Library, name: str) -> None:
    x = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -np.inf]])
    p = np.array([[1.0, 0, 0], [0.5, 0.5, 0]])
    log_p = np.array([[0.0, -1e4, -2e4], [-math.log(2), -math.log(2), -np.inf]])
    y = getattr(ops, name)(backend.array(-x if name == "softmin" else x))
    backend.assert_close(y, log_p if name == "log_softmax" else p)


@SOFT
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_and_nan_as_pytorch(backend: Library, torch, name: str, dtype: str) -> None:
    inf, nan = np.inf, np.nan
    x = [[-inf, -inf, -inf], [inf, 1, 2], [inf, inf, 0], [nan, 1, 2], [-inf, 1, 2], [1, 2, inf]]
    theirs = getattr(torch.nn.functional, name)
    operation = getattr(ops, name)
    assert_as_torch(backend, operation, lambda x: theirs(x, dim=-1), [np.array(x)], dtype=dtype)
    single = np.array(-inf)
    assert_as_torch(backend, operation, lambda x: theirs(x, dim=0), [single], dtype=dtype)


@SOFT
def test_gradients_sum_to_zero(backend: Library, rng, name: str) -> None:
    """Adding a constant to a row changes nothing."""
    _, pullback = ops.vjp(getattr(ops, name), backend.array(rng.normal(size=(3, 5))))
    dx = host(pullback(backend.array(rng.normal(size=(3, 5))))[0])
    np.testing.assert_allclose(dx.sum(1), 0, atol=1e-14)


@SOFT
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("before", ["int8", "int32", "float32", "float64"])
def test_it_computes_in_a_wanted_dtype(
    backend: Library, torch, name: str, before: str, dtype: str
) -> None:
    x = np.array([[0, 1, 1], [1, 0, 1]]).astype(before)
    own = getattr(backend.xp, dtype)
    desired = getattr(torch.nn.functional, name)(
        torch.tensor(x), dim=1, dtype=getattr(torch, dtype)
    )
    for wanted in (own, dtype):
        y, pullback = ops.vjp(getattr(ops, name), backend.array(x), 1, dtype=wanted)
        backend.assert_close(y, desired.numpy(), 1e-6)
        (dx,) = pullback(y)
        assert dx is None if before in ("int8", "int32") else dtype_name(dx) == before


@SOFT
def test_bad_arguments(backend: Library, name: str) -> None:
    operation, x = getattr(ops, name), backend.array(np.ones((2, 3)))
    for dim in (2, -3):
        with refused("dim", str(dim), "(2, 3)"):
            operation(x, dim)
    for dim in (1.0, None, True):
        with refused("dim must be an integer", error=TypeError):
            operation(x, dim)
    with refused("dim", "1", "()"):
        operation(backend.array(1.0), 1)
    for dtype in ("int64", "complex64", "bool"):
        with refused("real floating", dtype, error=TypeError):
            operation(backend.array(np.ones((2, 3), dtype)))
    with refused("real floating", "int64", error=TypeError):
        operation(x, dtype="int64")


# --- gumbel_softmax ------------------------------------------------------------------------------


def gumbel(backend: Library, logits: np.ndarray, **options: Any) -> np.ndarray:
    return host(ops.gumbel_softmax(backend.array(logits), **options))


def test_draws_follow_the_probabilities(backend: Library) -> None:
    p = np.array([0.2, 0.5, 0.3])
    rows = np.broadcast_to(np.log(p), (4000, 3))
    drawn = gumbel(backend, rows, hard=True, key=(3, 4))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_array_equal(drawn.sum(1), 1)
    np.testing.assert_allclose(drawn.mean(0), p, atol=0.03)  # four standard deviations
    np.testing.assert_allclose(gumbel(backend, rows, tau=0.3, key=(3, 4)).sum(1), 1)


def test_soft_and_hard_draws_share_noise_and_gradient(backend: Library, rng) -> None:
    logits, dy = rng.normal(size=(2, 3, 4)), backend.array(rng.normal(size=(2, 3, 4)))
    soft, soft_back = ops.vjp(ops.gumbel_softmax, backend.array(logits), 0.5, False, 1, key=(1, 2))
    hard, hard_back = ops.vjp(ops.gumbel_softmax, backend.array(logits), 0.5, True, 1, key=(1, 2))
    np.testing.assert_array_equal(host(hard).argmax(1), host(soft).argmax(1))
    backend.assert_equal(soft_back(dy)[0], hard_back(dy)[0])


def test_a_key_is_a_draw_on_every_backend(backend: Library, rng) -> None:
    logits = rng.normal(size=(5, 6))
    expected = ops.gumbel_softmax(logits, key=(7, 8))
    for dtype in ("float32", "float64"):
        y = ops.gumbel_softmax(backend.array(logits, dtype), key=(7, 8))
        backend.assert_close(y, expected.astype(dtype), 1e-5)
    with use_stream(Stream(5)):
        first, second = gumbel(backend, logits), gumbel(backend, logits)
    with use_stream(Stream(5)):
        np.testing.assert_array_equal(gumbel(backend, logits), first)
    assert np.any(first != second)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (0, 2), (3, 1)])
def test_odd_shapes_of_draws(backend: Library, torch, shape, hard: bool) -> None:
    y, pullback = ops.vjp(ops.gumbel_softmax, backend.array(np.ones(shape)), 1, hard)
    desired = torch.nn.functional.gumbel_softmax(torch.ones(shape), hard=hard)
    assert y.shape == tuple(desired.shape) == pullback(y)[0].shape
    if 0 not in shape and (not shape or shape[-1] == 1):
        backend.assert_equal(y, np.ones(shape))


def test_bad_draws(backend: Library) -> None:
    x = backend.array(np.ones((2, 3)))
    with refused("tau must be a number", error=TypeError):
        ops.gumbel_softmax(x, "1")
    with refused("dim", "2"):
        ops.gumbel_softmax(x, dim=2)
    with refused("logits must have a real floating dtype", error=TypeError):
        ops.gumbel_softmax(backend.array([1, 2]))


# --- glu -----------------------------------------------------------------------------------------


def test_glu_by_hand(backend: Library) -> None:
    x = backend.array([[1.0, 2.0, 0.0, math.log(3)]])
    backend.assert_close(ops.glu(x), np.array([[0.5, 1.5]]))


@given(data=st.data(), shape=st.lists(st.integers(0, 3), min_size=1, max_size=4), seed=seeds)
def test_glu_as_pytorch(backend: Library, torch, data, shape, seed: int) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] *= 2
    x = np.random.default_rng(seed).normal(size=shape) * 4
    assert_as_torch(backend, ops.glu, lambda x: torch.nn.functional.glu(x, dim), [x], dim=dim)
    y = ops.glu(backend.array(x), dim)
    if x.size:
        backend.assert_close(y, reference_activations.glu(x, dim))


def test_bad_halves(backend: Library) -> None:
    with refused("Halving dimension must be even", "dimension 1 is size 3", "(4, 3)"):
        ops.glu(backend.array(np.ones((4, 3))))
    with refused("scalars"):
        ops.glu(backend.array(1.0))
    with refused("dim", "2", "(4, 4)"):
        ops.glu(backend.array(np.ones((4, 4))), 2)
    with refused("x must have a real floating dtype", error=TypeError):
        ops.glu(backend.array([1, 2]))
