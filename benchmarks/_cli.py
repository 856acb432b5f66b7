"""What the two commands share: their options, the run, and the files that it leaves."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import _machine
from ._cases import PRECISIONS, Case
from ._measure import Race, Settings, describe
from ._plot import plot
from ._process import ROOT, PeerSpec
from ._report import TITLES, markdown
from ._statistics import BETTER, OURS, seconds, speed

RESULTS = ROOT / "benchmarks" / "results"
TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "float16": 2e-2, "bfloat16": 1e-1}
TF32_TOLERANCE = 3e-2


def on_gpu(options: argparse.Namespace) -> bool:
    """Whether xpconv, and PyTorch then, run on a GPU."""
    return any(word in options.backend for word in ("cupy", "cuda", "auto"))


def parser(
    prog: str, description: str, epilog: str
) -> tuple[argparse.ArgumentParser, argparse._ArgumentGroup]:
    """The options of both commands, and the group that takes a command's own."""
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
        choices=["xpconv", "xpconv-nchw", "torch", "torch-channels-last", "scipy"],
        help="columns: xpconv, xpconv-nchw (its inputs in NCHW memory), torch, "
        "torch-channels-last, scipy; default: all but xpconv-nchw, and no scipy on a GPU",
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
    how.add_argument("--rounds", type=_positive(int), help="turns of each library (11; quick: 2)")
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
    how.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    how.add_argument(
        "--scipy-limit",
        type=_positive(float),
        metavar="SECONDS",
        help="leave SciPy's loops out where one image takes longer (5; quick: 0.5)",
    )
    out = it.add_argument_group(
        "what to write",
        "A full run, without --quick and --cases, writes all three to benchmarks/results/.",
    )
    for kind, suffix in (("markdown", "md"), ("json", "json"), ("plot", "png")):
        out.add_argument(f"--{kind}", type=Path, metavar=f"FILE.{suffix}")
    out.add_argument(
        "--render", type=Path, metavar="FILE.json", help="measure nothing: report an earlier run"
    )
    return it, what


def _positive(kind: type) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    number.__name__ = kind.__name__
    return number


def peers(options: argparse.Namespace) -> list[PeerSpec]:
    """The columns that were asked for."""
    gpu = on_gpu(options)
    shared = {"tf32": options.tf32, "dtype": options.dtype}
    device = {"device": "cuda" if gpu else "cpu", **shared}
    # What was half precision loses nothing in TF32, so its products may be made there.
    tf32 = options.tf32 or options.dtype in PRECISIONS
    ours = {"library": "xpconv", "backend": options.backend, **shared, "tf32": tf32}
    configs: dict[str, dict[str, Any]] = {
        "xpconv": {**ours, "layout": "channels_last"},
        "xpconv-nchw": {**ours, "layout": "default"},
        "torch": {"library": "torch", "layout": "default", **device},
        "torch-channels-last": {"library": "torch", "layout": "channels_last", **device},
        "scipy": {
            "library": "scipy",
            "seconds": options.scipy_limit or (0.5 if options.quick else 5.0),
        },
    }
    default = [key for key in configs if key != "xpconv-nchw" and not (gpu and key == "scipy")]
    chosen = options.peers or default
    return [
        PeerSpec(key, TITLES[key], config, one_image=key == "scipy")
        for key, config in configs.items()
        if key in chosen
    ]


def run(name: str, title: str, cases: Sequence[Case], options: argparse.Namespace) -> int:
    """Measure, or read an earlier run, and write the reports; returns the exit status."""
    if options.list:
        print("\n".join(describe(case) for case in cases))
        return 0
    if options.render:
        report = json.loads(options.render.read_text())
    else:
        report = _measure(title, cases, options)
    text = markdown(report)
    print(text)
    _write(name, report, text, options)
    for said in [*report.get("warnings", []), *report["problems"]]:
        print(said, file=sys.stderr)
    return 1 if report["problems"] else 0


def _measure(title: str, cases: Sequence[Case], options: argparse.Namespace) -> dict[str, Any]:
    settings = Settings(
        threads=options.threads or _machine.cores(),
        rounds=options.rounds or (2 if options.quick else 11),
        turn=options.turn or (0.01 if options.quick else 0.05),
        settle=0.0 if on_gpu(options) else Settings.settle,
        tolerance=max(TOLERANCES[options.dtype], TF32_TOLERANCE if options.tf32 else 0.0),
    )
    machine, warnings = _machine.describe(), _machine.warnings()
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    with Race(peers(options), settings) as race:
        try:
            for number, case in enumerate(cases, start=1):
                start = time.perf_counter()
                rows.append(race.row(case))
                if not options.no_memory and not (options.quick and number < len(cases)):
                    rows[-1]["memory"] = race.memory(case)
                _say(number, len(cases), case, rows[-1], options, time.perf_counter() - start)
        except KeyboardInterrupt:
            race.problems.append(f"interrupted after {len(rows)} of {len(cases)} cases")
    return {
        "title": title,
        "machine": machine,
        "warnings": warnings,
        "libraries": race.libraries,
        "settings": {
            "backend": options.backend,
            "dtype": options.dtype,
            "tf32": options.tf32,
            "threads": settings.threads,
            "rounds": settings.rounds,
            "turn": settings.turn,
            "settle": settings.settle,
            "tolerance": settings.tolerance,
            "statistic": options.statistic,
            "quick": options.quick,
        },
        "problems": race.problems,
        "rows": rows,
    }


def _say(
    number: int,
    total: int,
    case: Case,
    row: dict[str, Any],
    options: argparse.Namespace,
    took: float,
) -> None:
    """One line a case, while it runs."""
    ours = seconds(row, OURS, options.statistic)
    ratio = speed(row, BETTER, options.statistic)
    text = f"[{number}/{total}] {describe(case)}"
    if ours is not None:
        text += f": {ours * 1000:.3g} ms"
    if ratio is not None:
        text += f", ×{ratio:.2f} PyTorch's better layout"
    print(f"{text} ({took:.0f} s)", file=sys.stderr, flush=True)


def _write(name: str, report: dict[str, Any], text: str, options: argparse.Namespace) -> None:
    stem = RESULTS / f"{name}-{report['settings']['backend'].replace(':', '-')}"
    keep = not (options.quick or options.render or options.cases)
    paths = {
        kind: getattr(options, kind) or (stem.with_suffix(suffix) if keep else None)
        for kind, suffix in (("markdown", ".md"), ("json", ".json"), ("plot", ".png"))
    }
    for kind, path in paths.items():
        if path is None:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "markdown":
            path.write_text(text)
        elif kind == "json":
            path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        elif not plot(report, path):
            print("no plot: it needs xpconv and PyTorch", file=sys.stderr)
            continue
        print(f"wrote {path}", file=sys.stderr)
