"""`multiply`: products of arrays of different shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import dtypes, seeds
from tests.refusals import refused
from xpconv import ops


def test_by_hand(backend: Library) -> None:
    x, y = backend.array([[1.0, 2.0], [3.0, 4.0]]), backend.array([[10.0], [100.0]])
    z, pullback = ops.vjp(ops.multiply, x, y)
    backend.assert_equal(z, np.array([[10.0, 20], [300, 400]]))
    dx, dy = pullback(backend.array([[1.0, 1], [1, 2]]))
    backend.assert_equal(dx, np.array([[10.0, 10], [100, 200]]))
    backend.assert_equal(dy, np.array([[3.0], [11]]))


@given(
    shape=st.lists(st.integers(0, 3), max_size=4),
    kinds=st.lists(st.sampled_from(["both", "left", "right"]), min_size=4, max_size=4),
    cut=st.integers(0, 4),
    swap=st.booleans(),
    seed=seeds,
    dtype=dtypes,
)
def test_as_pytorch(backend: Library, torch, shape, kinds, cut, swap, seed, dtype) -> None:
    """Axes of size 1 on either side, and axes missing at the front of one."""
    rng = np.random.default_rng(seed)
    left = [1 if kind == "right" else n for n, kind in zip(shape, kinds, strict=False)]
    right = [1 if kind == "left" else n for n, kind in zip(shape, kinds, strict=False)][cut:]
    arrays = [rng.normal(size=left), rng.normal(size=right)]
    arrays = [np.asarray(array) for array in (arrays[::-1] if swap else arrays)]
    assert_as_torch(backend, ops.multiply, torch.mul, arrays, dtype=dtype)


def test_complex_numbers_go_back_through_conjugates(backend: Library, torch, rng) -> None:
    x, y, dz = (rng.normal(size=shape).view("complex128") for shape in ((3, 4), (1, 4), (3, 4)))
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, y)]
    torch.mul(*tensors).backward(torch.tensor(dz))
    _, pullback = ops.vjp(ops.multiply, backend.array(x), backend.array(y))
    for gradient, tensor in zip(pullback(backend.array(dz)), tensors, strict=True):
        np.testing.assert_allclose(host(gradient), tensor.grad.numpy())


def test_integers_stay_integers(backend: Library) -> None:
    x, y = np.arange(6).reshape(2, 3), np.array([[2], [3]])
    backend.assert_equal(ops.multiply(backend.array(x), backend.array(y)), x * y)


def test_truth_values_are_added_by_or(backend: Library) -> None:
    x, y = np.array([False, True, True]), np.array([False, False, True])
    backend.assert_equal(ops.add(backend.array(x), backend.array(y)), x | y)


def test_long_sums_of_half(backend: Library) -> None:
    """One factor for 300 x 300 pixels: its gradient is beyond what float16 can count."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # not in the standard
        return
    x = backend.array(np.full((1, 1, 300, 300), 0.5), "float16")
    _, pullback = ops.vjp(ops.multiply, x, backend.array(np.ones((1, 1, 1, 1)), "float16"))
    gradient = pullback(x)[1]
    backend.assert_close(gradient, np.full((1, 1, 1, 1), 22_500.0), rtol=1e-3, dtype="float16")


@pytest.mark.parametrize(
    ("left", "right"), [((2, 3), (2, 4)), ((2, 3), (2,)), ((3,), (4, 2)), ((0,), (2,))]
)
def test_sizes_that_do_not_go_together(backend: Library, left, right) -> None:
    with refused("x has shape", str(left), "y has shape", str(right)):
        ops.multiply(backend.array(np.ones(left)), backend.array(np.ones(right)))
