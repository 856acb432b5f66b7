"""The models by name, for the command line and for configuration files."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..nn import Module
from ._digits import digits_cnn
from ._lenet import LeNet5
from ._resnet import resnet18, resnet34
from ._vgg import small_vgg


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


MODELS: dict[str, ModelEntry] = {
    "digits_cnn": ModelEntry(digits_cnn, (1, 8, 8), 10),
    "lenet5": ModelEntry(LeNet5, (1, 28, 28), 10),
    "small_vgg": ModelEntry(small_vgg, (3, 32, 32), 10),
    "resnet18": ModelEntry(resnet18, (3, 224, 224), 1000),
    "resnet34": ModelEntry(resnet34, (3, 224, 224), 1000),
    "resnet18_cifar": ModelEntry(resnet18, (3, 32, 32), 10, {"cifar": True}),
    "resnet34_cifar": ModelEntry(resnet34, (3, 32, 32), 10, {"cifar": True}),
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
