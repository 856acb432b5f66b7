"""`weight_norm` and `spectral_norm` of a weight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_norm as reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def lengths_shape(shape: tuple[int, ...], dim: int | None) -> tuple[int, ...]:
    if dim is None or dim == -1:
        return ()
    return tuple(size if axis == dim % len(shape) else 1 for axis, size in enumerate(shape))


def test_by_hand(backend: Library) -> None:
    v = backend.array([[3.0, 4.0], [0.0, 2.0]])
    g = backend.array([[10.0], [1.0]])
    backend.assert_close(ops.weight_norm(v, g), np.array([[6.0, 8.0], [0.0, 1.0]]))
    u, w = backend.array([0.0, 1.0]), backend.array([0.0, 1.0])
    backend.assert_close(ops.spectral_norm(v, u, w), np.array([[1.5, 2.0], [0.0, 1.0]]))


@given(shape=shapes, where=st.data(), seed=seeds, dtype=dtypes)
def test_weight_norm(backend: Library, torch, shape, where, seed, dtype) -> None:
    rng = np.random.default_rng(seed)
    dim = where.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    v, g = rng.normal(size=shape), np.asarray(rng.normal(size=lengths_shape(shape, dim)))
    if len(shape) > 1 or dim != 0:
        y = ops.weight_norm(backend.array(v), backend.array(g), dim)
        backend.assert_close(y, reference.weight_norm(v, g, dim))
    assert_as_torch(
        backend,
        ops.weight_norm,
        lambda v, g: torch._weight_norm(v, g, -1 if dim is None else dim),
        [v, g],
        dtype="float64" if v.size < 2 else dtype,  # one number has no direction to turn
        dim=dim,
    )


@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple),
    where=st.data(),
    seed=seeds,
)
def test_spectral_norm_as_pytorch(backend: Library, torch, shape, where, seed) -> None:
    rng = np.random.default_rng(seed)
    dim = where.draw(st.integers(-len(shape), len(shape) - 1))
    weight = rng.normal(size=shape)
    u = rng.normal(size=shape[dim])
    v = rng.normal(size=weight.size // shape[dim])

    def theirs(weight: Any, u: Any, v: Any) -> Any:
        matrix = weight.movedim(dim, 0).flatten(1)
        return weight / torch.vdot(u, torch.mv(matrix, v))

    arrays = [weight, u, v]
    without = (1, 2)
    assert_as_torch(backend, ops.spectral_norm, theirs, arrays, without_gradient=without, dim=dim)


def test_true_singular_vectors_give_a_spectral_norm_of_one(backend: Library, rng) -> None:
    weight = rng.normal(size=(4, 3, 2))
    u, _, v = np.linalg.svd(weight.reshape(4, 6))
    y = ops.spectral_norm(*map(backend.array, (weight, u[:, 0], v[0])))
    assert np.linalg.norm(host(y).reshape(4, 6), 2) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "words", "error"),
    [
        (lambda x: ops.weight_norm(x, x[:, :1], 2), ["dim 2", "(2, 3)"], ValueError),
        (lambda x: ops.weight_norm(x, x[:, :1], 1), ["(1, 3)", "(2, 1)"], ValueError),
        (lambda x: ops.weight_norm(x, x[:, 0]), ["(2, 1)", "(2,)"], ValueError),
        (lambda x: ops.weight_norm(x, x[:, :1], None), ["()", "(2, 1)"], ValueError),
        (lambda x: ops.weight_norm(x > 0, x[:, :1] > 0), ["v", "bool"], TypeError),
        (lambda x: ops.spectral_norm(x[0, :], x[:, 0], x[0, :]), ["(3,)"], ValueError),
        (lambda x: ops.spectral_norm(x, x[:, 0], x[0, :], 2), ["dim=2"], ValueError),
        (lambda x: ops.spectral_norm(x, x[0, :], x[0, :]), ["(2,)", "(3,)"], ValueError),
        (lambda x: ops.spectral_norm(x, x[:, 0], x[:, 0]), ["(2,)", "(3,)"], ValueError),
    ],
)
def test_bad_arguments_are_named(backend: Library, call: Any, words, error) -> None:
    with refused(*words, error=error):
        call(backend.array(np.ones((2, 3))))
