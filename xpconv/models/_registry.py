"""The models by name, for the command line and for configuration files."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..nn import Module
from . import (
    _alexnet,
    _densenet,
    _efficientnets,
    _googlenet,
    _inception,
    _mobilenet_v2,
    _mobilenet_v3,
    _resnet,
    _shufflenet,
    _squeezenet,
    _vgg,
)
from ._digits import digits_cnn
from ._lenet import LeNet5
from ._unet import unet


@dataclass(frozen=True)
class ModelEntry:
    """How to build a model by name, and the images that it was made for.

    Parameters
    ----------
    build : callable
        Makes the model; takes ``num_classes``, ``in_channels`` and ``rng``.
    input_shape : tuple of int
        One image as (C, H, W).
    num_classes : int
        The classes of the data set that the model is known for.
    options : dict, optional
        Keyword arguments that make this form of the model.
    """

    build: Callable[..., Module]
    input_shape: tuple[int, int, int]
    num_classes: int
    options: dict[str, Any] = field(default_factory=dict)


# Networks for ImageNet's 1000 classes, most of them for images of 224x224.
_IMAGENET: tuple[Callable[..., Module], ...] = (
    _alexnet.alexnet,
    _vgg.vgg11,
    _vgg.vgg11_bn,
    _vgg.vgg13,
    _vgg.vgg13_bn,
    _vgg.vgg16,
    _vgg.vgg16_bn,
    _vgg.vgg19,
    _vgg.vgg19_bn,
    _resnet.resnet18,
    _resnet.resnet34,
    _resnet.resnet50,
    _resnet.resnet101,
    _resnet.resnet152,
    _resnet.resnext50_32x4d,
    _resnet.resnext101_32x8d,
    _resnet.wide_resnet50_2,
    _resnet.wide_resnet101_2,
    _squeezenet.squeezenet1_0,
    _squeezenet.squeezenet1_1,
    _densenet.densenet121,
    _densenet.densenet161,
    _densenet.densenet169,
    _densenet.densenet201,
    _googlenet.googlenet,
    _inception.inception_v3,
    _mobilenet_v2.mobilenet_v2,
    _mobilenet_v3.mobilenet_v3_small,
    _mobilenet_v3.mobilenet_v3_large,
    _shufflenet.shufflenet_v2_x0_5,
    _shufflenet.shufflenet_v2_x1_0,
    _shufflenet.shufflenet_v2_x1_5,
    _shufflenet.shufflenet_v2_x2_0,
    _efficientnets.efficientnet_b0,
    _efficientnets.efficientnet_b1,
    _efficientnets.efficientnet_b2,
    _efficientnets.efficientnet_b3,
    _efficientnets.efficientnet_b4,
    _efficientnets.efficientnet_b5,
    _efficientnets.efficientnet_b6,
    _efficientnets.efficientnet_b7,
    _efficientnets.efficientnet_v2_s,
    _efficientnets.efficientnet_v2_m,
    _efficientnets.efficientnet_v2_l,
)
_SIZES = {
    "inception_v3": 299,
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
    "efficientnet_v2_s": 384,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_l": 480,
}
# A training run knows one loss: auxiliary logits are for those who write their own.
_OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False},
    "inception_v3": {"aux_logits": False},
}


def _imagenet(build: Callable[..., Module]) -> ModelEntry:
    size = _SIZES.get(build.__name__, 224)
    return ModelEntry(build, (3, size, size), 1000, _OPTIONS.get(build.__name__, {}))


MODELS: dict[str, ModelEntry] = {
    "digits_cnn": ModelEntry(digits_cnn, (1, 8, 8), 10),
    "lenet5": ModelEntry(LeNet5, (1, 28, 28), 10),
    "small_vgg": ModelEntry(_vgg.small_vgg, (3, 32, 32), 10),
    "resnet18_cifar": ModelEntry(_resnet.resnet18, (3, 32, 32), 10, {"cifar": True}),
    "resnet34_cifar": ModelEntry(_resnet.resnet34, (3, 32, 32), 10, {"cifar": True}),
    "unet": ModelEntry(unet, (3, 256, 256), 2),
    **{build.__name__: _imagenet(build) for build in _IMAGENET},
}


def get_model(name: str, **options: Any) -> Module:
    """Build a model by its name in :data:`MODELS`.

    Parameters
    ----------
    name : str
        For example ``"lenet5"`` or ``"resnet18_cifar"``; upper and lower case are the same.
    **options
        Passed to the model's constructor: ``num_classes``, ``in_channels``, ``rng``, and what it
        takes besides. By default the classes and channels of the data set it is known for.

    Returns
    -------
    Module
        The model, on the current backend.

    Raises
    ------
    ValueError
        When there is no model of that name; the message lists those that there are.

    Examples
    --------
    >>> from xpconv.models import get_model
    >>> get_model("lenet5", num_classes=3).num_parameters
    61111
    """
    entry = MODELS.get(name.lower())
    if entry is None:
        near = difflib.get_close_matches(name.lower(), MODELS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no model is called {name!r}; {hint}there are: {', '.join(MODELS)}")
    defaults = {"num_classes": entry.num_classes, "in_channels": entry.input_shape[0]}
    return entry.build(**(defaults | entry.options | options))
