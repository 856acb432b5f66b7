"""A small network of each family does what its twin in PyTorch does, there and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.models.families import FAMILIES, Family
from tests.models.twins import make_twins
from tests.models.twins_branched import make_branched_twins
from tests.models.twins_images import make_image_twins
from tests.models.twins_mobile import make_mobile_twins
from xpconv import nn
from xpconv.random import Stream, use_stream

DROPS = (nn.Dropout, nn.StochasticDepth)
each = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
# Inception cannot be made small, and has no kind of layer that GoogLeNet has not.
LIGHT = {name: family for name, family in FAMILIES.items() if name != "inception"}
each_light = pytest.mark.parametrize("family", LIGHT.values(), ids=list(LIGHT))


@pytest.fixture(scope="module")
def twins(torch: Any) -> Any:
    return (
        make_twins(torch)
        | make_mobile_twins(torch)
        | make_branched_twins(torch)
        | make_image_twins(torch)
    )


def batch(family: Family, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(1).normal(size=family.shape).astype(dtype)


def without_drops(model: nn.Module) -> nn.Module:
    """What is dropped in PyTorch is something else: with nothing dropped both agree."""
    for _, layer in model.named_modules():
        if isinstance(layer, DROPS):
            layer.p = 0.0
    return model


def pair(twins: Any, family: Family, dtype: str) -> tuple[nn.Module, Any]:
    """A network and its twin, with weights and running statistics away from the start."""
    import torch

    torch.manual_seed(0)
    twin = twins[family.twin](*family.sizes).to(getattr(torch, dtype))
    for key, value in twin.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape) * 0.5)
            value += 0.75 if key.endswith(("weight", "var")) else -0.25
    model = without_drops(family.ours()).to("numpy", dtype)
    model.load_state_dict({key: value.numpy() for key, value in twin.state_dict().items()})
    for layer in twin.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
        if hasattr(layer, "drop"):
            layer.drop = 0.0
    return model, twin


def results(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


@each
def test_keys_are_the_twins_in_their_order(twins: Any, family: Family) -> None:
    theirs = twins[family.twin](*family.sizes).state_dict()
    ours = family.ours().state_dict()
    assert list(ours) == list(theirs)
    assert [tuple(v.shape) for v in ours.values()] == [tuple(v.shape) for v in theirs.values()]


@each
def test_inference_is_the_twins(twins: Any, family: Family) -> None:
    import torch

    model, twin = pair(twins, family, "float32")
    x = batch(family, "float32")
    with torch.no_grad():
        desired = twin.eval()(torch.tensor(x)).numpy()
    scale = np.max(np.abs(desired))
    np.testing.assert_allclose(model(x), desired, rtol=0, atol=1e-5 * scale)


@each
def test_training_is_the_twins(twins: Any, family: Family) -> None:
    """Outputs, gradients of everything and running statistics, in float64."""
    import torch

    model, twin = pair(twins, family, "float64")
    x = batch(family)
    tensor = torch.tensor(x, requires_grad=True)
    desired = results(twin.train()(tensor))
    outputs, backward = model.forward(x, training=True)
    rng = np.random.default_rng(2)
    dys = tuple(rng.normal(size=y.shape) for y in desired)
    for ours, theirs in zip(results(outputs), desired, strict=True):
        theirs = theirs.detach().numpy()
        scale = np.max(np.abs(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=family.exact * scale)

    sum((y * torch.tensor(dy)).sum() for y, dy in zip(desired, dys)).backward()
    dx, grads = backward(dys if len(dys) > 1 else dys[0])
    expected = {key: value.grad.numpy() for key, value in twin.named_parameters()}
    assert set(grads) == set(expected)
    largest = max(np.max(np.abs(value)) for value in expected.values())
    for key, value in [*expected.items(), ("x", tensor.grad.numpy())]:
        ours = dx if key == "x" else grads[key]
        atol = family.exact * (np.max(np.abs(value)) + 1e-6 * largest)
        np.testing.assert_allclose(ours, value, rtol=0, atol=atol, err_msg=key)
    state = model.state_dict()
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(state[key], value.numpy(), rtol=1e-8, atol=1e-9, err_msg=key)


@each
def test_gradients_along_a_random_direction(family: Family) -> None:
    """Of everything at once, with the same dropout masks every time."""
    model = family.ours().to("numpy", "float64")
    x, rng = batch(family), np.random.default_rng(3)
    state = model.state_dict()

    def forward(x: Any) -> Any:
        with use_stream(Stream(1)):
            y, back = model.forward(x, training=True)
        return results(y), back

    ys, backward = forward(x)
    dys = [rng.normal(size=y.shape) for y in ys]
    dx, grads = backward(dys[0] if len(dys) == 1 else tuple(dys))
    assert set(grads) == set(model.parameters())
    moves = {key: rng.normal(size=value.shape) for key, value in grads.items()}
    moves = {key: move * (0.1 + np.max(np.abs(state[key]))) for key, move in moves.items()}
    dmove = rng.normal(size=x.shape)
    by_gradient = float(np.sum(dx * dmove))
    by_gradient += sum(float(np.sum(grads[key] * move)) for key, move in moves.items())
    scale = float(np.sum(np.abs(dx * dmove)))
    scale += sum(float(np.sum(np.abs(grads[key] * move))) for key, move in moves.items())

    def value(step: float) -> float:
        model.update(state | {key: state[key] + step * move for key, move in moves.items()})
        ys, _ = forward(x + step * dmove)
        return sum(float(np.sum(y * dy)) for y, dy in zip(ys, dys, strict=True))

    step = 1e-9  # few kinks of the activations lie so near
    by_differences = (value(step) - value(-step)) / (2 * step)
    assert by_differences == pytest.approx(by_gradient, rel=0, abs=1e-5 * scale)


@each_light
def test_every_library_computes_the_same(backend: Library, family: Family) -> None:
    """There and back, with running statistics: those of a small batch are far from one another."""
    model, x = without_drops(family.ours()), batch(family, "float32")
    desired, backward = model.forward(x)
    desired = results(desired)[0]
    ddx, dgrads = backward(desired)
    model = without_drops(family.ours()).to(backend.spec)
    y, backward = model.forward(backend.array(x))
    backend.assert_close(y, desired, rtol=1e-4)
    dx, grads = backward(backend.array(desired))
    assert set(grads) == set(dgrads)
    for key, value in [("x", ddx), *dgrads.items()]:
        ours = host(dx if key == "x" else grads[key])
        np.testing.assert_allclose(
            ours, value, rtol=0, atol=1e-4 * (np.max(np.abs(value)) + 1e-6), err_msg=key
        )


@each
def test_training_and_inference_differ_as_they_should(family: Family) -> None:
    model, x = family.ours(), batch(family, "float32")
    before = model.state_dict()
    y = model(x)
    np.testing.assert_array_equal(model.forward(x)[0], y)
    for key, value in model.state_dict().items():
        assert value is before[key], key
    drops = [m for _, m in model.named_modules() if isinstance(m, DROPS) and m.p]
    norms = [m for _, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert drops or norms
    first, second = (results(model.forward(x, training=True)[0])[0] for _ in range(2))
    assert not np.array_equal(first, y)
    assert np.array_equal(first, second) != bool(drops)
    moved = {key for key, value in model.state_dict().items() if value is not before[key]}
    assert moved == set(model.buffers())


@each_light
def test_the_same_seed_gives_the_same_weights(family: Family) -> None:
    first, second = family.ours().state_dict(), family.ours().state_dict()
    other = family.make(Stream(4)).state_dict()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=key)
    assert any(np.any(value != other[key]) for key, value in first.items())
