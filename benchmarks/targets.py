"""What was aimed at on a CPU, and what the committed runs show: ``python -m benchmarks.targets``.

Reads the JSON files of the other commands and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._cases import INFERENCE, STEP
from ._columns import COMPILED, PORTABLE
from ._markdown import number, ratio, table
from ._report_memory import against_pytorch
from ._statistics import BETTER, OURS, label, mode_of, speed
from ._trend import ACCEPTED, trends
from .startup import LIMIT, RESULTS

Report = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One target: what was asked for, what was found, where it was worst, and whether it holds."""

    what: str
    asked: str
    found: str
    worst: str
    holds: bool


def speeds(
    report: Report, what: str, asked: float, worst: float = 0.0, of: str = OURS, **wanted: str
) -> Line | None:
    """Times PyTorch's speed in its better layout, over the rows whose case is as wanted."""
    statistic = report["settings"]["statistic"]
    found = [
        (value, label(row))
        for row in report["rows"]
        if all(mode_of(row) == v if k == "mode" else row["case"][k] == v for k, v in wanted.items())
        if (value := speed(row, BETTER, statistic, of)) is not None
    ]
    if not found:
        return None
    mean = math.exp(math.fsum(math.log(value) for value, _ in found) / len(found))
    lowest, name = min(found)
    least = f"{asked}" + (f", worst {worst}" if worst else "")
    holds = mean >= asked and lowest >= worst
    return Line(
        f"{what} ({len(found)} rows)", least, ratio(mean), f"{ratio(lowest)} ({name})", holds
    )


def memory(report: Report) -> Line | None:
    """Peak memory of training steps over that of PyTorch's lower layout."""
    rows = [row for row in report["rows"] if mode_of(row) == STEP]
    found = [(value, label(row)) for row in rows if (value := against_pytorch(row)) is not None]
    if not found:
        return None
    most, name = max(found)
    text = f"{ratio(most)} ({name})"
    what = "peak extra memory of a training step, over PyTorch's"
    return Line(what, "at most 1", ratio(most), text, most <= 1)


def importing(report: Report) -> Line | None:
    times = report["imports"].get("import xpconv", {}).get("import")
    if not times:
        return None
    found = f"{number(min(times))} s"
    return Line("`import xpconv`", f"under {LIMIT} s", found, "-", min(times) < LIMIT)


def trend(report: Report) -> Line | None:
    found = [it.worst for it in trends(report) if it.key == OURS]
    if not found:
        return None
    most, name = max(found)
    what = "largest ratio of a time to the trend of its sweep"
    return Line(
        what, f"at most {ACCEPTED}", ratio(most), f"{ratio(most)} ({name})", most <= ACCEPTED
    )


Judge = Callable[[Report], Line | None]


def _speeds(what: str, asked: float, worst: float = 0.0, of: str = OURS, **wanted: str) -> Judge:
    return lambda report: speeds(report, what, asked, worst, of, **wanted)


BOTH = "forward+backward"
TARGETS: tuple[tuple[str, Judge], ...] = (
    ("layers-numpy", _speeds("layers, forward", 1.0, 0.6, mode="forward")),
    ("layers-numpy", _speeds("layers, forward and backward", 1.0, 0.6, mode=BOTH)),
    ("training-numpy", _speeds("training steps of networks", 1.0, group="large")),
    ("training-numpy", _speeds("training steps of small problems", 0.5, group="small")),
    ("networks-numpy", _speeds("inference, compiled for its shape", 1.0, of=COMPILED)),
    ("networks-numpy", _speeds("inference, the model as it is", 1.0, mode=INFERENCE)),
    ("layers-numpy", _speeds("without Numba: forward", 0.7, of=PORTABLE, mode="forward")),
    ("layers-numpy", _speeds("without Numba: forward and backward", 0.7, of=PORTABLE, mode=BOTH)),
    ("training-numpy", _speeds("without Numba: training steps", 0.7, of=PORTABLE, group="large")),
    ("memory-numpy", memory),
    ("startup", importing),
    ("scaling-numpy", trend),
)
NOTE = (
    "×N is the time of PyTorch's better layout over xpconv's, geometric mean over all rows of the "
    "run: above 1 xpconv is faster."
)


def judge(folder: Path) -> tuple[list[Line], list[str]]:
    """Hold every target against the run that it belongs to; and the runs that are not there."""
    reports: dict[str, Report] = {}
    missing = []
    for name in dict.fromkeys(name for name, _ in TARGETS):
        path = folder / f"{name}.json"
        if path.exists():
            reports[name] = json.loads(path.read_text())
        else:
            missing.append(path.name)
    found = (one(reports[name]) for name, one in TARGETS if name in reports)
    return [line for line in found if line is not None], missing


def markdown(lines: Iterable[Line], missing: Iterable[str]) -> str:
    rows = [
        [it.what, it.asked, it.found, it.worst, "yes" if it.holds else "**no**"] for it in lines
    ]
    parts = ["# Targets", NOTE, table(["what", "asked", "found", "worst", "holds"], rows)]
    absent = ", ".join(missing)
    return "\n\n".join([*parts, *([f"Not measured: {absent}."] if absent else [])]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.targets",
        description="Hold the runs under benchmarks/results/ against what was aimed at.",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--markdown", type=Path, metavar="FILE.md")
    options = parser.parse_args(arguments)
    text = markdown(*judge(options.results))
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
