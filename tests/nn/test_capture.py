"""Inference that is recorded, on a recorder of PyTorch's CPU in CUDA's place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpconv
from tests.backends import host
from tests.train.small import images, network
from xpconv import _graphs, nn

torch = pytest.importorskip("torch")

from tests.train.recorder import TorchRecorder  # noqa: E402


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_graphs.RECORDERS, "torch", TorchRecorder)


def batch(seed: int, count: int = 4) -> Any:
    return torch.asarray(images(count, seed).x)


def test_the_same_bits_in_new_arrays() -> None:
    model = network("torch")
    fast = xpconv.capture(model, batch(0))
    assert fast.captured
    expected = [np.array(host(model(batch(seed)))) for seed in range(3)]
    outputs = [fast(batch(seed)) for seed in range(3)]
    for y, wanted in zip(outputs, expected):
        np.testing.assert_array_equal(host(y), wanted)
    assert repr(fast) == "CapturedModel(Sequential, float32[4, 1, 6, 6])"


def test_it_keeps_the_weights_that_it_was_captured_with() -> None:
    model = network("torch")
    fast, x = xpconv.capture(model, batch(0)), batch(1)
    before = np.array(host(model(x)))
    model[0].weight.mul_(2)
    model[1].running_mean = model[1].running_mean + 1
    np.testing.assert_array_equal(host(fast(x)), before)
    assert not np.array_equal(host(model(x)), before)


def test_several_inputs_and_outputs() -> None:
    class Both(nn.Module):
        def forward(self, a: Any, b: Any, training: bool = False) -> Any:
            return (a + b, a * b), lambda dy: (dy, {})

    a, b = torch.arange(3.0), torch.ones(3)
    fast = xpconv.capture(Both(), a, b)
    total, product = fast(a + 1, b * 2)
    assert total.tolist() == [3, 4, 5]
    assert product.tolist() == [2, 4, 6]
    with pytest.raises(TypeError, match=r"captured with 2 input\(s\), got 1"):
        fast(a)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_constants_of_the_host_are_sent_once(mode: str) -> None:
    layer = nn.Upsample(scale_factor=2, mode=mode)
    x = batch(0)
    np.testing.assert_array_equal(host(xpconv.capture(layer, x)(batch(1))), host(layer(batch(1))))


def test_what_does_not_fit() -> None:
    fast = xpconv.capture(network("torch"), batch(0))
    words = r"captured for float32\[4, 1, 6, 6\], got float32\[5, 1, 6, 6\]; capture it for that"
    with pytest.raises(ValueError, match=words):
        fast(batch(0, 5))
    with pytest.raises(ValueError, match=r"got float64\[4, 1, 6, 6\]"):
        fast(batch(0).double())
    with pytest.raises(TypeError, match="x is a numpy array on cpu but example is a torch array"):
        fast(images(4).x)
    with pytest.raises(TypeError, match="model must be a Module, got function"):
        xpconv.capture(lambda x: x, batch(0))  # type: ignore[arg-type]
    for examples in ((), ([1.0],)):
        with pytest.raises(TypeError, match="an array for each input"):
            xpconv.capture(network("torch"), *examples)


def test_a_model_that_cannot_be_captured() -> None:
    class Asks(nn.Module):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x * float(x.sum()), lambda dy: (dy, {})

    with pytest.raises(RuntimeError, match=r"Asks cannot be captured: .* D2H transfers"):
        xpconv.capture(Asks(), batch(0))


def test_without_graphs_the_layers_are_computed(caplog: pytest.LogCaptureFixture) -> None:
    model, x = network(), images(4).x
    slow = xpconv.capture(model, x)
    assert not slow.captured
    assert caplog.messages == ["capture: numpy has no CUDA graphs, layers are computed one by one"]
    np.testing.assert_array_equal(slow(x), model(x))
