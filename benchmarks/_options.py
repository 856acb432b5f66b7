"""The options that the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._columns import NAMES

TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "float16": 2e-2, "bfloat16": 1e-1}


def parser(
    prog: str, description: str, epilog: str, columns: Sequence[str], rounds: int = 7
) -> tuple[argparse.ArgumentParser, argparse._ArgumentGroup]:
    """The options of all commands, and the group that takes a command's own.

    `columns` are those that the command has by default.
    """
    it = argparse.ArgumentParser(
        prog=f"python -m {prog}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = it.add_argument_group("what to measure")
    what.add_argument(
        "--cases", nargs="+", metavar="TEXT", help="only cases with TEXT in their name or group"
    )
    what.add_argument("--list", action="store_true", help="list the cases and stop")
    what.add_argument(
        "--backend",
        default="numpy",
        metavar="SPEC",
        help="where xpconv runs: numpy (default), cupy, torch, torch:cuda, …; on a GPU PyTorch "
        "runs there too",
    )
    what.add_argument(
        "--peers",
        nargs="+",
        metavar="NAME",
        choices=NAMES,
        help=f"columns, of {', '.join(NAMES)}; default: {' '.join(columns)}; on a GPU xpconv and "
        "PyTorch",
    )
    what.add_argument(
        "--dtype",
        default="float32",
        choices=sorted(TOLERANCES),
        help="half precision, not for numpy, means mixed precision in networks: float32 weights",
    )
    what.add_argument("--tf32", action="store_true", help="allow TF32 on a GPU, in all libraries")
    how = it.add_argument_group("how to measure")
    how.add_argument(
        "--quick",
        action="store_true",
        help="few cases, few rounds: a check under a minute that everything runs; writes no file "
        "that is not asked for",
    )
    how.add_argument(
        "--rounds", type=_positive(int), help=f"turns of each library ({rounds}; quick: 2)"
    )
    how.add_argument(
        "--turn", type=_positive(float), metavar="SECONDS", help="of a turn (0.05; quick: 0.01)"
    )
    how.add_argument(
        "--threads", type=_positive(int), help="of every library; default: all cores there are"
    )
    how.add_argument(
        "--statistic",
        default="minimum",
        choices=["minimum", "median"],
        help="what ratios are made of (default: minimum); both are reported",
    )
    how.add_argument(
        "--memory",
        action="store_true",
        help="measure peak memory as well: on a CPU benchmarks.memory does, on a GPU every run",
    )
    how.add_argument(
        "--scipy-limit",
        type=_positive(float),
        metavar="SECONDS",
        help="leave SciPy's loops out where one image takes longer (0.4; quick: 0.1)",
    )
    out = it.add_argument_group(
        "what to write",
        "A full run, without --quick and without a choice of what to measure, writes all three to "
        "benchmarks/results/.",
    )
    for kind, suffix in (("markdown", "md"), ("json", "json"), ("plot", "png")):
        out.add_argument(f"--{kind}", type=Path, metavar=f"FILE.{suffix}")
    out.add_argument(
        "--render", type=Path, metavar="FILE.json", help="measure nothing: report an earlier run"
    )
    it.set_defaults(columns=tuple(columns), usual_rounds=rounds, timed=True, roofline=False)
    return it, what


def _positive(kind: type) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    number.__name__ = kind.__name__
    return number
