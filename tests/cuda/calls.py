"""Calls of public operations, with the fused bodies and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from xpconv import ops

DTYPES: list[Any] = ["float32", "float64", "float16"]
if find_spec("ml_dtypes"):  # comes with JAX
    from ml_dtypes import bfloat16

    DTYPES.append(bfloat16)


@contextmanager
def portable(*variables: str) -> Iterator[None]:
    """No fused bodies and no products of our own, or not those that the variables name."""
    names = variables or ("XPCONV_CUDA_KERNELS", "XPCONV_CUDA_BLAS")
    with pytest.MonkeyPatch.context() as environment:
        for name in names:
            environment.setenv(name, "0")
        yield


def there_and_back(operation: Any, *arrays: Any, **options: Any) -> list[np.ndarray | None]:
    """What an operation returns, and its gradients for a cotangent of small whole numbers."""
    y, pullback = ops.vjp(operation, *arrays, **options)
    outputs = list(y) if isinstance(y, tuple) else [y]
    dy = whole(outputs[0].shape, outputs[0].dtype, seed=8)
    return [*outputs, *pullback(dy)]


def whole(shape: tuple[int, ...], dtype: Any, seed: int = 7) -> np.ndarray:
    """Small whole numbers, whose sums and products are exact in every dtype."""
    return np.random.default_rng(seed).integers(-4, 5, size=shape).astype(dtype)


def normal(shape: tuple[int, ...], dtype: Any, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def assert_same(mine: list[Any], theirs: list[Any], **tolerance: float) -> None:
    """Shapes, dtypes and values agree: to the last bit where no tolerance is given."""
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs):
        if a is None or b is None:
            assert a is b
            continue
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if a.dtype.kind in "fV":  # NumPy does not know that bfloat16 has NaN
            a, b = a.astype(np.float64), b.astype(np.float64)
        if tolerance and a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, **tolerance)
        else:
            np.testing.assert_array_equal(a, b)


def name_of(dtype: Any) -> str:
    return dtype if isinstance(dtype, str) else str(dtype.__name__)
