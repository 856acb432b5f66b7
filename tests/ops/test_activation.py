"""Activations: relu, leaky_relu, sigmoid, tanh, gelu, silu, softmax, log_softmax."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

# the oracle's name -> the operation and its options
POINTWISE = {
    "relu": ("relu", {}),
    "leaky_relu": ("leaky_relu", {"negative_slope": 0.01}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "silu": ("silu", {}),
    "gelu": ("gelu", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
}
EACH = pytest.mark.parametrize("name", POINTWISE)
SOFT = pytest.mark.parametrize("name", ["softmax", "log_softmax"])
NEAR = np.concatenate([np.linspace(-6, 6, 241), np.linspace(-0.01, 0.01, 21)])

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0.0, 0.0, 3.0]),
        ("leaky_relu", [-0.02, 0.0, 3.0]),
        ("sigmoid", [1 / (1 + math.e**2), 0.5, 1 / (1 + math.e**-3)]),
        ("tanh", [math.tanh(-2), 0.0, math.tanh(3)]),
        ("silu", [-2 / (1 + math.e**2), 0.0, 3 / (1 + math.e**-3)]),
        ("gelu", [-math.erfc(2**0.5), 0.0, 1.5 * (1 + math.erf(3 / 2**0.5))]),
        ("gelu_tanh", [-0.04540230591222786, 0.0, 2.996362607918227]),
    ],
)
def test_by_hand(backend: Library, name: str, expected) -> None:
    operation, options = POINTWISE[name]
    y = getattr(ops, operation)(backend.array([-2.0, 0.0, 3.0]), **options)
    backend.assert_close(y, np.array(expected), rtol=1e-13)


def test_softmax_by_hand(backend: Library) -> None:
    x = backend.array(np.log([[1.0, 3.0], [2.0, 2.0]]))
    backend.assert_close(ops.softmax(x), np.array([[0.25, 0.75], [0.5, 0.5]]))
    backend.assert_close(ops.softmax(x, dim=0), np.array([[1 / 3, 0.6], [2 / 3, 0.4]]))
    backend.assert_close(ops.log_softmax(x), np.log([[0.25, 0.75], [0.5, 0.5]]))


def test_slopes_at_the_kink_are_pytorchs(backend: Library) -> None:
    zero, one = backend.array([0.0, -0.0]), backend.array([1.0, 1.0])
    backend.assert_equal(ops.vjp(ops.relu, zero)[1](one)[0], np.zeros(2))
    (dx,) = ops.vjp(ops.leaky_relu, zero, negative_slope=0.25)[1](one)
    backend.assert_equal(dx, np.full(2, 0.25))


@EACH
def test_against_the_formulas(backend: Library, name: str) -> None:
    operation, options = POINTWISE[name]
    y = getattr(ops, operation)(backend.array(NEAR), **options)
    backend.assert_close(y, reference.activation(name, NEAR), rtol=0, atol=4e-15)


@EACH
def test_in_float32(backend: Library, name: str) -> None:
    operation, options = POINTWISE[name]
    x = NEAR.astype("float32")
    y = getattr(ops, operation)(backend.array(x), **options)
    backend.assert_close(y, reference.activation(name, x), 0, 1e-6, dtype="float32")


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_out(backend: Library, name: str, dtype: str) -> None:
    """No overflow (a warning is an error here), and the limits are reached."""
    operation, options = POINTWISE[name]
    far = np.array([-1e30, -1e4, -100, 100, 1e4, 1e30], dtype)
    y, pullback = ops.vjp(getattr(ops, operation), backend.array(far), **options)
    grows = name not in ("sigmoid", "tanh")
    right = far[3:] if grows else np.ones(3, dtype)
    left = {"leaky_relu": far[:3] * np.asarray(0.01, dtype), "tanh": -np.ones(3, dtype)}
    desired = np.concatenate([left.get(name, np.zeros(3, dtype)), right])
    np.testing.assert_allclose(host(y), desired, rtol=1e-6, atol=1e-30)
    (dx,) = pullback(backend.array(np.ones(6, dtype)))
    slopes = [0.01 if name == "leaky_relu" else 0.0] * 3 + [1.0 if grows else 0.0] * 3
    np.testing.assert_allclose(host(dx), slopes, rtol=1e-6, atol=1e-30)


@EACH
def test_nan_stays_nan(backend: Library, name: str) -> None:
    operation, options = POINTWISE[name]
    y = host(getattr(ops, operation)(backend.array([np.nan, 1.0]), **options))
    assert np.isnan(y[0])
    assert not np.isnan(y[1])


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh"])
def test_infinities_and_nan_as_pytorch(backend: Library, torch, name: str) -> None:
    theirs = getattr(torch.nn.functional, name)
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0])
    assert_as_torch(backend, getattr(ops, name), theirs, [x])


@SOFT
@given(data=st.data(), shape=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=seeds)
def test_softmax_against_numpy(backend: Library, name: str, data, shape, seed: int) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).normal(size=shape) * 5
    y = getattr(ops, name)(backend.array(x), dim)
    desired = reference.softmax(x, dim)
    backend.assert_close(y, desired if name == "softmax" else np.log(desired))


@SOFT
def test_softmax_is_stable(backend: Library, name: str) -> None:
    x = backend.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -np.inf]])
    y = getattr(ops, name)(x)
    p = np.array([[1.0, 0, 0], [0.5, 0.5, 0]])
    log_p = np.array([[0.0, -1e4, -2e4], [-math.log(2), -math.log(2), -np.inf]])
    backend.assert_close(y, p if name == "softmax" else log_p)


@SOFT
def test_softmax_gradient_sums_to_zero(backend: Library, rng, name: str) -> None:
    """Adding a constant to a row changes nothing."""
    _, pullback = ops.vjp(getattr(ops, name), backend.array(rng.normal(size=(3, 5))))
    dx = host(pullback(backend.array(rng.normal(size=(3, 5))))[0])
    np.testing.assert_allclose(dx.sum(1), 0, atol=1e-14)


@SOFT
@pytest.mark.parametrize("dim", [2, -3])
def test_softmax_names_a_bad_dim(backend: Library, name: str, dim: int) -> None:
    with pytest.raises(ValueError, match=rf"dim.*{dim}"):
        getattr(ops, name)(backend.array(np.ones((2, 3))), dim)


def test_gelu_names_a_bad_approximation(backend: Library) -> None:
    with refused("approximate", "'none'", "'tanh'", "'erf'"):
        ops.gelu(backend.array(np.ones(3)), approximate="erf")


@EACH
def test_integers_are_refused_where_they_make_no_sense(backend: Library, name: str) -> None:
    if name == "relu":
        return
    operation, options = POINTWISE[name]
    with pytest.raises(TypeError, match="floating"):
        getattr(ops, operation)(backend.array(np.arange(3)), **options)


@EACH
@given(shape=shapes, seed=seeds, dtype=dtypes)
def test_as_pytorch(backend: Library, torch, name: str, shape, seed: int, dtype: str) -> None:
    operation, options = POINTWISE[name]
    theirs = getattr(torch.nn.functional, operation)
    x = np.random.default_rng(seed).normal(size=shape) * 3
    assert_as_torch(
        backend,
        getattr(ops, operation),
        lambda x: theirs(x, **options),
        [x],
        dtype=dtype,
        **options,
    )


@SOFT
@given(data=st.data(), shape=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=seeds)
def test_softmax_as_pytorch(backend: Library, torch, name: str, data, shape, seed: int) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    if shape[dim] == 0:
        return
    theirs = getattr(torch.nn.functional, name)
    x = np.random.default_rng(seed).normal(size=shape) * 3
    assert_as_torch(backend, getattr(ops, name), lambda x: theirs(x, dim=dim), [x], dim=dim)
