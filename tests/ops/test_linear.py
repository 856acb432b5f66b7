"""`linear` and `bilinear`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference, reference_norm
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


@given(
    x=leads, out=st.integers(1, 4), sizes=st.tuples(widths, widths), bias=st.booleans(), seed=seeds
)
def test_bilinear(backend: Library, torch, x, out, sizes, bias, seed) -> None:
    rng = np.random.default_rng(seed)
    arrays = [
        rng.normal(size=(*x, sizes[0])),
        rng.normal(size=(*x, sizes[1])),
        rng.normal(size=(out, *sizes)),
        rng.normal(size=out) if bias else None,
    ]
    here = [None if array is None else backend.array(array) for array in arrays]
    backend.assert_close(ops.bilinear(*here), reference_norm.bilinear(*arrays))
    assert_as_torch(backend, ops.bilinear, torch.nn.functional.bilinear, arrays)


def test_bilinear_by_hand(backend: Library) -> None:
    x1, x2 = backend.array([1.0, 2.0]), backend.array([3.0, 5.0])
    weight = backend.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]])
    backend.assert_equal(ops.bilinear(x1, x2, weight), np.array([13.0, 5.0]))


def test_a_single_row_as_pytorch(backend: Library, torch, rng: np.random.Generator) -> None:
    """A weight of one axis gives no axis to the output."""
    for shape in ((4,), (2, 4), (2, 0, 4)):
        arrays = [rng.normal(size=shape), rng.normal(size=4)]
        assert_as_torch(backend, ops.linear, torch.nn.functional.linear, arrays)
    arrays = [rng.normal(size=(2, 3, 4)), rng.normal(size=4), rng.normal(size=())]
    assert_as_torch(backend, ops.linear, torch.nn.functional.linear, arrays)


def test_complex_numbers_as_pytorch(backend: Library, torch, rng: np.random.Generator) -> None:
    """Forward as written, back through conjugates."""
    shapes = ((2, 3, 8), (5, 8), (10,))
    arrays = [rng.normal(size=shape).view("complex128") for shape in shapes]
    dy = rng.normal(size=(2, 3, 10)).view("complex128")
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    desired = torch.nn.functional.linear(*tensors)
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(ops.linear, *map(backend.array, arrays))
    np.testing.assert_allclose(host(y), desired.detach().numpy(), rtol=1e-12)
    for gradient, tensor in zip(pullback(backend.array(dy)), tensors, strict=True):
        np.testing.assert_allclose(host(gradient), tensor.grad.numpy(), rtol=1e-10)
    x2, form = rng.normal(size=(2, 3, 4)).view("complex128"), rng.normal(size=(5, 4, 2)) * 1j
    y, pullback = ops.vjp(ops.bilinear, *map(backend.array, (arrays[0], x2, form)))
    np.testing.assert_allclose(host(y), reference_norm.bilinear(arrays[0], x2, form, None))
    gradients = pullback(backend.array(dy))
    for array, gradient in zip((arrays[0], x2, form), gradients, strict=True):
        # The form is linear in each: the inner product with the gradient is that with the output.
        product = np.sum(dy.conj() * host(y))
        np.testing.assert_allclose(np.sum(host(gradient).conj() * array), product, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_integers_stay_integers(backend: Library, dtype: str) -> None:
    x, weight = np.arange(6).reshape(2, 3), np.arange(12).reshape(4, 3)
    y, pullback = ops.vjp(ops.linear, backend.array(x, dtype), backend.array(weight, dtype))
    backend.assert_equal(y, (x @ weight.T).astype(dtype))
    assert pullback(y) == (None, None)
    form = np.arange(24).reshape(2, 3, 4)
    y = ops.bilinear(*(backend.array(a, dtype) for a in (x, weight.reshape(3, 4)[:2], form)))
    expected = np.einsum("ni,oij,nj->no", x, form, weight.reshape(3, 4)[:2])
    backend.assert_equal(y, expected.astype(dtype))


def test_truth_values_are_no_numbers(backend: Library) -> None:
    yes = backend.array(np.ones((2, 3), bool))
    for call in (lambda: ops.linear(yes, yes), lambda: ops.multiply(yes, yes)):
        with refused("bool", error=TypeError):
            call()


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((2, 3), (2, 4), (5, 3)), ["weight", "(O, I1, I2)", "(5, 3)"]),
        (((2, 3), (1, 4), (5, 3, 4)), ["x1 (2, 3)", "x2 (1, 4)"]),
        (((2, 3), (2, 5, 4), (5, 3, 4)), ["x1 (2, 3)", "x2 (2, 5, 4)"]),
        (((2, 3), (2, 4), (5, 4, 3)), ["weight (5, 4, 3)", "4 and 3"]),
        (((), (), (5, 1, 1)), ["x1 ()"]),
        (((2, 3), (2, 4), (5, 3, 4), (4,)), ["bias", "(5,)", "(4,)"]),
        (((2, 3), (2, 4), (5, 3, 4), (1, 5)), ["bias", "(5,)", "(1, 5)"]),
    ],
    ids=str,
)
def test_bad_sizes_of_bilinear_are_named(backend: Library, shapes, words) -> None:
    with refused(*words):
        ops.bilinear(*(backend.array(np.ones(shape)) for shape in shapes))
