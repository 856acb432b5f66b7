"""How near each layer comes to what the machine can do: products a second, bytes a second.

Peaks are measured beside the layers: the largest product and the largest copy that NumPy or
PyTorch manages. A layer's roof is the lower of the peak of products and of what its operands'
bytes, each moved once, allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._cases import LayerCase, from_json
from ._markdown import number, table
from ._process import CannotRun, PeerSpec, Worker, WorkerError
from ._statistics import BETTER, OURS, label, mode_of, seconds

Report = dict[str, Any]
Row = dict[str, Any]
Peaks = dict[str, float]

NOTE = (
    "GFLOP/s count the direct method's operations, so Winograd may pass the peak; GB/s count every "
    "operand and result once, so layers that stay in the cache may pass the memory's. The roof is "
    "min(peak GFLOP/s, operations for each byte × peak GB/s); % is of the roof."
)


@dataclass(frozen=True)
class Point:
    """A layer's place under the roof."""

    name: str
    mode: str
    intensity: float  # operations for each byte
    rate: float  # operations a second
    bandwidth: float  # bytes a second
    roof: float  # operations a second

    @property
    def share(self) -> float:
        return self.rate / self.roof


def measure(specs: Sequence[PeerSpec], threads: int) -> dict[str, Peaks]:
    """Peaks for each number of threads: the best that a library with products of its own reaches.

    A fresh process each, since a library's number of threads is set when it starts.
    """
    found: dict[str, Peaks] = {}
    for count in range(1, threads + 1):
        best: Peaks = {}
        for spec in specs:
            try:
                with Worker(spec, count) as worker:
                    peaks: Peaks = worker.ask("peaks")
            except (CannotRun, WorkerError):
                continue
            best = {name: max(best.get(name, 0.0), value) for name, value in peaks.items()}
        if best:
            found[str(count)] = best
    return found


def points(report: Report, key: str) -> list[Point]:
    """Every layer that a column has timed."""
    peaks = report["peaks"][str(report["settings"]["threads"])]
    found = []
    for row in report["rows"]:
        case = from_json(row["case"])
        time = seconds(row, key, report["settings"]["statistic"])
        if time and isinstance(case, LayerCase):
            intensity = case.flops / case.bytes
            roof = min(peaks["flops"], intensity * peaks["bytes"])
            point = (intensity, case.flops / time, case.bytes / time, roof)
            found.append(Point(label(row), mode_of(row), *point))
    return found


def markdown(report: Report) -> str:
    """Peaks, and each layer under its roof; nothing where no peaks were measured."""
    if not report.get("peaks"):
        return ""
    lines = [
        [count, number(peaks["flops"] / 1e9), number(peaks["bytes"] / 1e9)]
        for count, peaks in report["peaks"].items()
    ]
    text = ["## Roofline", NOTE, table(["threads", "peak GFLOP/s", "peak GB/s"], lines)]
    theirs = {(it.name, it.mode): it.share for it in points(report, BETTER)}
    rows = []
    for it in points(report, OURS):
        other = theirs.get((it.name, it.mode))
        rates = [it.rate / 1e9, it.bandwidth / 1e9, it.intensity, it.roof / 1e9]
        shares = [f"{it.share:.0%}", "-" if other is None else f"{other:.0%}"]
        rows.append([f"{it.name}, {it.mode}", *map(number, rates), *shares])
    header = ["layer", "GFLOP/s", "GB/s", "FLOP/byte", "roof GFLOP/s", "%", "PyTorch, %"]
    return "\n\n".join([*text, table(header, rows)])
