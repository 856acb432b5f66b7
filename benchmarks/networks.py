"""Networks on ImageNet's images: ``python -m benchmarks.networks --help``."""

from __future__ import annotations

import sys
from dataclasses import replace

from . import _cli
from ._cases import INFERENCE, NETWORKS, STEP, matches
from ._columns import COMPILED, FUSED, MAIN, PORTABLE

EPILOG = """\
examples:
  python -m benchmarks.networks --quick
  python -m benchmarks.networks --cases mobilenet --modes inference

The method is described in benchmarks/README.md."""


def main(arguments: list[str] | None = None) -> int:
    parser, what = _cli.parser(
        "benchmarks.networks",
        "Time inference and training steps of ResNet-18 and MobileNetV2 on images of 224²: xpconv\n"
        "as it is, compiled for the shape, fused and without Numba, PyTorch in both layouts, JAX.",
        EPILOG,
        (*MAIN, COMPILED, FUSED, PORTABLE, "jax"),
    )
    modes = (INFERENCE, STEP)
    what.add_argument("--modes", nargs="+", choices=modes, help="default: both")
    options = parser.parse_args(arguments)
    cases = [
        replace(case, dtype=options.dtype)
        for case in NETWORKS
        if matches(case.name, case.group, options.cases)
        if case.mode in (options.modes or modes)
        if not options.quick or case.batch == 1
    ]
    if not cases:
        parser.error(f"no network matches {options.cases}; --list shows what there is")
    return _cli.run("networks", "Networks on images of 224² against PyTorch", cases, options)


if __name__ == "__main__":
    sys.exit(main())
