"""Channels-last arrays stay so through elementwise operations: the next convolution wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.ops.samples import SAMPLES, Sample
from xpconv import nn, ops
from xpconv.ops import _layout

SHAPE = (2, 4, 5, 3)


def lies_channels_last(x: Any) -> bool:
    """Whether the channels of an array are neighbours in memory, without gaps."""
    x = getattr(x, "_array", x)
    steps = x.stride() if hasattr(x, "stride") else [step // x.itemsize for step in x.strides]
    return tuple(steps) == (SHAPE[1] * SHAPE[2] * SHAPE[3], 1, SHAPE[3] * SHAPE[1], SHAPE[1])


CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda x, y: ops.vjp(ops.relu, x),
    "hardswish": lambda x, y: ops.vjp(ops.hardswish, x),
    "gelu": lambda x, y: ops.vjp(ops.gelu, x),
    "add": lambda x, y: ops.vjp(ops.add, x, y),
    "multiply": lambda x, y: ops.vjp(ops.multiply, x, y),
    "a residual": lambda x, y: nn.Residual(nn.Sequential(nn.SiLU(), nn.Tanh()), nn.ELU()).forward(
        x
    ),
}


@pytest.fixture(params=[False, True], ids=["", "forgetful"])
def forgetful(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy treated as CuPy is, whose elementwise functions write plain memory."""
    if request.param:
        monkeypatch.setattr(_layout, "_FORGETFUL", frozenset({"cupy", "numpy"}))


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("name", CALLS)
def test_there_and_back(backend: Library, rng: np.random.Generator, name: str) -> None:
    x, y, dz = (backend.array(rng.normal(size=SHAPE), layout="channels_last") for _ in range(3))
    z, pullback = CALLS[name](x, y)
    assert lies_channels_last(z)
    dx = pullback(dz)[0]
    assert lies_channels_last(dx)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_joined(backend: Library, rng: np.random.Generator, dim: int) -> None:
    values = [rng.normal(size=SHAPE) for _ in range(2)]
    z = ops.concat(*(backend.array(x, layout="channels_last") for x in values), dim=dim)
    backend.assert_equal(z, np.concatenate(values, axis=dim))
    assert backend.label == "strict" or not lies_plain(z)


def lies_plain(x: Any) -> bool:
    return bool(x.is_contiguous() if hasattr(x, "stride") else x.flags.c_contiguous)


def test_one_factor_for_each_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_layout, "_FORGETFUL", frozenset({"numpy"}))
    rng, library = np.random.default_rng(0), Library("numpy")
    x = library.array(rng.normal(size=SHAPE), layout="channels_last")
    factor = rng.normal(size=(2, 4, 1, 1))
    for first, second in ((x, factor), (factor, x)):
        z, pullback = ops.vjp(ops.multiply, first, second)
        np.testing.assert_array_equal(z, x * factor)
        assert [d.shape for d in pullback(z)] == [first.shape, second.shape]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_order_of_memory_changes_no_number(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library("numpy")
    arrays = [
        None if a is None else library.array(a, layout="channels_last") for a in sample.arrays()
    ]

    def there_and_back() -> list[Any]:
        operation = getattr(ops, sample.operation)
        y, pullback = ops.vjp(operation, *sample.positional(arrays), **sample.keywords(arrays))
        outputs = y if isinstance(y, tuple) else (y,)
        return [*outputs, *pullback(np.cos(host(outputs[0])).astype(outputs[0].dtype))]

    expected = there_and_back()
    monkeypatch.setattr(_layout, "_FORGETFUL", frozenset({"numpy"}))
    for mine, theirs in zip(there_and_back(), expected, strict=True):
        if theirs is None:
            assert mine is None
        else:
            np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-13)
