"""Whole training steps of small networks: ``python -m benchmarks.training --help``."""

from __future__ import annotations

import sys
from dataclasses import replace

from . import _cli
from ._cases import INFERENCE, QUICK_TRAINING, STEP, TRAINING, matches
from ._columns import MAIN, PORTABLE, on_gpu

EPILOG = """\
examples:
  python -m benchmarks.training --quick
  python -m benchmarks.training --cases lenet
  python -m benchmarks.training --backend cupy --json gpu.json

The method is described in benchmarks/README.md."""


def main(arguments: list[str] | None = None) -> int:
    parser, what = _cli.parser(
        "benchmarks.training",
        "Time training steps (forward, backward, SGD with momentum): xpconv with and without "
        "Numba,\nPyTorch in both memory layouts, JAX, and SciPy loops where they are feasible.",
        EPILOG,
        (*MAIN, PORTABLE, "jax", "scipy"),
        rounds=15,
    )
    what.add_argument(
        "--modes", nargs="+", choices=(STEP, INFERENCE), help="default: training step"
    )
    options = parser.parse_args(arguments)
    names = options.cases or (list(QUICK_TRAINING) if options.quick else None)
    cases = [
        replace(case, dtype=options.dtype, mode=mode)
        for case in TRAINING
        if matches(case.name, case.group, names)
        if names or case.group != "gpu" or on_gpu(options)
        for mode in options.modes or [STEP]
    ]
    if not cases:
        parser.error(f"no network matches {names}; --list shows what there is")
    return _cli.run("training", "Training steps against PyTorch", cases, options)


if __name__ == "__main__":
    sys.exit(main())
