"""``xpconv predict``: read pictures or arrays of pixels with a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

from ._parser import add_backend, positive_int

HELP = "read image files or array files with a trained model"
DESCRIPTION = """\
Read digits with a trained model. A picture may be of any size and format: its ink is cut out and
shrunk to the model's image. An array file (.npy, or .npz) holds pixels from 0 (paper) to 16 (ink)
of the model's size, one image or a batch."""
EPILOG = """\
examples:
  xpconv predict runs/digits seven.png
  xpconv predict runs/digits *.png --top 1
  xpconv predict runs/digits images.npy --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument("model", metavar="RUN", type=Path, help="a run's directory or weights file")
    parser.add_argument("inputs", metavar="FILE", type=Path, nargs="+", help="what to read")
    parser.add_argument(
        "--top", metavar="N", type=positive_int, default=3, help="classes to show (default: 3)"
    )
    parser.add_argument(
        "--invert",
        choices=("auto", "yes", "no"),
        default="auto",
        help="whether ink is darker than paper in a picture (default: auto, from its border)",
    )
    parser.add_argument("--json", action="store_true", help="print all probabilities as JSON")
    add_backend(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read the files and print what they show."""
    import numpy as np

    from .. import ops
    from ..backend import get_backend, use_backend
    from ..data import standardise_digits
    from ._errors import UsageError
    from ._files import to_json
    from ._images import read_pixels
    from ._weights import load
    from ._words import NOT_FINITE_ADVICE

    with use_backend(get_backend(arguments.backend)) as backend:
        model, card = load(arguments.model)
        results = []
        for path in arguments.inputs:
            pixels = read_pixels(path, card.input_shape, arguments.invert)
            logits = model(backend.asarray(standardise_digits(pixels[:, 0])))
            probabilities = backend.to_numpy(ops.softmax(logits))
            if not np.isfinite(probabilities).all():
                raise UsageError(
                    f"the outputs of {card.name} for {path} are not finite; {NOT_FINITE_ADVICE}"
                )
            for index, row in enumerate(probabilities):
                name = str(path) if len(probabilities) == 1 else f"{path}[{index}]"
                results.append((name, row))
    if arguments.json:
        print(
            to_json(
                [
                    {"input": name, "class": int(np.argmax(row)), "probabilities": row.tolist()}
                    for name, row in results
                ]
            ),
            end="",
        )
        return 0
    for name, row in results:
        best = np.argsort(-row, kind="stable")[: arguments.top]
        print(f"{name}: " + ", ".join(f"{index} ({100 * row[index]:.1f} %)" for index in best))
    return 0
