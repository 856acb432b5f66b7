"""The settings of a training run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._errors import UsageError

_NAMES = """
digits_cnn lenet5 small_vgg resnet18_cifar resnet34_cifar unet alexnet
vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
resnet18 resnet34 resnet50 resnet101 resnet152
resnext50_32x4d resnext101_32x8d wide_resnet50_2 wide_resnet101_2
squeezenet1_0 squeezenet1_1 densenet121 densenet161 densenet169 densenet201
googlenet inception_v3 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large
shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7
efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l
"""
MODEL_NAMES = tuple(_NAMES.split())
"""Those of `xpconv.models`, which the help must not import to list them."""

PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
"""Those of `xpconv.Trainer`."""

DEFAULTS: dict[str, Any] = {
    "dataset": "digits",
    "model": "digits_cnn",
    "epochs": 15,
    "batch_size": 32,
    "lr": 0.05,
    "seed": 0,
    "precision": None,
}


def new_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed, and the defaults for what was not."""
    typed = {name: getattr(arguments, name) for name in DEFAULTS}
    return {name: DEFAULTS[name] if value is None else value for name, value in typed.items()}


def resumed_settings(
    arguments: argparse.Namespace, found: Mapping[str, Any], path: Path
) -> dict[str, Any]:
    """Return the settings that a checkpoint holds.

    Raises
    ------
    UsageError
        When others were typed: a run that changes them is another run.
    """
    for name, value in found.items():
        typed = getattr(arguments, name, None)
        if typed is not None and typed != value:
            option = "DATASET" if name == "dataset" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} is {value} in {path}, not {typed}: a resumed run keeps its settings"
            )
    return dict(found)
