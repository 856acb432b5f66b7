"""Options of operations: wrong kinds are refused by name, and NumPy's scalars become plain."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from tests.ops.samples import SAMPLES, Sample
from tests.refusals import refused
from xpconv import ops

FIRST = list({sample.operation: sample for sample in reversed(SAMPLES)}.values())
WRONG = {
    "int": ["a", 1.5, True, (1,)],
    "float": ["a", 1 + 1j, [1.0]],
    "bool": ["a", 1, None],
    "str": [1, None, b"mean"],
}


def wrong_calls() -> list[Any]:
    """Every option of every operation, given something of another kind."""
    return [
        pytest.param(sample, p.name, wrong, id=f"{sample.operation}-{p.name}-{wrong!r}")
        for sample in FIRST
        for p in inspect.signature(getattr(ops, sample.operation)).parameters.values()
        for wrong in WRONG.get(str(p.annotation).removesuffix(" | None"), [])
        if not (wrong is None and "None" in str(p.annotation))
    ]


@pytest.mark.parametrize(("sample", "name", "wrong"), wrong_calls())
def test_a_wrong_kind_is_refused_by_name(sample: Sample, name: str, wrong: Any) -> None:
    operation = getattr(ops, sample.operation)
    args, options = sample.positional(sample.arrays()), sample.keywords(sample.arrays())
    options[name] = wrong
    with refused(name, repr(wrong), error=TypeError):
        operation(*args, **options)
    with refused(name, repr(wrong), error=TypeError):
        ops.vjp(operation, *args, **options)


def test_a_wrong_kind_is_refused_by_place() -> None:
    with refused("negative_slope", "'a'", error=TypeError):
        ops.leaky_relu(np.ones(3), "a")
    with refused("ceil_mode", "1", error=TypeError):
        ops.max_pool1d(np.ones((1, 1, 4)), 2, None, 0, 1, 1)


def test_numpys_numbers_do_not_widen(backend: Library) -> None:
    x = backend.array(np.linspace(-2, 2, 5), "float32")
    slope, eps = np.float64(0.25), np.float32(1e-5)
    backend.assert_equal(ops.leaky_relu(x, slope), np.float32([-0.5, -0.25, 0, 1, 2]))
    _, pullback = ops.vjp(ops.leaky_relu, x, negative_slope=slope)
    backend.assert_equal(pullback(x)[0], np.float32([-0.5, -0.25, 0, 1, 2]))
    images = backend.array(np.arange(12.0).reshape(2, 2, 3), "float32")
    batch = ops.batch_norm(images, None, None, training=np.bool_(True), eps=eps)
    backend.assert_equal(batch, ops.batch_norm(images, None, None, training=True, eps=float(eps)))
    backend.assert_equal(ops.softmax(x, np.int64(0)), ops.softmax(x, 0))


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_infinities_and_nan_are_met_in_silence(sample: Sample) -> None:
    """As on every other library; NumPy alone would warn."""
    arrays = sample.arrays()
    if arrays[0] is None or arrays[0].dtype.kind != "f" or arrays[0].size < 3:
        return
    arrays[0].flat[:3] = np.inf, -np.inf, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            y, pullback = ops.vjp(
                getattr(ops, sample.operation),
                *sample.positional(arrays),
                **sample.keywords(arrays),
            )
        except ValueError:  # numbers that have to be probabilities, or variances
            return
        pullback(np.ones_like(y))
