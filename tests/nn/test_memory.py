"""What a network holds on to, and for how long: in inference nothing, in training until the end."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.layers import placed
from xpconv import nn


class Witness(nn.Module):
    """Passes copies on, there and back, and remembers without keeping them alive."""

    def __init__(self, name: str, seen: dict[str, list]) -> None:
        self.name = name
        self._seen = seen

    def forward(self, x, training=False):
        y = x + 0
        self._seen.setdefault(self.name, []).append(weakref.ref(y))

        def backward(dy):
            dx = dy + 0
            self._seen.setdefault(f"d{self.name}", []).append(weakref.ref(dx))
            return dx, {}

        return y, backward


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Memory must come back at once: on a GPU nobody runs the collector when memory is short."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def observed(backend: Library) -> tuple[nn.Module, dict[str, list]]:
    """A network with witnesses in every kind of container."""
    seen: dict[str, list] = {}

    def see(name: str) -> nn.Module:
        return Witness(name, seen)

    x = nn.Input()
    h = see("in the graph")(nn.Linear(3, 3)(x))
    model = nn.Sequential(
        see("first"),
        nn.Linear(3, 3),
        nn.Residual(nn.Sequential(see("in the body"), nn.BatchNorm1d(3)), see("around it")),
        nn.Dropout(0.2),
        nn.Concat(see("in a branch"), nn.Sequential(nn.ReLU(), nn.Linear(3, 3)), dim=0),
        nn.Graph(x, nn.Add()(nn.Tanh()(h), h)),
        see("last"),
        nn.Linear(3, 2),
    )
    model = placed(model, backend)
    for training in (False, True):  # what is compiled at the first use leaves cycles behind
        y, backward = model.forward(backend.array(np.ones((4, 3))), training=training)
        backward(y)
    del y, backward
    gc.collect()
    seen.clear()
    return model, seen


def _sum_and_rectifier() -> tuple[tuple[Any, Any], Any]:
    x, y = nn.Input(), nn.Input()
    return (x, y), nn.ReLU()(nn.Add()(x, y))


def alive(seen: dict[str, list]) -> list[str]:
    return [name for name, refs in seen.items() for ref in refs if ref() is not None]


@pytest.mark.usefixtures("no_collector")
def test_inference_keeps_nothing(backend: Library, rng: np.random.Generator) -> None:
    model, seen = observed(backend)
    x = backend.array(rng.normal(size=(4, 3)))
    y = model(x)
    assert len(seen) == 6
    assert alive(seen) == []
    there = weakref.ref(x)
    del x, y
    assert there() is None


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("training", [False, True])
def test_the_way_back_holds_what_it_needs_and_goes_at_once(
    backend: Library, rng: np.random.Generator, training: bool
) -> None:
    model, seen = observed(backend)
    y, backward = model.forward(backend.array(rng.normal(size=(4, 3))), training=training)
    assert alive(seen) != []
    dx, grads = backward(y)
    inner = {name: refs for name, refs in seen.items() if name.startswith("d")}
    assert len(inner) == 6
    inner.pop("dfirst")  # it is dx itself
    assert alive(inner) == []
    del backward, y
    assert [name for name in alive(seen) if name != "dfirst"] == []
    del dx, grads
    assert alive(seen) == []


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.Add(), 2),
        (nn.Concat(), 2),
        (nn.Flatten(), 1),
        (nn.Unflatten(1, (2, 2)), 1),
        (nn.GlobalAvgPool(), 1),
        (nn.AvgPool2d(2), 1),
        (nn.MaxPool2d(2), 1),
        (nn.ReLU(), 1),
        (nn.Dropout(0.5), 1),
        (nn.Upsample(scale_factor=2), 1),
        (nn.Graph(*_sum_and_rectifier()), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_way_back_that_needs_no_input_keeps_none(
    backend: Library, rng: np.random.Generator, layer: nn.Module, count: int
) -> None:
    """Of these, shapes, masks or the output are enough: an input would stay for nothing."""
    for turn in range(2):  # what is compiled at the first use leaves cycles behind
        inputs = [backend.array(rng.normal(size=(2, 4, 4, 4)), "float32") for _ in range(count)]
        y, backward = layer.forward(*inputs, training=True)
        there = [weakref.ref(x) for x in inputs]
        dy = y + 0
        del inputs, y  # which may be a view of its input
        assert turn == 0 or all(ref() is None for ref in there)
        backward(dy)


@pytest.mark.usefixtures("no_collector")
def test_the_network_does_not_keep_its_ways_back(backend: Library, rng) -> None:
    model, seen = observed(backend)
    for _ in range(3):
        y, backward = model.forward(backend.array(rng.normal(size=(4, 3))), training=True)
        backward(y)
    assert len(seen["first"]) == 3
    del y, backward
    assert alive(seen) == []


def test_a_convolution_keeps_its_input_and_not_the_columns(rng: np.random.Generator) -> None:
    """The columns of a 3x3 kernel are nine times the input."""
    layer = placed(nn.Conv2d(8, 8, 3, padding=1), Library("numpy"), "float32")
    x = rng.normal(size=(8, 8, 32, 32)).astype("float32")
    layer.forward(x)
    tracemalloc.start()
    try:
        y, backward = layer.forward(x, training=True)
        kept, _ = tracemalloc.get_traced_memory()
        backward(y)
    finally:
        tracemalloc.stop()
    assert kept < y.nbytes + 0.5 * x.nbytes


def test_inference_of_a_sequence_needs_two_layers_memory(rng: np.random.Generator) -> None:
    model = nn.Sequential(*[nn.Sigmoid() for _ in range(20)])
    x = rng.normal(size=100_000)
    model(x)
    tracemalloc.start()
    try:
        model(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * x.nbytes
