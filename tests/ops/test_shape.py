"""`add`, `concat` and `flatten`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from tests.refusals import refused
from xpconv import ops


def test_add(backend: Library) -> None:
    y, pullback = ops.vjp(ops.add, backend.array([1.0, 2.0]), backend.array([10.0, 20.0]))
    backend.assert_equal(y, np.array([11.0, 22.0]))
    for gradient in pullback(backend.array([3.0, 4.0])):
        backend.assert_equal(gradient, np.array([3.0, 4.0]))


def test_concat(backend: Library) -> None:
    a, b = backend.array([[1.0], [2.0]]), backend.array([[3.0, 4.0], [5.0, 6.0]])
    y, pullback = ops.vjp(ops.concat, a, b)
    backend.assert_equal(y, np.array([[1.0, 3, 4], [2, 5, 6]]))
    da, db = pullback(backend.array([[1.0, 2, 3], [4, 5, 6]]))
    backend.assert_equal(da, np.array([[1.0], [4.0]]))
    backend.assert_equal(db, np.array([[2.0, 3], [5, 6]]))


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_concat_along_any_axis(backend: Library, rng, dim: int) -> None:
    arrays = [rng.normal(size=(2, 3, 4)) for _ in range(3)]
    y = ops.concat(*(backend.array(array) for array in arrays), dim=dim)
    backend.assert_equal(y, np.concatenate(arrays, axis=dim))


def test_concat_of_one(backend: Library) -> None:
    y, pullback = ops.vjp(ops.concat, backend.array([[1.0, 2.0]]))
    backend.assert_equal(y, np.array([[1.0, 2.0]]))
    assert len(pullback(y)) == 1


def test_concat_refusals(backend: Library) -> None:
    a, b = backend.array(np.ones((2, 3))), backend.array(np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 3\)"):
        ops.concat(a, b)
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 3, 1\)"):
        ops.concat(a, backend.array(np.ones((2, 3, 1))))
    with refused("dim", "2"):
        ops.concat(a, a, dim=2)
    with pytest.raises((TypeError, ValueError), match="at least one"):
        ops.concat()


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        ({}, (2, 60)),
        ({"start_dim": 0}, (120,)),
        ({"end_dim": 2}, (2, 12, 5)),
        ({"start_dim": 2}, (2, 3, 20)),
        ({"start_dim": -2, "end_dim": -1}, (2, 3, 20)),
        ({"start_dim": 1, "end_dim": 1}, (2, 3, 4, 5)),
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", ["C", "channels_last", "strided"])
def test_flatten(backend: Library, rng, dims, shape, layout: str) -> None:
    x = rng.normal(size=(2, 3, 4, 5))
    y, pullback = ops.vjp(ops.flatten, backend.array(x, layout=layout), **dims)
    backend.assert_equal(y, x.reshape(shape))
    backend.assert_equal(pullback(y)[0], x)


def test_flatten_empty_and_tiny(backend: Library) -> None:
    assert ops.flatten(backend.array(np.zeros((0, 3, 4)))).shape == (0, 12)
    assert ops.flatten(backend.array(1.0), 0).shape == (1,)


@pytest.mark.parametrize("dims", [(2, 1), (0, 3), (-4, 1), (3, 3)])
def test_flatten_refusals(backend: Library, dims) -> None:
    with pytest.raises(ValueError, match="dim"):
        ops.flatten(backend.array(np.ones((2, 3, 4))), *dims)


@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (3,), (2, 3, 1)])
def test_add_refuses_to_broadcast(backend: Library, shape) -> None:
    with refused("(2, 3)", str(shape)):
        ops.add(backend.array(np.ones((2, 3))), backend.array(np.ones(shape)))


# --- unflatten -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex64"])
@pytest.mark.parametrize(
    ("shape", "dim", "sizes"),
    [
        ((2, 12, 3), 1, (3, 4)),
        ((2, 12, 3), -2, (3, -1, 2)),
        ((2, 12, 3), 1, [12]),
        ((12,), 0, (1, -1)),
        ((2, 0, 3), 1, (0, 4)),
        ((2, 0, 3), 1, (3, -1)),
        ((0, 4), -1, (2, 2)),
    ],
)
def test_unflatten_as_pytorch(backend: Library, torch, shape, dim, sizes, dtype) -> None:
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    desired = torch.unflatten(torch.tensor(x), dim, sizes).numpy()
    y = ops.unflatten(backend.array(x), dim, sizes)
    np.testing.assert_array_equal(host(y), desired)
    assert host(y).dtype == desired.dtype
    back = ops.flatten(y, dim % len(shape), dim % len(shape) + len(sizes) - 1)
    np.testing.assert_array_equal(host(back), x)


@pytest.mark.parametrize(
    ("shape", "dim", "sizes", "words", "error"),
    [
        ((2, 12), 1, (5, 2), ["(5, 2)", "multiply up", "12"], ValueError),
        ((2, 12), 1, (5, -1), ["(5, -1)", "multiply up", "12"], ValueError),
        ((2, 12), 1, (0, -1), ["(0, -1)", "12"], ValueError),
        ((2, 12), 1, (-1, -1), ["(-1, -1)", "one -1"], ValueError),
        ((2, 12), 1, (-2, -6), ["(-2, -6)", "negative"], ValueError),
        ((2, 12), 1, (), ["non-empty"], ValueError),
        ((2, 12), 2, (3, 4), ["dim 2", "(2, 12)"], ValueError),
        ((2, 12), -3, (3, 4), ["dim -3", "(2, 12)"], ValueError),
        ((2, 0), 1, (-1, 0), ["(-1, 0)", "open"], ValueError),
        ((), 0, (1, 1), ["dim 0", "()"], ValueError),
        ((2, 12), 1, 3, ["sizes", "3"], TypeError),
        ((2, 12), 1, (3.0, 4), ["sizes", "3.0"], TypeError),
        ((2, 12), 1.0, (3, 4), ["dim", "1.0"], TypeError),
    ],
)
def test_bad_splits_are_named(backend: Library, shape, dim, sizes, words, error) -> None:
    with refused(*words, error=error):
        ops.unflatten(backend.array(np.ones(shape)), dim, sizes)
