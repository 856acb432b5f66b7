"""``xpconv train``: train a network on bundled data."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._parser import add_backend, positive_float, positive_int, seed
from ._settings import DEFAULTS, MODEL_NAMES, PRECISIONS

HELP = "train a network, with pictures and weights as the result"
DESCRIPTION = f"""\
Train a network on handwritten digits (scikit-learn's: 1,347 images to learn from, 450 to test),
by SGD with momentum and a one-cycle learning rate. By default {DEFAULTS["model"]} reads at
least 98 % of the test images, after less than a minute on two cores.

The output directory gets
  metrics.json             accuracy, time, settings, versions and the history of the epochs
  model.safetensors        the weights, with PyTorch's keys
  learning_curves.png      loss and error by epoch
  confusion_matrix.png     what was read as what, and some misread digits
  checkpoint.safetensors   where the run stands, for --resume"""
EPILOG = """\
examples:
  xpconv train digits
  xpconv train digits --backend cupy --seed 1 --out runs/gpu
  xpconv train digits --model small_vgg --epochs 10 --lr 0.02
  xpconv train digits --resume --out runs/gpu

Ctrl-C ends a run in good order; --resume goes on with it as if nothing had happened.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument("dataset", metavar="DATASET", choices=("digits",), help="digits")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"{', '.join(MODEL_NAMES)} (default: {DEFAULTS['model']})",
    )
    for name, kind, metavar, text in (
        ("epochs", positive_int, "N", "how often to go through the images"),
        ("batch-size", positive_int, "N", "images a step"),
        ("lr", positive_float, "X", "the largest learning rate"),
        ("seed", seed, "N", "decides weights, order and dropout; the same on every backend"),
    ):
        default = DEFAULTS[name.replace("-", "_")]
        parser.add_argument(
            f"--{name}", metavar=metavar, type=kind, help=f"{text} (default: {default})"
        )
    add_backend(parser)
    parser.add_argument(
        "--precision",
        metavar="NAME",
        choices=PRECISIONS,
        help=f"what a GPU computes in: {', '.join(PRECISIONS)} (default: float32, "
        "with TF32 products if CUPY_TF32=1)",
    )
    parser.add_argument(
        "--cuda-graphs",
        action="store_true",
        help="record a step on a GPU and repeat it with one launch; same results, less waiting",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="where the results go (default: runs/digits, or runs/digits-2, ... if that is taken)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out (default: the latest in runs), with its settings",
    )
    parser.add_argument("--quiet", action="store_true", help="print the result only")


def run(arguments: argparse.Namespace) -> int:
    """Train, test, and write the results."""
    from ._errors import require

    require("sklearn", "safetensors", "matplotlib")
    from ._training import train

    train(arguments)
    return 0
