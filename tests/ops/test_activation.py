"""Elementwise activations: values, slopes, kinks, far ends, infinities, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_activations as reference
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops

# name of the oracle's curve (and of the operation, up to what follows "_tanh"), options
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": -0.2}),
    ("rrelu", {}),
    ("rrelu", {"lower": -1.0, "upper": 0.5}),
    ("threshold", {"threshold": 1.0, "value": -2.0}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -2, "max_val": 3}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {}),
    ("hardshrink", {"lambd": 3}),
    ("softshrink", {}),
    ("softshrink", {"lambd": 0}),
    ("softshrink", {"lambd": 3}),
    ("tanhshrink", {}),
    ("elu", {}),
    ("elu", {"alpha": -2.0}),
    ("celu", {}),
    ("celu", {"alpha": 0.5}),
    ("selu", {}),
    ("sigmoid", {}),
    ("logsigmoid", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2, "threshold": 6.0}),
    ("softplus", {"beta": -1.0}),
    ("softplus", {"threshold": -3.0}),
    ("softsign", {}),
    ("tanh", {}),
    ("gelu", {}),
    ("gelu_tanh", {}),
    ("silu", {}),
    ("mish", {}),
]
EACH = pytest.mark.parametrize(
    ("name", "options"), FORMS, ids=lambda v: v if isinstance(v, str) else ",".join(map(str, v))
)

KINKS = [-6.0, -3.0, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0]
NEAR = np.concatenate(
    [np.linspace(-8, 8, 97), np.geomspace(1e-30, 5, 40), -np.geomspace(1e-30, 5, 40)]
)

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def called(name: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The operation of a form, and the options that make it that form."""
    if name == "gelu_tanh":
        return ops.gelu, {"approximate": "tanh"}
    return getattr(ops, name), options


def theirs(torch: Any, name: str, options: dict[str, Any]) -> Any:
    operation, options = called(name, options)
    return lambda x: getattr(torch.nn.functional, operation.__name__)(x, **options)


def both(backend: Library, name: str, options: dict[str, Any], x: np.ndarray) -> tuple[Any, Any]:
    operation, options = called(name, options)
    y, pullback = ops.vjp(operation, backend.array(x), **options)
    return y, pullback(backend.array(np.ones_like(x)))[0]


# Values at -2, 0 and 3 from pencil and a table of the exponential.
BY_HAND = {
    "relu": (0.0, 0.0, 3.0),
    "relu6": (0.0, 0.0, 3.0),
    "leaky_relu": (-0.02, 0.0, 3.0),
    "rrelu": (-11 / 24, 0.0, 3.0),
    "hardtanh": (-1.0, 0.0, 1.0),
    "hardsigmoid": (1 / 6, 0.5, 1.0),
    "hardswish": (-1 / 3, 0.0, 3.0),
    "hardshrink": (-2.0, 0.0, 3.0),
    "softshrink": (-1.5, 0.0, 2.5),
    "tanhshrink": (-1.0359724199241831, 0.0, 2.0049452463132695),
    "elu": (-0.8646647167633873, 0.0, 3.0),
    "celu": (-0.8646647167633873, 0.0, 3.0),
    "selu": (-1.5201664685956952, 0.0, 3.1521029620664414),
    "sigmoid": (0.11920292202211755, 0.5, 0.9525741268224334),
    "logsigmoid": (-2.126928011042973, -0.6931471805599453, -0.04858735157374196),
    "softplus": (0.12692801104297263, 0.6931471805599453, 3.048587351573742),
    "softsign": (-2 / 3, 0.0, 0.75),
    "tanh": (-0.9640275800758169, 0.0, 0.9950547536867305),
    "gelu": (-0.04550026389635842, 0.0, 2.99595030590511),
    "gelu_tanh": (-0.04540230591222786, 0.0, 2.996362607918227),
    "silu": (-0.2384058440442351, 0.0, 2.8577223804673),
    "mish": (-0.2525014826957084, 0.0, 2.986535004967957),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(backend: Library, name: str) -> None:
    operation, options = called(name, {})
    y = operation(backend.array([-2.0, 0.0, 3.0]), **options)
    backend.assert_close(y, np.array(BY_HAND[name]), rtol=1e-13)


def units(actual: Any, desired: np.ndarray, dtype: str) -> np.ndarray:
    """Errors in units of the last place of the desired numbers."""
    limits = np.finfo(dtype)
    size = np.maximum(np.abs(desired), float(limits.tiny))
    return np.abs(host(actual).astype("float64") - desired) / (size * float(limits.eps))


@EACH
def test_in_float32_to_the_last_places(backend: Library, name: str, options: dict) -> None:
    """Against the definitions in float64, far into both tails."""
    x = np.concatenate([NEAR, np.linspace(-60, 60, 61)]).astype("float32")
    y, dx = both(backend, name, options, x)
    value, slope = reference.activation(name, x.astype("float64"), **options)
    assert y.dtype == backend.array(x).dtype
    # exp(-v) has the error of v times the size of v, and a normal distribution's v is x ** 2 / 2
    growth = 1 + np.abs(x) ** 2 / 2 if name.startswith("gelu") else 1 + 0 * np.abs(x)
    growth *= 3 if name == "gelu_tanh" else 1
    assert np.max(units(y, value, "float32") / growth) < 6
    # a derivative that crosses zero is a difference of two numbers of order 1
    crossing = 1 + 1 / np.maximum(np.abs(slope), 1e-3) * (np.abs(x) < 8)
    if name == "tanh":  # 1 - y ** 2, as in PyTorch
        np.testing.assert_allclose(host(dx), slope, rtol=1e-6, atol=2e-7)
        return
    assert np.max(units(dx, slope, "float32") / (growth * crossing)) < 6


@EACH
def test_in_float64_against_the_definitions(backend: Library, name: str, options: dict) -> None:
    y, dx = both(backend, name, options, NEAR)
    value, slope = reference.activation(name, NEAR, **options)
    np.testing.assert_allclose(host(y), value, rtol=2e-14, atol=1e-300)
    np.testing.assert_allclose(host(dx), slope, rtol=2e-14, atol=2e-15)


@EACH
def test_kinks_as_pytorch(backend: Library, torch, name: str, options: dict) -> None:
    dtype = "float32" if name == "hardsigmoid" else "float64"  # 1 / 6 in float32 is PyTorch's slope
    operation, ours = called(name, options)
    peer = theirs(torch, name, options)
    assert_as_torch(backend, operation, peer, [np.array(KINKS)], dtype=dtype, **ours)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_and_nan_as_pytorch(
    backend: Library, torch, name: str, options: dict, dtype: str
) -> None:
    x = np.array([-np.inf, -1e30, -1e4, -100, 100, 1e4, 1e30, np.inf, np.nan], dtype)
    # PyTorch's loop over whole vectors and its loop over the rest differ in the slope at NaN: the
    # array is made long and looked at where it begins.
    tensor = torch.tensor(np.tile(x.astype("float64"), 16), requires_grad=True)
    desired = theirs(torch, name, options)(tensor)
    desired.backward(torch.ones_like(desired))
    y, dx = both(backend, name, options, x)
    for actual, peer in ((y, desired.detach()), (dx, tensor.grad)):
        np.testing.assert_allclose(host(actual), peer.numpy()[: x.size], rtol=1e-6, atol=1e-30)


@EACH
@given(shape=shapes, seed=seeds, dtype=dtypes)
def test_as_pytorch(
    backend: Library, torch, name: str, options: dict, shape, seed: int, dtype: str
) -> None:
    operation, ours = called(name, options)
    x = np.random.default_rng(seed).normal(size=shape) * 3
    dtype = "float32" if name == "hardsigmoid" else dtype
    assert_as_torch(backend, operation, theirs(torch, name, options), [x], dtype=dtype, **ours)


WHOLE = [
    ("relu", {}),
    ("relu6", {}),
    ("hardtanh", {"min_val": -2.7, "max_val": 3.9}),
    ("threshold", {"threshold": 1.5, "value": 3.9}),
    ("threshold", {"threshold": -0.5, "value": -1.5}),
]


@pytest.mark.parametrize(("name", "options"), WHOLE)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_whole_numbers_stay_whole(
    backend: Library, torch, name: str, options: dict, dtype: str
) -> None:
    x = np.array([0, 1, 2, 3, 4, 7, 100] + [-1, -2, -3, -100] * (dtype[0] == "i"), dtype)
    if dtype == "uint8" and any(value < 0 for value in options.values()):
        with refused("out of range", "uint8"):
            getattr(ops, name)(backend.array(x), **options)
        return
    y, pullback = ops.vjp(getattr(ops, name), backend.array(x), **options)
    desired = getattr(torch.nn.functional, name)(torch.tensor(x), **options)
    backend.assert_equal(y, desired.numpy())
    assert pullback(y) == (None,)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "tanhshrink", "softsign"])
def test_whole_numbers_become_float32(backend: Library, name: str) -> None:
    x = np.array([-128, -3, 0, 2, 127], "int8")
    y, pullback = ops.vjp(getattr(ops, name), backend.array(x))
    backend.assert_close(y, reference.activation(name, x)[0], 1e-6, dtype="float32")
    assert pullback(y) == (None,)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "tanhshrink", "softsign", "silu"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_as_pytorch(backend: Library, torch, rng, name: str, dtype: str) -> None:
    """Gradients in PyTorch's convention; its silu has none, but that of its parts."""
    x, dy = ((rng.normal(size=(9, 2)) @ [1, 1j]).astype(dtype) for _ in range(2))
    x[0] = 0
    tensor = torch.tensor(x, requires_grad=True)
    desired = (
        tensor * torch.sigmoid(tensor)
        if name == "silu"
        else getattr(torch.nn.functional, name)(tensor)
    )
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(getattr(ops, name), backend.array(x))
    (dx,) = pullback(backend.array(dy))
    for actual, peer in ((y, desired.detach()), (dx, tensor.grad)):
        assert actual.dtype == backend.array(x).dtype
        rtol = 1e-5 if dtype == "complex64" else 1e-12
        np.testing.assert_allclose(host(actual), peer.numpy(), rtol=rtol, atol=rtol)


def test_complex_far_out(backend: Library) -> None:
    x = backend.array([-800 + 1j, 800 + 1j])
    np.testing.assert_allclose(host(ops.sigmoid(x)), [0, 1], atol=1e-300)
    np.testing.assert_allclose(host(ops.silu(x)), [0, 800 + 1j], atol=1e-300)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_threshold_may_replace_by_anything(backend: Library, value: float) -> None:
    y, dx = both(backend, "threshold", {"threshold": 0, "value": value}, np.array([-1.0, 2.0]))
    backend.assert_equal(y, np.array([value, 2.0]))
    backend.assert_equal(dx, np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gelu", {"approximate": "erf"}, ("approximate", "'none'", "'tanh'", "'erf'")),
        ("hardtanh", {"min_val": 1.0, "max_val": -1.0}, ("min_val cannot be greater than", "1.0")),
        ("softshrink", {"lambd": -0.5}, ("lambda", "-0.5")),
        ("softshrink", {"lambd": float("nan")}, ("lambda", "nan")),
        ("softshrink", {"lambd": float("inf")}, ("lambda", "inf")),
        ("celu", {"alpha": 0}, ("alpha cannot be 0",)),
        ("rrelu", {"lower": 0.5, "upper": 0.2}, ("less than or equal", "0.5", "0.2")),
        ("rrelu", {"upper": float("inf")}, ("upper must be finite", "inf")),
        ("rrelu", {"lower": float("nan"), "training": True}, ("lower must be finite", "nan")),
    ],
)
def test_options_out_of_range(backend: Library, name: str, options: dict, words) -> None:
    with refused(*words):
        getattr(ops, name)(backend.array([1.0]), **options)


@pytest.mark.parametrize("name", ["leaky_relu", "gelu", "softplus", "hardswish"])
@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
def test_only_real_floating_numbers(backend: Library, name: str, dtype: str) -> None:
    with refused("x must have a real floating dtype", dtype, error=TypeError):
        getattr(ops, name)(backend.array([0, 1], dtype))


@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh", "threshold", "leaky_relu", "silu"])
def test_bfloat16_of_ml_dtypes(name: str) -> None:
    """The bfloat16 of NumPy and CuPy, for which they have few functions."""
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.array([-7, -0.5, 0, 0.75, 3, 9, np.nan], bfloat16)
    options = {"threshold": 0.5, "value": 2.0} if name == "threshold" else {}
    y, pullback = ops.vjp(getattr(ops, name), x, **options)
    exact, exact_pullback = ops.vjp(getattr(ops, name), x.astype("float32"), **options)
    dx, exact_dx = pullback(np.ones_like(x))[0], exact_pullback(np.ones(x.shape, "float32"))[0]
    for actual, desired in ((y, exact), (dx, exact_dx)):
        assert actual.dtype == bfloat16
        np.testing.assert_array_equal(
            actual.astype("float32"), desired.astype(bfloat16).astype("float32")
        )
