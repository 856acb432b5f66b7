"""``xpconv parity``: whether backends compute the same."""

from __future__ import annotations

import argparse
import json

from ._errors import UsageError
from ._parser import positive_int, seed, shape
from ._settings import MODEL_NAMES

HELP = "compare a model between backends, layer by layer and gradient by gradient"
DESCRIPTION = """\
Run a model forward and backward on two or more backends, from the same weights, inputs and masks,
and compare every layer's output and every gradient. The first backend is the reference. The exit
code is 0 when all agree within tolerance and 1 when not."""
EPILOG = """\
examples:
  xpconv parity --backends numpy,cupy
  xpconv parity --backends numpy,cupy --model resnet18_cifar --dtype float64
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument(
        "--backends",
        metavar="A,B",
        default="numpy,cupy",
        help="two or more backends with commas between (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        default="digits_cnn",
        help=f"{', '.join(MODEL_NAMES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--shape",
        metavar="CxHxW",
        type=shape,
        help="shape of one input (default: the one the model was made for)",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=positive_int,
        default=8,
        help="inputs (default: %(default)s)",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float32",
        help="of the model (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=seed,
        default=0,
        help="decides weights, inputs and masks (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Compare the backends and print the report."""
    import numpy as np

    from ..backend import get_backend, use_backend
    from ..parity import parity_check
    from ..random import Stream, use_stream
    from ._weights import build

    backends = [name.strip() for name in arguments.backends.split(",") if name.strip()]
    if len(backends) < 2:
        raise UsageError(
            f"--backends needs two names, as in numpy,cupy, got {arguments.backends!r}"
        )
    for name in backends:
        get_backend(name)
    with use_backend("numpy"), use_stream(Stream(arguments.seed)):
        model, input_shape = build(arguments.model, arguments.shape)
        model.to(dtype=arguments.dtype)
    rng = np.random.default_rng(arguments.seed)
    x = rng.standard_normal((arguments.batch_size, *input_shape)).astype(arguments.dtype)
    classes = model(x[:1]).shape[-1]
    labels = rng.integers(classes, size=arguments.batch_size)
    report = parity_check(model, x, labels, backends, seed=arguments.seed)
    print(json.dumps(report.to_dict(), indent=2) if arguments.json else report)
    return 0 if report.ok else 1
