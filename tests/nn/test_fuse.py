"""Batch norms folded into convolutions: the same inference, to rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.backends import Library, dtype_name, host
from tests.nn.layers import placed
from xpconv import models, nn


def settle(model: nn.Module, rng: np.random.Generator, backend: Library) -> nn.Module:
    """Give batch norms statistics and parameters that matter."""
    state = {
        key: backend.array(rng.uniform(0.5, 1.5, size=tuple(value.shape)), dtype_name(value))
        for key, value in model.state_dict().items()
        if value.ndim == 1
    }
    model.update(state)
    return model


def norms(model: nn.Module) -> int:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    return sum(isinstance(module, kinds) for _, module in model.named_modules())


def graph() -> nn.Module:
    """One norm alone after its convolution; one whose convolution another layer sees, too."""
    x = nn.Input()
    h = nn.ReLU()(nn.BatchNorm2d(3)(nn.Conv2d(2, 3, 3, padding=1, bias=False)(x)))
    k = nn.Conv2d(3, 3, 3, padding=1)(h)
    return nn.Graph(x, nn.Add()(nn.BatchNorm2d(3)(k), k))


def shared() -> nn.Module:
    conv, norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)
    return nn.Sequential(conv, nn.BatchNorm2d(2), conv, norm, nn.Conv2d(2, 2, 1), norm)


def nested() -> nn.Module:
    body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.BatchNorm2d(4, affine=False))
    around = nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4, eps=0.1))
    return nn.Sequential(nn.BatchNorm2d(2), nn.Residual(body, around))


# how to make it, how many norms there are, and how many cannot be folded
CASES: list[tuple[Callable[[], nn.Module], int, int]] = [
    (lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()), 1, 0),
    (lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3)), 1, 1),
    (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular", bias=False), nn.BatchNorm2d(3)
        ),
        1,
        0,
    ),
    (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)),
        1,
        1,
    ),
    (nested, 3, 1),
    (graph, 2, 1),
    (shared, 3, 3),
]


@pytest.mark.parametrize(("make", "before", "after"), CASES)
def test_the_same_inference(make, before: int, after: int, backend: Library, rng) -> None:
    model = settle(placed(make(), backend), rng, backend)
    x = backend.array(rng.normal(size=(2, 2, 6, 6)))
    kept = {key: host(value).copy() for key, value in model.state_dict().items()}
    fused = model.fuse()
    assert norms(model) == before
    assert norms(fused) == after
    backend.assert_close(fused(x), host(model(x)), rtol=1e-5, atol=1e-5)
    for key, value in model.state_dict().items():  # the model itself is as it was
        np.testing.assert_array_equal(host(value), kept[key])


def test_half_precision(rng) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(dtype="float16")
    fused = model.fuse()
    assert {str(array.dtype) for array in fused.parameters().values()} == {"float16"}
    x = rng.normal(size=(1, 2, 5, 5)).astype(np.float16)
    np.testing.assert_allclose(fused(x), model(x), atol=1e-2)


@pytest.mark.parametrize("name", ["resnet18_cifar", "mobilenet_v2", "densenet121", "small_vgg"])
def test_networks(name: str, rng) -> None:
    model = models.get_model(name, num_classes=4)
    folded = model.fuse()
    assert norms(folded) < norms(model) or name == "small_vgg"
    if name != "densenet121":  # whose norms come before convolutions, in part
        assert norms(folded) == 0
    x = rng.normal(size=(1, 3, 32, 32)).astype(np.float32)
    expected = model(x)
    np.testing.assert_allclose(
        folded(x), expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max())
    )


class Doubled(nn.Conv2d):
    """A convolution whose output its weights do not tell."""

    def forward(self, x, training: bool = False):
        y, backward = super().forward(x, training=training)
        return y * y, backward

    def infer(self, x):
        return super().infer(x) ** 2


def test_a_convolution_that_computes_something_else_is_left_alone(rng) -> None:
    model = nn.Sequential(Doubled(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU())
    model[1].running_mean = rng.normal(size=3).astype("f4")
    x = rng.normal(size=(2, 2, 5, 5)).astype("f4")
    assert type(model.fuse()[1]) is nn.BatchNorm2d
    np.testing.assert_array_equal(model.fuse()(x), model(x))
    np.testing.assert_allclose(model.compile_for(x.shape)(x), model(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("place", [0, 1])
def test_a_layer_with_a_forward_of_its_own_is_left_alone(place: int, rng) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    model[place].forward = type(model[place]).forward.__get__(model[place])
    assert type(model.fuse()[1]) is nn.BatchNorm2d
