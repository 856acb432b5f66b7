"""`linear`."""

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

leads = st.lists(st.integers(0, 3), max_size=3).map(tuple)
widths = st.integers(1, 5)


def test_by_hand(backend: Library) -> None:
    x, weight = backend.array([[1.0, 2.0]]), backend.array([[3.0, 4], [5, 6], [0, 1]])
    y, pullback = ops.vjp(ops.linear, x, weight, backend.array([10.0, 20, 30]))
    backend.assert_equal(y, np.array([[21.0, 37, 32]]))
    dx, dweight, dbias = pullback(backend.array([[1.0, 10, 100]]))
    backend.assert_equal(dx, np.array([[53.0, 164]]))
    backend.assert_equal(dweight, np.array([[1.0, 2], [10, 20], [100, 200]]))
    backend.assert_equal(dbias, np.array([1.0, 10, 100]))


@given(lead=leads, n_in=widths, n_out=widths, seed=seeds)
def test_against_the_loops(backend: Library, lead, n_in: int, n_out: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weight, bias = (rng.normal(size=s) for s in ((*lead, n_in), (n_out, n_in), n_out))
    arrays = [backend.array(array) for array in (x, weight, bias)]
    backend.assert_close(ops.linear(*arrays), reference.linear(x, weight, bias))
    backend.assert_close(ops.linear(*arrays[:2]), reference.linear(x, weight, None))


@given(lead=leads, n_in=widths, n_out=widths, seed=seeds)
def test_gradients_are_the_adjoint(backend: Library, lead, n_in, n_out, seed) -> None:
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(*lead, n_in)), rng.normal(size=(n_out, n_in))
    y, pullback = ops.vjp(ops.linear, backend.array(x), backend.array(weight))
    dy = rng.normal(size=y.shape)
    product = np.sum(dy * host(y))
    for array, gradient in zip((x, weight), pullback(backend.array(dy)), strict=True):
        np.testing.assert_allclose(np.sum(array * host(gradient)), product, atol=1e-11)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "words"),
    [
        ((2, 3), (4, 5), None, ["3", "5"]),
        ((2, 3), (), None, ["weight", "()"]),
        ((2, 3), (3,), (3,), ["bias", "(3,)"]),
        ((2, 3), (3,), (), ["bias", "()"]),
        ((2, 3), (4, 3, 1), None, ["weight", "(4, 3, 1)"]),
        ((2, 3), (4, 3), (3,), ["bias", "(3,)", "4"]),
        ((2, 3), (4, 3), (1, 4), ["bias", "(1, 4)", "4"]),
        ((), (4, 3), None, ["()"]),
    ],
    ids=str,
)
def test_bad_sizes_are_named(backend: Library, x, weight, bias, words) -> None:
    arrays = [
        None if shape is None else backend.array(np.ones(shape)) for shape in (x, weight, bias)
    ]
    with refused(*words):
        ops.linear(*arrays)


@given(lead=leads, n_in=widths, n_out=widths, bias=st.booleans(), seed=seeds, dtype=dtypes)
def test_as_pytorch(backend: Library, torch, lead, n_in, n_out, bias, seed, dtype) -> None:
    rng = np.random.default_rng(seed)
    arrays = [
        rng.normal(size=(*lead, n_in)),
        rng.normal(size=(n_out, n_in)),
        rng.normal(size=n_out) if bias else None,
    ]
    assert_as_torch(backend, ops.linear, torch.nn.functional.linear, arrays, dtype=dtype)
