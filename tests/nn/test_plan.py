"""Planned inference: what the model computes, from a snapshot, for one shape alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.nn.test_fuse import graph, nested, settle, shared
from xpconv import engines, models, nn, use_backend
from xpconv.nn._flat import flatten


class Doubled(nn.Conv2d):
    """A convolution that a user has changed."""

    def forward(self, x, training=False):
        y, backward = super().forward(x, training)
        return y * 2, lambda dy: backward(dy * 2)

    def infer(self, x):
        return super().infer(x) * 2


def twice_seen() -> nn.Module:
    """A rectifier whose convolution is seen by another layer, too."""
    x = nn.Input()
    k = nn.Conv2d(2, 2, 3, padding=1)(x)
    return nn.Graph(x, nn.Add()(nn.ReLU()(k), k))


def two_outputs() -> nn.Module:
    x = nn.Input()
    k = nn.Conv2d(2, 2, 1)(x)
    return nn.Graph(x, (nn.ReLU()(k), k))


CASES: dict[str, Callable[[], nn.Module]] = {
    "row": lambda: nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU6()
    ),
    "rectified twice": lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU6(), nn.ReLU()),
    "rectified first": lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 1)),
    "around": lambda: nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), nn.ReLU(), nn.Dropout(0.5)
    ),
    "branches": lambda: nn.Concat(
        nn.Conv2d(2, 1, 1), nn.Sequential(nn.Conv2d(2, 3, 1, groups=1), nn.ReLU()), nn.Identity()
    ),
    "user's": lambda: nn.Sequential(Doubled(2, 3, 1), nn.ReLU(), nn.MaxPool2d(2)),
    "weight norm": lambda: nn.Sequential(nn.weight_norm(nn.Conv2d(2, 3, 1)), nn.ReLU()),
    "nothing": lambda: nn.Sequential(),
    "no state": lambda: nn.Sequential(nn.ReLU(), nn.Flatten()),
    "residual": nested,
    "sum": lambda: nn.Sequential(nn.Residual(nn.Tanh()), nn.ReLU(), nn.Residual(nn.ReLU6())),
    "sum, clipped": lambda: nn.Sequential(nn.Residual(nn.Tanh()), nn.ReLU6()),
    "graph": graph,
    "shared": shared,
    "twice seen": twice_seen,
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_inference(name: str, backend: Library, rng) -> None:
    model = settle(placed(CASES[name](), backend, "float32"), rng, backend)
    x = backend.array(rng.normal(size=(2, 2, 6, 6)), "float32")
    with use_backend(backend.backend):
        planned = model.compile_for((2, 2, 6, 6))
    before, given = host(model(x)).copy(), host(x).copy()
    for _ in range(2):
        backend.assert_close(planned(x), before, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(host(x), given)


def test_several_inputs_and_outputs(rng) -> None:
    x = rng.normal(size=(1, 2, 4, 4)).astype(np.float32)
    both = two_outputs()
    for found, expected in zip(both.compile_for(x.shape)(x), both(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    first, second = nn.Input(), nn.Input()
    joined = nn.Graph((first, second), nn.ReLU()(nn.Add()(first, nn.Conv2d(2, 2, 1)(second))))
    planned = joined.compile_for(x.shape, x.shape)
    np.testing.assert_allclose(planned(x, -x), joined(x, -x), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"planned for 2 input\(s\), got 1"):
        planned(x)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_dtypes(dtype: str, rng) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).to(dtype=dtype)
    x = rng.normal(size=(1, 2, 5, 5)).astype(dtype)
    found = model.compile_for(x.shape)(x)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, model(x), atol=1e-2 if dtype == "float16" else 1e-12)


@pytest.mark.parametrize("name", ["resnet18_cifar", "mobilenet_v2", "densenet121", "inception_v3"])
def test_networks(name: str, rng) -> None:
    model = models.get_model(name, num_classes=4)
    size = 75 if name == "inception_v3" else 32
    x = rng.normal(size=(2, 3, size, size)).astype(np.float32)
    expected = model(x)
    limit = 1e-4 * float(np.abs(expected).max())
    np.testing.assert_allclose(model.compile_for(x.shape)(x), expected, rtol=1e-3, atol=limit)


def test_what_is_not_finite_arrives(rng) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU())
    x = rng.normal(size=(1, 2, 12, 12)).astype(np.float32)
    planned = model.compile_for(x.shape)
    for hole in (np.nan, np.inf):
        x[0, 0, 5, 5] = hole
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(np.isnan(planned(x)), np.isnan(model(x)))


def test_it_is_a_snapshot(rng) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    x = rng.normal(size=(1, 2, 2, 2)).astype(np.float32)
    planned, before = model.compile_for(x.shape), model(x)
    for array in model.parameters().values():
        array *= -3  # in place, as no optimiser of the library does
    assert np.abs(model(x) - before).max() > 0.01
    np.testing.assert_allclose(planned(x), before, rtol=1e-6)


def test_engines_are_chosen_when_it_is_made(rng) -> None:
    model = nn.Conv2d(2, 3, 3)
    x = rng.normal(size=(1, 2, 8, 8)).astype(np.float32)
    with engines.engine("im2col"):
        planned = model.compile_for(x.shape)
    with engines.chosen() as problems:
        planned(x)
    assert not problems
    with engines.engine("im2col"):
        np.testing.assert_array_equal(planned(x), model(x))


def test_activations_that_a_convolution_alone_feeds_are_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.ReLU6(), nn.Identity(), nn.Flatten())
    steps, result = flatten(model, 1)
    assert [type(step.layer).__name__ for step in steps] == ["Conv2d", "ReLU6", "Flatten"]
    assert [step.activation for step in steps] == ["relu", None, None]
    assert result == 3
    steps, _ = flatten(twice_seen(), 1)
    assert [step.activation for step in steps] == [None] * 3
    steps, _ = flatten(nn.Sequential(nn.Residual(nn.Tanh()), nn.ReLU(), nn.ReLU()), 1)
    found = [(type(step.layer).__name__, step.activation) for step in steps]
    assert found == [("Tanh", None), ("Add", "relu"), ("ReLU", None)]


def test_refusals(rng) -> None:
    planned = nn.Conv2d(2, 3, 3).compile_for((1, 2, 8, 8))
    with pytest.raises(ValueError, match=r"shape \(1, 2, 8, 8\), got \(2, 2, 8, 8\); call comp"):
        planned(np.zeros((2, 2, 8, 8), np.float32))
    with pytest.raises(TypeError, match="arrays of float32 on numpy, got one of float64 on numpy"):
        planned(np.zeros((1, 2, 8, 8)))
    with pytest.raises(TypeError, match="arrays of float32 on numpy, got one of float64 on numpy"):
        nn.ReLU().compile_for((1, 2))(np.zeros((1, 2)))  # without a parameter that has a dtype
    with pytest.raises(TypeError, match="arrays of float32 on numpy, got list"):
        planned([1.0])
    with pytest.raises(ValueError, match="expects 2 input channels, but x of shape"):
        nn.Conv2d(2, 3, 3).compile_for((1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"input_shapes\[0\] must be"):
        nn.Conv2d(2, 3, 3).compile_for((1, -2, 8, 8))


def test_another_library_is_refused(torch) -> None:
    planned = nn.Conv2d(2, 3, 3).compile_for((1, 2, 8, 8))
    with pytest.raises(TypeError, match="on numpy, got one of float32 on torch"):
        planned(torch.zeros(1, 2, 8, 8))
