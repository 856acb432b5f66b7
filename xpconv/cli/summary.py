"""``xpconv summary``: a model's layers, shapes and sizes."""

from __future__ import annotations

import argparse

from ._parser import positive_int, shape
from ._settings import MODEL_NAMES

HELP = "list a model's layers with shapes, parameters, FLOPs and memory"
DESCRIPTION = "List the layers of a model with output shapes, parameters, FLOPs and memory."
EPILOG = """\
examples:
  xpconv summary lenet5
  xpconv summary resnet18 3x224x224
  xpconv summary resnet18_cifar 3x32x32 --num-classes 100
  xpconv summary runs/digits
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help=f"{', '.join(MODEL_NAMES)}, or a run's directory or weights file",
    )
    parser.add_argument(
        "shape",
        metavar="CxHxW",
        nargs="?",
        type=shape,
        help="shape of one input (default: the one the model was made for)",
    )
    parser.add_argument(
        "--num-classes", metavar="N", type=positive_int, help="length of the logits"
    )


def run(arguments: argparse.Namespace) -> int:
    """Build the model and print its summary."""
    from .. import nn
    from ._weights import build_or_load

    model, input_shape = build_or_load(arguments.model, arguments.shape, arguments.num_classes)
    print(nn.summary(model, input_shape))
    return 0
