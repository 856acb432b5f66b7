"""Known networks, built from the layers, with the keys of their PyTorch counterparts.

Each constructor takes ``num_classes`` and ``in_channels``; :data:`MODELS` lists them by the names
that the command line uses.
"""

from __future__ import annotations

from ._digits import digits_cnn as digits_cnn
from ._lenet import LeNet5 as LeNet5
from ._registry import MODELS as MODELS, ModelEntry as ModelEntry, get_model as get_model
from ._resnet import ResNet as ResNet, resnet18 as resnet18, resnet34 as resnet34
from ._vgg import VGG as VGG, small_vgg as small_vgg

__all__ = [
    "MODELS",
    "VGG",
    "LeNet5",
    "ModelEntry",
    "ResNet",
    "digits_cnn",
    "get_model",
    "resnet18",
    "resnet34",
    "small_vgg",
]
