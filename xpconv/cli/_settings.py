"""The settings of a training run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._errors import UsageError

MODEL_NAMES = (
    "digits_cnn",
    "lenet5",
    "small_vgg",
    "resnet18",
    "resnet34",
    "resnet18_cifar",
    "resnet34_cifar",
)
"""Those of `xpconv.models`, which the help must not import to list them."""

DEFAULTS: dict[str, Any] = {
    "dataset": "digits",
    "model": "digits_cnn",
    "epochs": 15,
    "batch_size": 32,
    "lr": 0.05,
    "seed": 0,
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
