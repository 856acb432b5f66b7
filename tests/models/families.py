"""One small network of each family, beside its twin in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xpconv import models, nn
from xpconv.random import Stream

TWO, FIVE = 2, 5  # channels of the image, classes


@dataclass(frozen=True)
class Family:
    """How to make a network and its twin, and the shape of a batch.

    ``exact`` is how closely float64 gradients agree, of the largest in their array: PyTorch takes
    1/6 in hardsigmoid's derivative as a float32, and deep batch normalisation of few numbers loses
    digits in either library.
    """

    make: Callable[[Stream], nn.Module]
    twin: str
    sizes: tuple[Any, ...]
    shape: tuple[int, ...]
    exact: float = 1e-9

    def ours(self) -> nn.Module:
        return self.make(Stream(3))


_V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (4, 24, 1, 1))
_V3_ROWS = (
    (3, 16, 16, True, "relu", 2),
    (5, 48, 24, False, "hardswish", 1),
    (3, 32, 24, True, "hardswish", 1),
)
_EFFICIENT = (
    ("fused", 1, 3, 1, 16, 2),
    ("mb", 4, 5, 2, 24, 2),
    ("fused", 2, 3, 2, 32, 1),
    ("mb", 1, 3, 1, 32, 2),
)
_FIRES = ("M", (4, 8), "M", (6, 10))
_VGG = (8, "M", 6, 6, "M")


def _model(name: str, *arguments: Any, **options: Any) -> Callable[[Stream], nn.Module]:
    def make(rng: Stream) -> nn.Module:
        return getattr(models, name)(*arguments, **options, rng=rng)

    return make


FAMILIES = {
    "mobilenet_v2": Family(
        _model("MobileNetV2", FIVE, TWO, 0.5, stages=_V2_STAGES),
        "mobilenet_v2",
        (((1, 8, 1, 1), (6, 16, 2, 2), (4, 16, 1, 1)), FIVE, TWO, 16, 1280),
        (3, TWO, 20, 17),
    ),
    "mobilenet_v3": Family(
        _model("MobileNetV3", _V3_ROWS, 64, FIVE, TWO, 0.5),
        "mobilenet_v3",
        (
            (
                (3, 8, 8, 8, "relu", 2),
                (5, 24, 16, 0, "hardswish", 1),
                (3, 16, 16, 8, "hardswish", 1),
            ),
            FIVE,
            TWO,
            8,
            32,
        ),
        (3, TWO, 20, 17),
        exact=1e-7,
    ),
    "efficientnet": Family(
        _model("EfficientNet", _EFFICIENT, FIVE, TWO, stochastic_depth_prob=0.5, first_channel=16),
        "efficientnet",
        (_EFFICIENT, FIVE, TWO, 16, 128, 0.5),
        (3, TWO, 20, 17),
    ),
    "shufflenet_v2": Family(
        _model("ShuffleNetV2", (6, 8, 12, 16, 20), FIVE, TWO, blocks=(2, 1, 2)),
        "shufflenet_v2",
        ((6, 8, 12, 16, 20), (2, 1, 2), FIVE, TWO),
        (3, TWO, 36, 33),
    ),
    "densenet": Family(
        _model("DenseNet", (2, 3), FIVE, TWO, growth_rate=4, num_init_features=6, bn_size=2),
        "densenet",
        ((2, 3), FIVE, TWO, 4, 6, 8),
        (3, TWO, 25, 20),
    ),
    "squeezenet": Family(
        _model("SqueezeNet", (8, 5), _FIRES, FIVE, TWO),
        "squeezenet",
        ((8, 5), _FIRES, FIVE, TWO),
        (3, TWO, 20, 17),
    ),
    "googlenet": Family(
        _model("GoogLeNet", FIVE, TWO), "googlenet", (FIVE, TWO), (2, TWO, 40, 33), exact=1e-7
    ),
    "inception": Family(
        _model("Inception3", FIVE, TWO, False), "inception", (FIVE, TWO, False), (3, TWO, 79, 75)
    ),
    "bottleneck": Family(
        _model("ResNet", (1, 1, 2, 1), FIVE, TWO, bottleneck=True, groups=2, width_per_group=8),
        "bottleneck",
        ((1, 1, 2, 1), FIVE, TWO, False, 2, 8),
        (3, TWO, 36, 33),
    ),
    "vgg": Family(
        _model("VGG", _VGG, FIVE, TWO, batch_norm=False, hidden=12, dropout=0.5),
        "vgg",
        (_VGG, FIVE, TWO, 12, False),
        (3, TWO, 30, 18),
    ),
    "vgg_bn": Family(
        _model("VGG", _VGG, FIVE, TWO, hidden=12, dropout=0.5),
        "vgg",
        (_VGG, FIVE, TWO, 12, True),
        (3, TWO, 30, 18),
    ),
    "alexnet": Family(
        _model("AlexNet", FIVE, TWO, hidden=12), "alexnet", (FIVE, TWO, 12), (2, TWO, 79, 70)
    ),
    "unet": Family(
        _model("UNet", FIVE, TWO, width=4), "unet", (FIVE, TWO, False, 4), (2, TWO, 39, 32)
    ),
    "unet_bilinear": Family(
        _model("UNet", FIVE, TWO, True, width=4), "unet", (FIVE, TWO, True, 4), (2, TWO, 35, 49)
    ),
    "dcgan_generator": Family(
        _model("DCGANGenerator", 7, TWO, 4), "generator", (7, TWO, 4), (3, 7, 1, 1)
    ),
    "dcgan_discriminator": Family(
        _model("DCGANDiscriminator", TWO, 4), "discriminator", (TWO, 4), (3, TWO, 64, 64)
    ),
}
