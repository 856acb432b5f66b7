"""Going back for the parameters alone and for the last time: the same gradients, for less."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from xpconv import engines, models, nn, ops


class Own(nn.Module):
    """A user's layer: its way back takes the cotangent alone."""

    def __init__(self) -> None:
        self.inner = nn.Linear(3, 3)

    def forward(self, x, training=False):
        y, back = self.inner.forward(x, training=training)

        def backward(dy):
            dx, grads = back(dy)
            return dx, {f"inner.{key}": grad for key, grad in grads.items()}

        return y, backward


def branches() -> nn.Module:
    return nn.Concat(nn.ReLU(), nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 2)))


def graph() -> nn.Module:
    """Gradients are of use on one way to a join only, and on none of another."""
    x = nn.Input()
    h = nn.Linear(3, 3)(x)
    return nn.Graph(x, nn.Add()(nn.Tanh()(h), nn.Multiply()(nn.ReLU()(x), nn.Tanh()(x)), h))


def two_inputs() -> nn.Module:
    x, y = nn.Input(), nn.Input()
    return nn.Graph((x, y), nn.Add()(nn.Linear(3, 3)(x), nn.Tanh()(y)))


def shared() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.Residual(nn.Sequential(nn.Tanh(), layer)), layer)


ROWS: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(3, 2, bias=False),
    lambda: nn.Tanh(),
    lambda: nn.Sequential(),
    lambda: nn.Sequential(nn.Tanh(), nn.ReLU(), nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Tanh()),
    lambda: nn.Sequential(Own(), nn.Tanh(), Own()),
    lambda: nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.Tanh())),
    lambda: nn.Residual(nn.Tanh(), nn.Linear(3, 3)),
    lambda: nn.Sequential(nn.Residual(nn.Tanh()), nn.Linear(3, 3), nn.Residual(nn.ReLU())),
    lambda: nn.weight_norm(nn.Linear(3, 3)),
    branches,
    graph,
    shared,
]


def assert_same(actual: dict, desired: dict) -> None:
    """To the last bit."""
    assert list(actual) == list(desired)
    for key, grad in desired.items():
        np.testing.assert_array_equal(host(actual[key]), host(grad), err_msg=key)


@pytest.mark.parametrize("make", ROWS)
def test_gradients_are_those_of_the_whole_way_back(make, backend: Library, rng) -> None:
    model = placed(make(), backend)
    x = backend.array(rng.normal(size=(4, 3)))
    y, backward = model.forward(x, training=True)
    dy = backend.array(rng.normal(size=y.shape))
    dx, grads = backward(dy)
    assert dx.shape == x.shape
    assert_same(nn.parameter_gradients(backward, dy), grads)


def test_gradients_of_several_inputs(backend: Library, rng) -> None:
    model = placed(two_inputs(), backend)
    x, y = (backend.array(rng.normal(size=(4, 3))) for _ in range(2))
    out, backward = model.forward(x, y, training=True)
    (dx, dy), grads = backward(out)
    assert dx.shape == dy.shape == x.shape
    assert_same(nn.parameter_gradients(backward, out), grads)


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_images(mode: str, backend: Library, rng) -> None:
    conv = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)
    model = placed(nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2)), backend)
    y, backward = model.forward(backend.array(rng.normal(size=(2, 2, 6, 6))), training=True)
    grads = backward(y)[1]
    assert_same(nn.parameter_gradients(backward, y), grads)


@pytest.mark.parametrize("make", [graph, branches, shared])
def test_it_is_gone_once(make, backend: Library, rng) -> None:
    model = placed(make(), backend)
    y, backward = model.forward(backend.array(rng.normal(size=(4, 3))), training=True)
    nn.parameter_gradients(backward, y)
    for again in (backward, lambda dy: nn.parameter_gradients(backward, dy)):
        with pytest.raises(RuntimeError, match=r"gone for the last time.*run forward again"):
            again(y)


def test_no_gradient_of_the_first_layers_input(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = engines.input_grad
    monkeypatch.setattr(engines, "input_grad", lambda *a: (asked.append(1), original(*a))[1])
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    x = np.ones((1, 1, 8, 8), np.float32)
    y, backward = model.forward(x, training=True)
    nn.parameter_gradients(backward, y)
    assert len(asked) == 1
    y, backward = model.forward(x, training=True)
    backward(y)
    assert len(asked) == 3


@pytest.mark.parametrize("operation", [ops.conv2d, ops.linear, ops.bilinear])
def test_pullbacks_without_the_first_gradient(operation, backend: Library, rng) -> None:
    shapes = {
        ops.conv2d: [(2, 2, 4, 4), (3, 2, 3, 3), (3,)],
        ops.linear: [(4, 3), (2, 3), (2,)],
        ops.bilinear: [(4, 3), (4, 2), (5, 3, 2), (5,)],
    }[operation]
    y, pullback = ops.vjp(operation, *(backend.array(rng.normal(size=s)) for s in shapes))
    first, *others = pullback(y, input_grad=False)
    assert first is None
    for one, other in zip(others, pullback(y)[1:], strict=True):
        np.testing.assert_array_equal(host(one), host(other))


def test_activations_go_as_the_way_back_proceeds() -> None:
    """When a layer's way back runs, what the layers after it kept is there no more."""
    kept: list[weakref.ref] = []
    left: list[int] = []

    class Keeps(nn.Module):
        def forward(self, x, training=False):
            y = x + 1
            kept.append(weakref.ref(y))

            def backward(dy):
                left.append(sum(ref() is not None for ref in kept))
                return dy * (y != 0), {}

            return y, backward

    gc.collect()
    gc.disable()
    try:
        parts = [nn.Sequential(Keeps(), nn.Residual(Keeps())), Keeps(), Keeps()]
        model = nn.Sequential(nn.Linear(3, 3), *parts)
        y, backward = model.forward(np.ones((4, 3), np.float32))
        dy = np.ones((4, 3), np.float32)
        del y
        nn.parameter_gradients(backward, dy)
    finally:
        gc.enable()
    assert left == [4, 3, 2, 1]


def test_peak_memory_of_a_step() -> None:
    """Two arrays a convolution at most (its input and the norm's), weights twice, and some room."""
    model = models.get_model("resnet18_cifar", num_classes=10)
    x = np.random.default_rng(0).normal(size=(8, 3, 32, 32)).astype(np.float32)
    sizes: list[int] = []
    with nn.observe(
        lambda module, inputs, output: module.children() or sizes.append(output.nbytes)
    ):
        model(x)
    forward_and_back = nn.parameter_gradients
    forward_and_back(*(lambda y, back: (back, y))(*model.forward(x, training=True)))
    weights = sum(array.nbytes for array in model.parameters().values())
    gc.collect()
    tracemalloc.start()
    y, backward = model.forward(x, training=True)
    grads = forward_and_back(backward, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(grads) == len(model.parameters())
    assert peak < sum(sizes) + 2 * weights, (peak / 2**20, sum(sizes) / 2**20, weights / 2**20)
