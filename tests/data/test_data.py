"""Data on the host: datasets, batches, orders, splits and the digits."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from tests.backends import dtype_name, host
from xpconv import data


def small(n: int = 7) -> data.ArrayDataset:
    return data.ArrayDataset(np.arange(2.0 * n).reshape(n, 2), np.arange(n))


# --- datasets -------------------------------------------------------------------------------------


def test_dataset_holds_what_it_was_given() -> None:
    x, y = np.ones((3, 2), dtype=np.float32), np.asarray([1, 2, 3], dtype=np.uint8)
    dataset = data.ArrayDataset(x, y)
    assert dataset.x is x
    assert dataset.y is y
    assert len(dataset) == 3
    assert repr(dataset) == "ArrayDataset(x: float32[3, 2], y: uint8[3])"


def test_dataset_of_any_library(backend: Any) -> None:
    dataset = data.ArrayDataset(backend.array([[1.0], [2.0]]), backend.array([0, 1]))
    assert isinstance(dataset.x, np.ndarray)
    np.testing.assert_array_equal(dataset.x, [[1.0], [2.0]])
    np.testing.assert_array_equal(dataset.y, [0, 1])


@pytest.mark.parametrize("index", [slice(2, 5), np.asarray([2, 3, 4]), [2, 3, 4]])
def test_dataset_parts(index: Any) -> None:
    part = small()[index]
    np.testing.assert_array_equal(part.y, [2, 3, 4])
    np.testing.assert_array_equal(part.x, [[4, 5], [6, 7], [8, 9]])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 2)), np.ones(4), r"x has 3 samples but y has 4 targets.*\(3, 2\).*\(4,\)"),
        (np.ones((0, 2)), np.ones(0), r"no samples: x has shape \(0, 2\)"),
        (1.0, [1], r"one entry per sample.*\(\) and \(1,\)"),
        ([1.0], 1, "one entry per sample"),
    ],
)
def test_bad_datasets(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data.ArrayDataset(x, y)


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "lengths"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (9, [7])])
def test_batches_cover_everything_once(size: int, lengths: list[int]) -> None:
    pairs = list(data.batches(small(), size))
    assert [len(y) for _, y in pairs] == lengths
    np.testing.assert_array_equal(np.concatenate([y for _, y in pairs]), np.arange(7))
    for x, y in pairs:
        np.testing.assert_array_equal(x[:, 0], 2 * y)


def test_batches_in_an_order() -> None:
    order = np.asarray([6, 0, 3, 3])
    assert [y.tolist() for _, y in data.batches(small(), 3, order)] == [[6, 0, 3], [3]]


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_batches_from_the_middle_of_an_epoch(start: int) -> None:
    order = data.shuffled(7, seed=1, epoch=2)
    whole = list(data.batches(small(), 3, order))
    rest = list(data.batches(small(), 3, order, start=start))
    assert len(rest) == 3 - start
    for (_, expected), (_, actual) in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("size", [0, -1])
def test_batch_size_below_one(size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {size}"):
        data.batches(small(), size)


@pytest.mark.parametrize("size", [2.5, "3", None, True])
def test_batch_size_of_another_kind(size: Any) -> None:
    with pytest.raises(TypeError, match="batch_size must be an int, got"):
        data.batches(small(), size)


def test_shuffles_are_permutations_that_differ_by_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): data.shuffled(50, seed=seed, epoch=epoch)
        for seed in range(3)
        for epoch in range(3)
    }
    for order in orders.values():
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert len({tuple(order) for order in orders.values()}) == 9
    np.testing.assert_array_equal(orders[1, 2], data.shuffled(50, seed=1, epoch=2))


def test_shuffle_is_the_documented_one() -> None:
    expected = np.random.default_rng([3, 5]).permutation(11)
    np.testing.assert_array_equal(data.shuffled(11, seed=3, epoch=5), expected)


def test_batches_on_every_backend(backend: Any) -> None:
    dataset = data.ArrayDataset(np.arange(6.0).reshape(3, 2), np.asarray([0, 1, 2], dtype="uint8"))
    moved = list(data.on_backend(data.batches(dataset, 2), backend.backend, "float32"))
    assert len(moved) == 2
    for (x, y), begin in zip(moved, (0, 2), strict=True):
        assert backend.owns(x)
        assert backend.owns(y)
        assert dtype_name(x) == "float32"
        assert dtype_name(y) == "int64"
        np.testing.assert_array_equal(host(x), dataset.x[begin : begin + 2])
        np.testing.assert_array_equal(host(y), dataset.y[begin : begin + 2])


@pytest.mark.parametrize(
    ("given", "dtype", "expected"),
    [
        ("float64", None, "float64"),
        ("float16", "float64", "float64"),
        ("int32", "float32", "int64"),
        ("bool", "float32", "bool"),
        ("complex64", "float32", "complex64"),
    ],
)
def test_dtypes_on_the_way(given: str, dtype: str | None, expected: str) -> None:
    from xpconv import get_backend

    x = data.to_device(np.ones(2, dtype=given), get_backend("numpy"), dtype)
    assert x.dtype == expected


# --- splits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fraction", "count"), [(0.3, 2), (1e-9, 1), (0.999999, 6)])
def test_validation_split(fraction: float, count: int) -> None:
    train, validation = data.train_validation_split(small(), fraction, seed=3)
    assert len(validation) == count
    np.testing.assert_array_equal(np.sort(np.concatenate([train.y, validation.y])), np.arange(7))
    again = data.train_validation_split(small(), fraction, seed=3)[1]
    np.testing.assert_array_equal(again.y, validation.y)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_validation_split_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must be between 0 and 1"):
        data.train_validation_split(small(), fraction)


def test_validation_split_of_one_sample() -> None:
    with pytest.raises(ValueError, match="one sample cannot be divided"):
        data.train_validation_split(small(1), 0.5)


# --- digits ---------------------------------------------------------------------------------------


def test_digits_are_divided_as_documented() -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split

    raw = sklearn.load_digits()
    train, test = data.load_digits()
    expected = train_test_split(
        raw.images, raw.target, test_size=0.25, random_state=0, stratify=raw.target
    )
    for part, images, labels in zip((train, test), expected[:2], expected[2:], strict=True):
        np.testing.assert_array_equal(part.y, labels)
        np.testing.assert_allclose(
            part.x[:, 0], (images - expected[0].mean()) / expected[0].std(), atol=1e-6
        )
        np.testing.assert_allclose(
            [data.DIGITS_MEAN, data.DIGITS_STD], [expected[0].mean(), expected[0].std()], rtol=1e-12
        )
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
    assert train.x.shape == (1347, 1, 8, 8)
    assert test.x.shape == (450, 1, 8, 8)
    assert abs(float(train.x.mean())) < 1e-5
    assert abs(float(train.x.std()) - 1) < 1e-5


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'xpconv\[train\]'"):
        data.load_digits()


def test_standardise_one_image_and_many() -> None:
    pixels = np.arange(128.0).reshape(2, 8, 8) % 17
    both = data.standardise_digits(pixels)
    assert both.shape == (2, 1, 8, 8)
    np.testing.assert_array_equal(data.standardise_digits(pixels[1]), both[1:])


@pytest.mark.parametrize("shape", [(8,), (2, 1, 8, 8), (2, 28, 28)])
def test_standardise_other_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"8 x 8 pixels"):
        data.standardise_digits(np.zeros(shape))
