"""What the commands share: the run, and the files that it leaves."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from . import _machine, _roofline
from ._cases import Case
from ._columns import on_gpu as on_gpu, peers
from ._measure import Race, Settings, describe, untimed
from ._options import TOLERANCES, parser as parser
from ._plot import plot
from ._process import ROOT
from ._report import markdown
from ._statistics import BETTER, OURS, seconds, speed

RESULTS = ROOT / "benchmarks" / "results"
TF32_TOLERANCE = 3e-2
NARROWING = ("cases", "peers", "batches", "modes", "threads")  # options of runs that are not full
Plot = Callable[[dict[str, Any], Path], bool]


def run(
    name: str,
    title: str,
    cases: Sequence[Case],
    options: argparse.Namespace,
    *,
    threads: Sequence[int] = (),
    plots: Mapping[str, Plot] = MappingProxyType({"": plot}),
) -> int:
    """Measure, or read an earlier run, and write the reports; returns the exit status.

    With several numbers of `threads` every case is measured with each. `plots` draw the report,
    each into a file of its own: a suffix of the name, and what draws.
    """
    if options.list:
        print("\n".join(describe(case) for case in cases))
        return 0
    if options.render:
        report = json.loads(options.render.read_text())
    else:
        report = _measure(title, cases, options, threads)
    text = markdown(report)
    print(text)
    _write(name, report, text, options, plots)
    for said in [*report.get("warnings", []), *report["problems"]]:
        print(said, file=sys.stderr)
    return 1 if report["problems"] else 0


def _measure(
    title: str, cases: Sequence[Case], options: argparse.Namespace, threads: Sequence[int]
) -> dict[str, Any]:
    counts = [options.threads] if options.threads else threads or [_machine.cores()]
    settings = Settings(
        threads=max(counts),
        rounds=options.rounds or (2 if options.quick else options.usual_rounds),
        turn=options.turn or (0.01 if options.quick else 0.05),
        settle=0.0 if on_gpu(options) else Settings.settle,
        tolerance=max(TOLERANCES[options.dtype], TF32_TOLERANCE if options.tf32 else 0.0),
    )
    machine, warnings = _machine.describe(), _machine.warnings()
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    begun = time.perf_counter()
    report: dict[str, Any] = {
        "title": title,
        "machine": machine,
        "warnings": warnings,
        "libraries": {},
        "settings": {
            "backend": options.backend,
            "dtype": options.dtype,
            "tf32": options.tf32,
            **asdict(settings),
            "statistic": options.statistic,
            "quick": options.quick,
        },
        "problems": [],
        "rows": [],
    }
    if options.roofline and not on_gpu(options) and options.dtype == "float32":
        products = [spec for spec in peers(options) if spec.key in ("torch", "im2col")]
        report["peaks"] = _roofline.measure(products, max(counts))
    for count in counts:
        with Race(peers(options), replace(settings, threads=count)) as race:
            for row in _rows(race, cases, options):
                report["rows"].append(row | ({"threads": count} if len(counts) > 1 else {}))
            report["libraries"] |= race.libraries
            report["problems"] += race.problems
    machine["minutes taken"] = f"{(time.perf_counter() - begun) / 60:.1f}"
    return report


def _rows(
    race: Race, cases: Sequence[Case], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """What one race finds out about each case, said while it runs."""
    weigh = options.memory or on_gpu(options) or not options.timed
    for number, case in enumerate(cases, start=1):
        start = time.perf_counter()
        try:
            row = race.row(case) if options.timed else untimed(case)
            if weigh and not (options.quick and number < len(cases)):
                row["memory"] = race.memory(case)
        except KeyboardInterrupt:
            race.problems.append(f"interrupted after {number - 1} of {len(cases)} cases")
            return
        _say(number, len(cases), case, row, options, time.perf_counter() - start)
        yield row


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


def _write(
    name: str,
    report: dict[str, Any],
    text: str,
    options: argparse.Namespace,
    plots: Mapping[str, Plot],
) -> None:
    stem = RESULTS / f"{name}-{report['settings']['backend'].replace(':', '-')}"
    narrowed = any(getattr(options, name, None) for name in NARROWING)
    keep = not (options.quick or options.render or narrowed)
    paths: dict[str, Path | None] = {
        kind: getattr(options, kind) or (stem.with_suffix(suffix) if keep else None)
        for kind, suffix in (("markdown", ".md"), ("json", ".json"), ("plot", ".png"))
    }
    written = []
    for path, content in (
        (paths["markdown"], text),
        (paths["json"], _as_json(report)),
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            written.append(path)
    picture = paths["plot"]
    for suffix, draw in plots.items() if picture is not None else ():
        path = picture.with_stem(picture.stem + suffix)
        if draw(report, path):
            written.append(path)
        else:
            print(f"no {path.name}: it needs xpconv and PyTorch", file=sys.stderr)
    for path in written:
        print(f"wrote {path}", file=sys.stderr)


def _as_json(report: dict[str, Any]) -> str:
    """The report as JSON, a line a row."""
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in report["rows"])
    frame = json.dumps(report | {"rows": None}, indent=1, ensure_ascii=False)
    return frame.replace('"rows": null', f'"rows": [\n  {rows}\n ]') + "\n"
