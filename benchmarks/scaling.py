"""One layer over many sizes: ``python -m benchmarks.scaling --help``.

Cost should grow with the work: a cliff shows as a row far below its neighbours.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from . import _cli, _machine, _plot_trend
from ._cases import LayerCase, layer_case, matches
from ._columns import MAIN

EPILOG = """\
examples:
  python -m benchmarks.scaling --quick
  python -m benchmarks.scaling --cases channels --threads 1

The method is described in benchmarks/README.md."""

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def cases() -> Iterator[LayerCase]:
    """Each of batch, image and channels in turn, the others held."""
    for batch in BATCHES:
        yield replace(layer_case("", "batch", (64, 64), 28, 3, padding=1), batch=batch)
    for size in SIZES:
        yield replace(layer_case("", "image", (32, 32), size, 3, padding=1), batch=2)
    for channels in CHANNELS:
        yield replace(layer_case("", "channels", (channels,) * 2, 28, 3, padding=1), batch=4)


def main(arguments: list[str] | None = None) -> int:
    parser, _ = _cli.parser(
        "benchmarks.scaling",
        "Time a 3x3 layer over batches, image sizes and channels: xpconv and PyTorch.",
        EPILOG,
        MAIN,
        rounds=5,
    )
    options = parser.parse_args(arguments)
    chosen = [
        replace(case, mode="forward+backward", dtype=options.dtype)
        for case in cases()
        if matches(case.name, case.group, options.cases)
    ]
    if options.quick:
        chosen = [case for case in chosen if case.group == "channels" and case.in_channels <= 16]
    if not chosen:
        parser.error(f"no case matches {options.cases}; --list shows what there is")
    return _cli.run(
        "scaling",
        "One layer over many sizes",
        chosen,
        options,
        threads=range(1, _machine.cores() + 1),
        plots={"": _plot_trend.plot},
    )


if __name__ == "__main__":
    sys.exit(main())
