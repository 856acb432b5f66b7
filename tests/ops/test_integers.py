"""Integers: exact where the operation keeps them whole, refused by name where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import reference
from tests.backends import Library
from tests.refusals import refused
from xpconv import ops

DTYPES = pytest.mark.parametrize("dtype", ["int32", "int64"])


@DTYPES
def test_convolution(backend: Library, rng: np.random.Generator, dtype: str) -> None:
    x, weight = rng.integers(-9, 9, size=(2, 4, 6, 5)), rng.integers(-9, 9, size=(6, 2, 3, 2))
    bias = rng.integers(-9, 9, size=6)
    y = ops.conv2d(
        *(backend.array(array, dtype) for array in (x, weight, bias)), padding=1, groups=2
    )
    desired = reference.conv(x, weight, bias, (1, 1), ((1, 1), (1, 1)), (1, 1), 2)
    backend.assert_equal(y, desired.astype(dtype))


@DTYPES
@pytest.mark.parametrize("name", ["correlate2d", "convolve2d"])
def test_correlation(backend: Library, rng: np.random.Generator, name: str, dtype: str) -> None:
    x, kernel = rng.integers(-9, 9, size=(5, 4)), rng.integers(-9, 9, size=(2, 3))
    oracle = reference.full_cross_correlate if name[2] == "r" else reference.full_convolve
    y = getattr(ops, name)(backend.array(x, dtype), backend.array(kernel, dtype), mode="full")
    backend.assert_equal(y, oracle(x, kernel).astype(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_max_pooling(backend: Library, dtype: str) -> None:
    """Padding loses against every number, the smallest of the dtype included."""
    x = np.random.default_rng(0).integers(0, 100, size=(2, 2, 5, 6)).astype(dtype)
    x[:, :, :3] = np.iinfo(dtype).min
    options: dict[str, Any] = {"kernel_size": (3, 2), "stride": 2, "padding": 1}
    y, places = ops.max_pool2d(backend.array(x), **options, return_indices=True)
    desired = reference.max_pool(x.astype("float64"), (3, 2), (2, 2), (1, 1), (1, 1))
    backend.assert_equal(y, desired[0].astype(dtype))
    backend.assert_equal(places, desired[1])
    backend.assert_equal(ops.max_pool2d(backend.array(x), **options), y)
    backend.assert_equal(ops.global_max_pool(backend.array(x)), x.max((2, 3), keepdims=True))


@DTYPES
def test_windows_shapes_and_sums(backend: Library, rng: np.random.Generator, dtype: str) -> None:
    x = rng.integers(-9, 9, size=(2, 3, 4, 5)).astype(dtype)
    here = backend.array(x)
    columns = reference.unfold(x, (2, 2), (1, 1), (0, 0), (1, 1)).astype(dtype)
    backend.assert_equal(ops.unfold(here, 2), columns)
    back = reference.fold(columns, (4, 5), (2, 2), (1, 1), (0, 0), (1, 1))
    backend.assert_equal(ops.fold(backend.array(columns), (4, 5), 2), back.astype(dtype))
    backend.assert_equal(ops.relu(here), np.maximum(x, 0))
    backend.assert_equal(ops.add(here, here), x + x)
    backend.assert_equal(ops.concat(here, here), np.concatenate([x, x], axis=1))
    backend.assert_equal(ops.flatten(here), x.reshape(2, -1))
    weight = rng.integers(-9, 9, size=(3, 5)).astype(dtype)
    backend.assert_equal(ops.linear(here, backend.array(weight)), x @ weight.T)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("global_avg_pool", {}),
        ("batch_norm", {"running_mean": None, "running_var": None, "training": True}),
        ("dropout", {}),
        ("leaky_relu", {}),
        ("gelu", {}),
        ("silu", {}),
        ("softmax", {}),
        ("log_softmax", {}),
    ],
)
def test_what_needs_fractions(backend: Library, name: str, options: dict[str, Any]) -> None:
    with refused("x must have a real floating dtype", "int64", error=TypeError):
        getattr(ops, name)(backend.array(np.ones((2, 3, 4, 4), "int64")), **options)


@pytest.mark.parametrize("loss", [ops.mse_loss, ops.binary_cross_entropy_with_logits])
def test_losses_need_fractions(backend: Library, loss: Any) -> None:
    ones = backend.array(np.ones((2, 3), "int64"))
    with refused("input must have a real floating dtype", "int64", error=TypeError):
        loss(ones, ones)
    with refused("logits must have a real floating dtype", error=TypeError):
        ops.cross_entropy(ones, backend.array([0, 1]))
