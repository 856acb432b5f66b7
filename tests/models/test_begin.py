"""Initial weights have the distributions that torchvision documents; blocks by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.gradients import assert_gradients
from xpconv import models, nn
from xpconv.models import Conv2dNormActivation, DepthwiseSeparable, SqueezeExcitation
from xpconv.models._blocks import make_divisible
from xpconv.random import Stream


def he(channels: int, kernel: int = 1) -> float:
    return (2 / (channels * kernel * kernel)) ** 0.5


# the model, a weight, its standard deviation, and whether it is drawn evenly
BEGINNINGS: list[tuple[str, dict[str, Any], str, float, bool]] = [
    ("resnet50", {}, "layer3.0.conv2.weight", he(256, 3), False),
    ("vgg11", {"hidden": 64}, "features.6.weight", he(256, 3), False),
    ("vgg11", {"hidden": 64}, "classifier.0.weight", 0.01, False),
    ("densenet121", {}, "features.denseblock1.denselayer2.conv2.weight", he(128, 3), False),
    ("squeezenet1_1", {}, "features.12.expand3x3.weight", he(64, 3), True),
    ("squeezenet1_1", {}, "classifier.1.weight", 0.01, False),
    ("googlenet", {}, "inception4e.branch2.1.conv.weight", 0.01, False),
    ("googlenet", {}, "aux1.fc1.weight", 0.01, False),
    ("inception_v3", {}, "Mixed_6b.branch7x7_2.conv.weight", 0.1, False),
    ("inception_v3", {}, "fc.weight", 0.1, False),
    ("inception_v3", {}, "AuxLogits.fc.weight", 0.001, False),
    ("mobilenet_v2", {}, "features.18.0.weight", he(1280), False),
    ("mobilenet_v2", {}, "classifier.1.weight", 0.01, False),
    ("mobilenet_v3_small", {}, "features.12.0.weight", he(576), False),
    ("mobilenet_v3_small", {}, "classifier.0.weight", 0.01, False),
    ("efficientnet_b0", {}, "features.8.0.weight", he(1280), False),
    ("efficientnet_b0", {}, "classifier.1.weight", (1 / 3000) ** 0.5, True),
]


@pytest.fixture(scope="module")
def built() -> dict[Any, Any]:
    names = {(name, tuple(options.items())) for name, options, *_ in BEGINNINGS}
    return {
        (name, options): getattr(models, name)(**dict(options), rng=Stream(0)).state_dict()
        for name, options in names
    }


@pytest.mark.parametrize(("name", "options", "key", "std", "evenly"), BEGINNINGS)
def test_weights_begin_as_documented(
    built: dict[Any, Any], name: str, options: Any, key: str, std: float, evenly: bool
) -> None:
    weight = built[name, tuple(options.items())][key]
    assert weight.size > 10_000
    assert np.std(weight) == pytest.approx(std, rel=0.03)
    assert abs(np.mean(weight)) < 0.03 * std
    largest = np.max(np.abs(weight)) / std  # for an even draw the square root of 3
    assert largest == pytest.approx(3**0.5, rel=0.02) if evenly else largest > 3


def test_biases_begin_at_zero_where_documented(built: dict[Any, Any]) -> None:
    zero = {"vgg11", "densenet121", "squeezenet1_1", "mobilenet_v2", "efficientnet_b0"}
    for (name, _), state in built.items():
        biases = [value for key, value in state.items() if key.endswith("bias")]
        convolved = [value for key, value in state.items() if key.endswith("fc1.bias")]
        if name in zero:
            assert not any(np.any(value) for value in biases), name
        elif name == "googlenet":  # PyTorch's own start
            assert all(np.all(value) for value in convolved)


@pytest.mark.parametrize(
    ("value", "channels"),
    [(1, 8), (12, 16), (11.9, 16), (18, 24), (20, 24), (33, 32), (8.8, 8), (9, 16)],
)
def test_make_divisible(value: float, channels: int) -> None:
    """Multiples of 8, never more than a tenth below."""
    assert make_divisible(value) == channels
    assert make_divisible(value) >= 0.9 * value
    assert make_divisible(value) % 8 == 0


# --- blocks -----------------------------------------------------------------------------------


def test_squeeze_excitation_by_hand(backend: Library) -> None:
    block = SqueezeExcitation(2, 1, scale_activation=nn.Identity)
    one = np.ones((1, 1, 1, 1), "float32")
    block.load_state_dict(
        {
            "fc1.weight": np.concatenate([one, one], axis=1),
            "fc1.bias": np.zeros(1),
            "fc2.weight": np.concatenate([2 * one, -one]),
            "fc2.bias": np.array([0.0, 1.0]),
        }
    )
    x = np.array([[[[1.0, 3.0]], [[0.0, 2.0]]]], "float32")  # means 2 and 1: gates 6 and -2
    y = block.to(backend.spec)(backend.array(x))
    backend.assert_close(y, np.array([[[[6.0, 18.0]], [[0.0, -4.0]]]], "float32"))


def squeeze() -> nn.Module:
    return SqueezeExcitation(4, 2, nn.SiLU)


def separable() -> nn.Module:
    return DepthwiseSeparable(2, 3, activation_layer=nn.Tanh)


def strided() -> nn.Module:
    return Conv2dNormActivation(2, 4, (1, 5), 2, 2, activation_layer=nn.SiLU)


def bare() -> nn.Module:
    return Conv2dNormActivation(2, 3, 1, norm_layer=None, activation_layer=None)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (squeeze, (3, 4, 3, 2)),
        (separable, (3, 2, 4, 5)),
        (strided, (3, 2, 4, 5)),
        (bare, (3, 2, 4, 5)),
    ],
)
def test_blocks_have_right_gradients(backend: Library, make: Any, shape: Any) -> None:
    assert_gradients(make, backend, shape)


def test_keys_and_shapes_of_blocks() -> None:
    assert list(bare().state_dict()) == ["0.weight", "0.bias"]
    assert strided()(np.zeros((1, 2, 4, 5), "float32")).shape == (1, 4, 2, 3)
    assert list(separable().parameters()) == [
        f"{part}.{key}"
        for part in ("depthwise", "pointwise")
        for key in ("0.weight", "1.weight", "1.bias")
    ]


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        models.DenseNet(())
    with pytest.raises(ValueError, match="at least one layer"):
        models.DenseNet((2, 0))
    with pytest.raises(ValueError, match="'mb' or 'fused'"):
        models.EfficientNet([("conv", 1, 3, 1, 8, 1)])
    with pytest.raises(ValueError, match="five numbers and blocks three"):
        models.ShuffleNetV2((1, 2, 3))
    with pytest.raises(ValueError, match="depth"):
        models.UNet(depth=0)
    with pytest.raises(ValueError, match="Output size is too small"):
        models.UNet(depth=2, width=2)(np.zeros((1, 3, 3, 9), "float32"))
    assert models.UNet(depth=1, width=2)(np.zeros((2, 3, 5, 2), "float32")).shape == (2, 2, 5, 2)
