"""Arrays that cannot be written to, as JAX's: every operation and its way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.ops.samples import SAMPLES, Sample
from xpconv import _arrays, ops

# JAX compiles every step anew, so it gets one sample of each operation.
FIRST = list({sample.operation: sample for sample in reversed(SAMPLES)}.values())


@pytest.fixture(scope="module")
def jax() -> Iterator[Any]:
    """JAX with 64-bit numbers."""
    jax = pytest.importorskip("jax", reason="jax is not installed")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


def run(sample: Sample, arrays: list[Any]) -> tuple[Any, Any]:
    operation = getattr(ops, sample.operation)
    return ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))


def on_numpy(sample: Sample) -> tuple[np.ndarray, np.ndarray, tuple]:
    y, pullback = run(sample, sample.arrays())
    dy = np.asarray(np.random.default_rng(0).normal(size=y.shape))
    return y, dy, pullback(dy)


def assert_same(actual: Any, desired: Any) -> None:
    if desired is not None:
        np.testing.assert_allclose(np.asarray(actual), desired, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("sample", FIRST, ids=str)
def test_on_jax(jax: Any, sample: Sample) -> None:
    y, dy, gradients = on_numpy(sample)
    arrays = [None if array is None else jax.numpy.asarray(array) for array in sample.arrays()]
    there, pullback = run(sample, arrays)
    assert isinstance(there, jax.Array)
    assert_same(there, y)
    for actual, desired in zip(pullback(jax.numpy.asarray(dy)), gradients, strict=True):
        assert_same(actual, desired)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_without_writing_in_place(monkeypatch: pytest.MonkeyPatch, sample: Sample) -> None:
    """NumPy that is treated as if it could not be written to."""
    y, dy, gradients = on_numpy(sample)
    monkeypatch.setattr(_arrays, "is_writeable_array", lambda x: False)
    again, pullback = run(sample, sample.arrays())
    assert_same(again, y)
    for actual, desired in zip(pullback(dy), gradients, strict=True):
        assert_same(actual, desired)
