"""`normalize` and `cosine_similarity`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_norm as reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import seeds
from tests.refusals import refused
from xpconv import ops

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
orders = st.sampled_from([2.0, 2, 1, 0, 3, 0.5, 1.5, -1, math.inf, -math.inf])


def test_by_hand(backend: Library) -> None:
    x = backend.array([[3.0, 4.0], [0.0, 0.0]])
    backend.assert_close(ops.normalize(x), np.array([[0.6, 0.8], [0.0, 0.0]]))
    backend.assert_close(ops.normalize(x, p=1), np.array([[3 / 7, 4 / 7], [0.0, 0.0]]))
    backend.assert_close(ops.normalize(x, dim=None, eps=10.0), np.array([[0.3, 0.4], [0, 0]]))
    y = ops.cosine_similarity(x, backend.array([[4.0, 3.0], [1.0, 1.0]]))
    backend.assert_close(y, np.array([24 / 25, 0.0]))


@given(shape=shapes, p=orders, where=st.data(), eps=st.sampled_from([1e-12, 1.0]), seed=seeds)
def test_against_the_loops(backend: Library, shape, p, where, eps, seed) -> None:
    rng = np.random.default_rng(seed)
    dim = where.draw(st.integers(-len(shape), len(shape) - 1))
    x, other = rng.normal(size=shape), rng.normal(size=shape)
    x[rng.uniform(size=shape) < 0.2] = 0
    y = ops.normalize(backend.array(x), p, dim, eps)
    backend.assert_close(y, reference.normalize(x, p, dim, eps))
    y = ops.cosine_similarity(backend.array(x), backend.array(other), dim, eps)
    backend.assert_close(y, reference.cosine_similarity(x, other, dim, eps))


@given(
    shape=shapes,
    p=orders,
    where=st.data(),
    eps=st.sampled_from([1e-12, 1.0]),
    seed=seeds,
)
def test_normalize_as_pytorch(backend: Library, torch, shape, p, where, eps, seed) -> None:
    """Zeros and ties included: whole numbers, with many alike."""
    axes = st.integers(-len(shape), len(shape) - 1)
    several = st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True).map(tuple)
    dim = where.draw(st.one_of(axes, several, st.none()))
    x = np.random.default_rng(seed).integers(-2, 3, size=shape).astype("float64")
    assert_as_torch(
        backend,
        ops.normalize,
        lambda x: torch.nn.functional.normalize(x, p, dim, eps),
        [x],
        p=p,
        dim=dim,
        eps=eps,
    )


@given(
    shape=shapes,
    cut=st.data(),
    eps=st.sampled_from([1e-8, 1.5]),
    seed=seeds,
)
def test_cosine_similarity_as_pytorch(backend, torch, shape, cut, eps, seed) -> None:
    """With axes of size 1 and axes missing, on either side, and lengths below eps."""
    rng = np.random.default_rng(seed)
    dim = cut.draw(st.integers(-len(shape), len(shape) - 1))
    ones = cut.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    lead = cut.draw(st.integers(0, len(shape) - 1))
    other = tuple(1 if one else size for one, size in zip(ones, shape, strict=True))[lead:]
    arrays = [rng.normal(size=shape), rng.normal(size=other)]
    if cut.draw(st.booleans()):
        arrays.reverse()
    assert_as_torch(
        backend,
        ops.cosine_similarity,
        lambda a, b: torch.nn.functional.cosine_similarity(a, b, dim, eps),
        arrays,
        dim=dim,
        eps=eps,
    )


def test_a_vector_of_zeros_as_pytorch(backend: Library, torch) -> None:
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert_as_torch(
        backend, ops.cosine_similarity, torch.nn.functional.cosine_similarity, [x, x[::-1].copy()]
    )
    assert_as_torch(backend, ops.normalize, torch.nn.functional.normalize, [x])


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 1.5, math.inf, 0])
def test_complex_vectors_as_pytorch(backend: Library, torch, rng, p: float) -> None:
    x, dy = (rng.normal(size=(3, 8)).view("complex128") for _ in range(2))
    tensor = torch.tensor(x, requires_grad=True)
    desired = torch.nn.functional.normalize(tensor, p)
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(ops.normalize, backend.array(x), p)
    np.testing.assert_allclose(host(y), desired.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(host(pullback(backend.array(dy))[0]), tensor.grad, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_odd_numbers_as_pytorch(backend: Library, torch, rng, value: float) -> None:
    x, other = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    x[1, 2] = value
    for arrays, name in (([x], "normalize"), ([x, other], "cosine_similarity")):
        assert_as_torch(backend, getattr(ops, name), getattr(torch.nn.functional, name), arrays)


@pytest.mark.parametrize(
    ("call", "words", "error"),
    [
        (lambda x: ops.normalize(x, dim=2), ["dim 2", "(2, 3)"], ValueError),
        (lambda x: ops.normalize(x, dim=-3), ["dim -3", "(2, 3)"], ValueError),
        (lambda x: ops.normalize(x, dim=(0, -2)), ["twice", "(0, -2)"], ValueError),
        (lambda x: ops.normalize(x[0, :]), ["dim 1", "(3,)"], ValueError),
        (lambda x: ops.normalize(x[:, :0], math.inf), ["inf", "(2, 0)"], ValueError),
        (lambda x: ops.normalize(x[:, :0], -1), ["-1", "(2, 0)"], ValueError),
        (lambda x: ops.normalize(x, p="fro"), ["p", "fro"], TypeError),
        (lambda x: ops.normalize(x, dim=1.0), ["dim", "1.0"], TypeError),
        (lambda x: ops.normalize(x > 0), ["x", "bool"], TypeError),
        (lambda x: ops.cosine_similarity(x, x[:, :2]), ["x2", "(2, 3)", "(2, 2)"], ValueError),
        (lambda x: ops.cosine_similarity(x, x, dim=2), ["dim 2", "(2, 3)"], ValueError),
        (lambda x: ops.cosine_similarity(x > 0, x > 0), ["x1", "bool"], TypeError),
        (lambda x: ops.cosine_similarity(x, x, eps=-1.0), ["eps", "-1.0"], ValueError),
        (lambda x: ops.cosine_similarity(x, x, eps=math.nan), ["eps", "nan"], ValueError),
    ],
)
def test_bad_arguments_are_named(backend: Library, call: Any, words, error) -> None:
    with refused(*words, error=error):
        call(backend.array(np.ones((2, 3))))


def test_integers_and_complex_numbers_have_no_cosine(backend: Library) -> None:
    for dtype in ("int64", "complex128"):
        x = backend.array(np.ones((2, 3)), dtype)
        with refused("x1", dtype, error=TypeError):
            ops.cosine_similarity(x, x)


def test_odd_shapes(backend: Library) -> None:
    zero = backend.array(0.0)
    assert ops.cosine_similarity(zero, zero, dim=0).shape == ()
    assert ops.normalize(backend.array(3.0), dim=-1).shape == ()
    empty = backend.array(np.zeros((2, 0)))
    backend.assert_equal(ops.cosine_similarity(empty, empty), np.zeros(2))
    assert ops.normalize(empty).shape == (2, 0)
