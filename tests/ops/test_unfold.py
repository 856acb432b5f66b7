"""`unfold` and `fold`, also known as `im2col` and `col2im`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops


def test_by_hand(backend: Library) -> None:
    x = backend.array([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    columns = np.array([[[1.0, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]])
    backend.assert_equal(ops.unfold(x, 2), columns)
    back = ops.fold(backend.array(columns), (3, 3), 2)
    backend.assert_equal(back, np.array([[[[1.0, 4, 3], [8, 20, 12], [7, 16, 9]]]]))


def test_they_have_two_names() -> None:
    assert ops.im2col is ops.unfold
    assert ops.col2im is ops.fold


@given(windows=strategies.windows(), seed=strategies.seeds)
def test_against_the_loops(backend: Library, windows, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=windows.x)
    columns = reference.unfold(x, *windows.options.values())
    backend.assert_equal(ops.unfold(backend.array(x), **windows.options), columns)
    size = windows.x[2:]
    backend.assert_close(
        ops.fold(backend.array(columns), size, **windows.options),
        reference.fold(columns, size, *windows.options.values()),
    )


@given(windows=strategies.windows(), seed=strategies.seeds)
def test_fold_is_the_adjoint_of_unfold(backend: Library, windows, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=windows.x)
    columns, unfold_back = ops.vjp(ops.unfold, backend.array(x), **windows.options)
    other = rng.normal(size=columns.shape)
    folded, fold_back = ops.vjp(ops.fold, backend.array(other), windows.x[2:], **windows.options)
    np.testing.assert_allclose(
        np.sum(host(columns) * other), np.sum(x * host(folded)), atol=1e-11 * (1 + other.size)
    )
    backend.assert_close(unfold_back(backend.array(other))[0], folded, rtol=1e-13)
    backend.assert_close(fold_back(backend.array(x))[0], columns, rtol=1e-13)


def test_an_int_means_two_dimensions(backend: Library, rng: np.random.Generator) -> None:
    x = backend.array(rng.normal(size=(2, 3, 5, 4)))
    backend.assert_equal(ops.unfold(x, 2), host(ops.unfold(x, (2, 2))))
    backend.assert_equal(ops.unfold(x[0, ...], 2), host(ops.unfold(x, 2))[0])  # unbatched


def test_an_int_means_no_more_than_two(backend: Library) -> None:
    with refused("4 axes", "2 dimension(s)", "(2, 3, 5, 4, 2)"):
        ops.unfold(backend.array(np.ones((2, 3, 5, 4, 2))), 2)


def test_a_tuple_says_how_many_dimensions(backend: Library, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 7))
    y = ops.unfold(backend.array(x), (3,), stride=(2,))
    backend.assert_equal(y, reference.unfold(x, (3,), (1,), (0,), (2,)))
    back = ops.fold(y, (7,), (3,), stride=(2,))
    backend.assert_close(back, reference.fold(host(y), (7,), (3,), (1,), (0,), (2,)))


def test_unbatched_fold(backend: Library, rng: np.random.Generator) -> None:
    columns = rng.normal(size=(2, 12, 6))
    batched = ops.fold(backend.array(columns), (3, 4), 2)
    backend.assert_equal(ops.fold(backend.array(columns[0]), (3, 4), 2), host(batched)[0])


def test_empty_batch(backend: Library) -> None:
    columns, pullback = ops.vjp(ops.unfold, backend.array(np.zeros((0, 3, 4, 4))), 2)
    assert columns.shape == (0, 12, 9)
    assert pullback(columns)[0].shape == (0, 3, 4, 4)
    assert ops.fold(columns, (4, 4), 2).shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel_size": 0}, ["kernel_size", "0"]),
        ({"kernel_size": 2, "stride": 0}, ["stride", "0"]),
        ({"kernel_size": 2, "dilation": -1}, ["dilation", "-1"]),
        ({"kernel_size": 2, "padding": -1}, ["padding", "-1"]),
        ({"kernel_size": 2, "stride": (1, 1, 1)}, ["stride", "(1, 1, 1)"]),
        ({"kernel_size": (6, 2)}, ["(3x5x4)", "too small"]),
        ({"kernel_size": (2, 2, 2, 2)}, ["4", "(2, 3, 5, 4)"]),
        ({"kernel_size": (2, 2, 2)}, ["5 axes", "3 dimension(s)", "(2, 3, 5, 4)"]),
        ({"kernel_size": 2, "dilation": (1,)}, ["dilation equals to 2", "size 1"]),
        ({"kernel_size": 2, "padding": (0,)}, ["padding equals to 2", "size 1"]),
        ({"kernel_size": 2, "stride": (1,)}, ["stride equals to 2", "size 1"]),
    ],
    ids=str,
)
def test_unfold_refuses(backend: Library, options, words) -> None:
    with refused(*words):
        ops.unfold(backend.array(np.ones((2, 3, 5, 4))), **options)


@pytest.mark.parametrize(
    ("shape", "size", "words"),
    [
        ((2, 11, 6), (3, 4), ["11", "4"]),
        ((2, 12, 5), (3, 4), ["5", "6"]),
        ((12,), (3, 4), ["(12,)"]),
        ((2, 12, 6), (3, 4, 2), ["12", "8"]),
        ((2, 12, 6), (1, 4), ["too small"]),
        ((2, 12, 6), (0, 4), ["0"]),
    ],
    ids=str,
)
def test_fold_refuses(backend: Library, shape, size, words) -> None:
    with refused(*words):
        ops.fold(backend.array(np.ones(shape)), size, 2)


@pytest.mark.parametrize("shape", [(2, 0, 5, 4), (2, 3, 0, 4), (0, 4, 4)], ids=str)
def test_only_the_batch_may_be_empty(backend: Library, shape) -> None:
    with refused("positive", str(shape)):
        ops.unfold(backend.array(np.ones(shape)), 2, padding=2)


def test_sizes_may_be_numpys(backend: Library, rng: np.random.Generator) -> None:
    x, two = backend.array(rng.normal(size=(2, 3, 5, 4))), np.int64(2)
    columns = ops.unfold(x, two, stride=two)
    backend.assert_equal(columns, host(ops.unfold(x, 2, stride=2)))
    back = ops.fold(columns, (np.int64(5), np.int64(4)), two, stride=two)
    backend.assert_equal(back, host(ops.fold(columns, (5, 4), 2, stride=2)))


@pytest.mark.parametrize("value", [2.5, None, "2", True])
def test_sizes_are_integers(backend: Library, value) -> None:
    x = backend.array(np.ones((2, 4, 4, 4)))
    with refused("kernel_size", error=TypeError):
        ops.unfold(x, value)
    with refused("output_size", error=TypeError):
        ops.fold(x[0, ...], value, 2)


def test_truth_values(backend: Library) -> None:
    """Columns of truth values are or-ed, as PyTorch adds them."""
    x = np.random.default_rng(0).random((2, 3, 4, 5)) < 0.3
    columns = ops.unfold(backend.array(x), 3, padding=1)
    counts = host(ops.unfold(backend.array(x.astype("int64")), 3, padding=1))
    backend.assert_equal(columns, counts > 0)
    back = ops.fold(columns, (4, 5), 3, padding=1)
    sums = host(ops.fold(backend.array(counts), (4, 5), 3, padding=1))
    backend.assert_equal(back, sums > 0)


@pytest.mark.parametrize("dtype", ["bool", "int32"])
def test_no_gradient_without_fractions(backend: Library, dtype: str) -> None:
    columns, pullback = ops.vjp(ops.unfold, backend.array(np.ones((1, 2, 3, 3)), dtype), 2)
    assert pullback(columns) == (None,)
    back, pullback = ops.vjp(ops.fold, columns, (3, 3), 2)
    assert pullback(back) == (None,)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(backend: Library, dtype: str) -> None:
    """Copies and sums: of the real and of the imaginary parts."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2, 3, 4, 5)) + 1j * rng.normal(size=(2, 3, 4, 5))).astype(dtype)
    columns, pullback = ops.vjp(ops.unfold, backend.array(x), 2, padding=1, stride=2)
    assert str(host(columns).dtype) == dtype
    (dx,) = pullback(columns)
    for part in (np.real, np.imag):
        one, back = ops.vjp(ops.unfold, part(x).copy(), 2, padding=1, stride=2)
        np.testing.assert_array_equal(part(host(columns)), one)
        np.testing.assert_array_equal(part(host(dx)), back(one)[0])


def test_halves_are_added_in_single(backend: Library) -> None:
    """2048 + 1 + ... is 2048 in half precision."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    columns = np.ones((1, 9, 9))
    columns[0, 0, 8] = 2048
    y = ops.fold(backend.array(columns, "float16"), (5, 5), 3)
    backend.assert_equal(
        y, reference.fold(columns, (5, 5), (3, 3), (1, 1), (0, 0), (1, 1)).astype("float16")
    )


@given(windows=strategies.windows(dims=2), seed=strategies.seeds, dtype=strategies.dtypes)
def test_as_pytorch(backend: Library, torch, windows, seed: int, dtype: str) -> None:
    functional = torch.nn.functional
    x = np.random.default_rng(seed).normal(size=windows.x)
    assert_as_torch(
        backend,
        ops.unfold,
        lambda x: functional.unfold(x, **windows.options),
        [x],
        dtype=dtype,
        **windows.options,
    )
    columns = reference.unfold(x, *windows.options.values())
    options = {"output_size": windows.x[2:], **windows.options}
    assert_as_torch(
        backend,
        ops.fold,
        lambda columns: functional.fold(columns, **options),
        [columns],
        dtype=dtype,
        **options,
    )


@given(kernel=st.integers(1, 3), size=st.integers(3, 6), seed=strategies.seeds)
def test_convolution_is_a_product_with_the_columns(backend, kernel, size, seed) -> None:
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(2, 3, size, size)), rng.normal(size=(4, 3, kernel, kernel))
    columns = host(ops.unfold(backend.array(x), kernel))
    y = ops.conv2d(backend.array(x), backend.array(weight))
    backend.assert_close(y, (weight.reshape(4, -1) @ columns).reshape(y.shape))
