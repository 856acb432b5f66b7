"""Peak memory of layers and training steps: ``python -m benchmarks.memory --help``."""

from __future__ import annotations

import sys
from dataclasses import replace

from . import _cli
from ._cases import LAYERS, MODES, TRAINING, Case, matches
from ._columns import MAIN, on_gpu

EPILOG = """\
examples:
  python -m benchmarks.memory --quick
  python -m benchmarks.memory --cases table --batch 64

The method is described in benchmarks/README.md."""

LAYER_GROUP = "table"


def main(arguments: list[str] | None = None) -> int:
    parser, what = _cli.parser(
        "benchmarks.memory",
        "Weigh layers and training steps: the peak memory of a call beyond what was held before.",
        EPILOG,
        MAIN,
    )
    what.add_argument("--batch", type=int, default=16, help="images for the layers (default: 16)")
    options = parser.parse_args(arguments)
    if options.batch < 1:
        parser.error("--batch: a batch holds at least one image")
    options.timed = False
    cases: list[Case] = [
        replace(case, dtype=options.dtype)
        for case in TRAINING
        if (case.group == "gpu") <= on_gpu(options)
    ]
    cases += [
        replace(case, batch=options.batch, mode=mode, dtype=options.dtype)
        for case in LAYERS
        if case.group == LAYER_GROUP
        for mode in MODES
    ]
    cases = [case for case in cases if matches(case.name, case.group, options.cases)]
    if not cases:
        parser.error(f"nothing matches {options.cases}; --list shows what there is")
    return _cli.run("memory", "Peak memory against PyTorch", cases, options, plots={})


if __name__ == "__main__":
    sys.exit(main())
