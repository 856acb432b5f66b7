"""Convolution layers, forward and backward: ``python -m benchmarks.layers --help``."""

from __future__ import annotations

import sys

from . import _cli, _plot, _plot_roofline
from ._cases import MODES, QUICK_LAYERS, layer_cases
from ._columns import MAIN, PORTABLE

EPILOG = """\
examples:
  python -m benchmarks.layers --quick
  python -m benchmarks.layers --cases table --batches 16 64 --json run.json --plot run.png
  python -m benchmarks.layers --cases "3x3 64>64" depthwise --modes forward --rounds 5
  python -m benchmarks.layers --backend cupy

The method is described in benchmarks/README.md."""


def main(arguments: list[str] | None = None) -> int:
    parser, what = _cli.parser(
        "benchmarks.layers",
        "Time single convolution layers: xpconv with and without Numba, PyTorch in both memory\n"
        "layouts, JAX, NumPy as courses teach it, and SciPy loops.",
        EPILOG,
        (*MAIN, PORTABLE, "jax", "im2col", "scipy"),
    )
    what.add_argument(
        "--batches",
        nargs="+",
        type=int,
        metavar="N",
        help="images at once (default: 1 16 64; quick: 1 16)",
    )
    what.add_argument("--modes", nargs="+", choices=MODES, help="default: both")
    options = parser.parse_args(arguments)
    names = options.cases or (list(QUICK_LAYERS) if options.quick else None)
    batches = options.batches or ([1, 16] if options.quick else [1, 16, 64])
    if min(batches) < 1:
        parser.error("--batches: a batch holds at least one image")
    try:
        cases = list(layer_cases(names, batches, options.modes or list(MODES), options.dtype))
    except ValueError as error:
        parser.error(str(error))
    options.roofline = True
    plots = {"": _plot.plot, "-roofline": _plot_roofline.plot}
    return _cli.run("layers", "Convolution layers against PyTorch", cases, options, plots=plots)


if __name__ == "__main__":
    sys.exit(main())
