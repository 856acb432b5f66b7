"""What is known about networks that others have written too.

For each the number of trained numbers, the number of entries of its state dict, and a digest of
their names and shapes in order. They were read off torchvision 0.28.0's own models (with auxiliary
heads where there are some); U-Net and DCGAN off the twins in this directory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from xpconv.random import Stream


def digest(state: Mapping[str, Any]) -> str:
    """Of the names and shapes in a state dict, in their order."""
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Zeros:
    """Draws zeros that take no memory."""

    def normal(self, mean: float = 0.0, std: float = 1.0, shape: Any = ()) -> Any:
        return np.broadcast_to(np.float32(0), shape)

    uniform = normal


class Blank(Stream):
    """Draws nothing, so that a network of 100 million weights is there at once."""

    def __init__(self) -> None:
        super().__init__(0)
        self.generator: Any = _Zeros()


TORCHVISION = {
    "alexnet": (61_100_840, 16, "9c198ebdae1863e4"),
    "vgg11": (132_863_336, 22, "cb3dc23f2a13e182"),
    "vgg11_bn": (132_868_840, 62, "8b6717e727c0ecf9"),
    "vgg13": (133_047_848, 26, "67c1dc8b57fde74b"),
    "vgg13_bn": (133_053_736, 76, "f6b0597d18a7e4d2"),
    "vgg16": (138_357_544, 32, "35c4623e0cd4a39d"),
    "vgg16_bn": (138_365_992, 97, "347371586a8ea365"),
    "vgg19": (143_667_240, 38, "4723255af8f6c485"),
    "vgg19_bn": (143_678_248, 118, "fc3ff6fab2b5cc09"),
    "resnet18": (11_689_512, 122, "84fb10d9c6905a1c"),
    "resnet34": (21_797_672, 218, "28f9096d51307499"),
    "resnet50": (25_557_032, 320, "d7e4f8bb0a536344"),
    "resnet101": (44_549_160, 626, "02c0f34f4842751f"),
    "resnet152": (60_192_808, 932, "685c66205bc823aa"),
    "resnext50_32x4d": (25_028_904, 320, "e3bad165c034e60f"),
    "resnext101_32x8d": (88_791_336, 626, "da7dd7525807e2ee"),
    "wide_resnet50_2": (68_883_240, 320, "41203d1d536c02ed"),
    "wide_resnet101_2": (126_886_696, 626, "4f088c0a152b8f5c"),
    "squeezenet1_0": (1_248_424, 52, "4654d26ad581241f"),
    "squeezenet1_1": (1_235_496, 52, "1d365589393f9c1e"),
    "densenet121": (7_978_856, 727, "aa0fd9923b0003b8"),
    "densenet161": (28_681_000, 967, "82d337d48f910d3a"),
    "densenet169": (14_149_480, 1015, "e2d0f02d9c0ce650"),
    "densenet201": (20_013_928, 1207, "0d234ad7e9a31b95"),
    "googlenet": (13_004_888, 364, "7f541ca29410efb1"),
    "inception_v3": (27_161_264, 580, "aab0ac2cbaf84aa2"),
    "mobilenet_v2": (3_504_872, 314, "37bbbce8932fd0c4"),
    "mobilenet_v3_small": (2_542_856, 244, "5f0efaf3ff4ac979"),
    "mobilenet_v3_large": (5_483_032, 312, "efe98e40831bae95"),
    "shufflenet_v2_x0_5": (1_366_792, 338, "f0a5936e646f1bd4"),
    "shufflenet_v2_x1_0": (2_278_604, 338, "81b349bc1cbbbc7a"),
    "shufflenet_v2_x1_5": (3_503_624, 338, "506b4de341bf52b3"),
    "shufflenet_v2_x2_0": (7_393_996, 338, "0c033bd0cd72af37"),
    "efficientnet_b0": (5_288_548, 360, "a04d0792ee390a49"),
    "efficientnet_b1": (7_794_184, 508, "9aaba0741e04badf"),
    "efficientnet_b2": (9_109_994, 508, "a6d3677e95ef315b"),
    "efficientnet_b3": (12_233_232, 574, "495111442d67e56d"),
    "efficientnet_b4": (19_341_616, 706, "2974b9d3c0556036"),
    "efficientnet_b5": (30_389_784, 854, "281af15aa41414bf"),
    "efficientnet_b6": (43_040_704, 986, "c32e05b40510b08d"),
    "efficientnet_b7": (66_347_960, 1200, "3d2a7737a3d81e53"),
    "efficientnet_v2_s": (21_458_488, 782, "1d905bff391f9c32"),
    "efficientnet_v2_m": (54_139_356, 1120, "5049b2b40578e130"),
    "efficientnet_v2_l": (118_515_272, 1548, "d77db9d94fce76ee"),
}
