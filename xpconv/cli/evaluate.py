"""``xpconv evaluate``: test a trained model."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from ._parser import add_backend, positive_int

HELP = "test a trained model on the data that it was not trained on"
DESCRIPTION = "Test a trained model on the test images of the data set that it was trained on."
EPILOG = """\
examples:
  xpconv evaluate runs/digits
  xpconv evaluate runs/digits/model.safetensors --backend torch --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument("model", metavar="RUN", type=Path, help="a run's directory or weights file")
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=positive_int,
        default=256,
        help="images at once (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_backend(parser)


def run(arguments: argparse.Namespace) -> int:
    """Load the model, test it and print the result."""
    from ..backend import get_backend, use_backend
    from ..data import load_digits
    from ..train import Trainer
    from ._errors import UsageError, require
    from ._files import to_json
    from ._weights import load
    from ._words import NOT_FINITE_ADVICE, accuracy_in_words

    require("safetensors", "sklearn")
    with use_backend(get_backend(arguments.backend)) as backend:
        model, card = load(arguments.model)
        test = load_digits().test
        trainer = Trainer(model, backend=backend, progress=False)
        result = trainer.evaluate(test, batch_size=arguments.batch_size)
    if not math.isfinite(result["loss"]):
        raise UsageError(f"the outputs of {card.name} are not finite; {NOT_FINITE_ADVICE}")
    if arguments.json:
        found = {"model": card.name, "backend": str(backend), "images": len(test)}
        print(to_json({**found, **{f"test_{key}": value for key, value in result.items()}}), end="")
    else:
        print(f"{card.name} on {backend}: {accuracy_in_words(result['accuracy'], len(test))}")
    return 0
