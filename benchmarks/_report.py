"""A run as Markdown: what it ran on, every row, then the means and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _roofline, _trend
from ._markdown import number, ratio, table
from ._report_host import HOST_NOTE, host
from ._report_memory import MEMORY_NOTE, memory
from ._statistics import BETTER, TITLES, label, mode_of, seconds, speed
from ._summary import own_columns, summary

Report = dict[str, Any]  # what the JSON file holds
Row = dict[str, Any]


def markdown(report: Report) -> str:
    parts = [f"# {report['title']}", *_machine(report), *_how(report)]
    timed = [row for row in report["rows"] if row["times"] or row["notes"]]
    for mode in dict.fromkeys(map(mode_of, timed)):
        rows = [row for row in timed if mode_of(row) == mode]
        parts += [f"## {mode.capitalize()}", _times(report, rows)]
    if any(row.get("host") for row in report["rows"]):
        parts += ["## Host and throughput", HOST_NOTE, host(report)]
    if any(row.get("memory") for row in report["rows"]):
        parts += ["## Peak extra memory", MEMORY_NOTE, memory(report)]
    if timed:
        parts += ["## Summary", summary(report)]
    parts += filter(None, [_trend.markdown(report), _roofline.markdown(report)])
    if report["problems"]:
        parts += ["## What went wrong", "\n".join(f"- {text}" for text in report["problems"])]
    return "\n\n".join(parts) + "\n"


def _machine(report: Report) -> list[str]:
    facts = [[name, value] for name, value in report["machine"].items()]
    facts += [
        [TITLES[key], ", ".join(f"{name} {value}" for name, value in said.items() if value)]
        for key, said in report["libraries"].items()
    ]
    warnings = [f"**Warning:** {text}" for text in report.get("warnings", [])]
    return [table(["machine", ""], facts), *warnings]


def _how(report: Report) -> list[str]:
    settings = report["settings"]
    other = "median" if settings["statistic"] == "minimum" else "minimum"
    text = (
        f"{settings['dtype']}, {settings['threads']} threads, {settings['rounds']} rounds. Times "
        f"are milliseconds, {settings['statistic']} over the rounds with the {other} in "
        "brackets; ×N is the other's time over xpconv's, so above 1 xpconv is faster. PyTorch's "
        "better layout is the faster one in each row."
    )
    if any("scipy" in row["times"] for row in report["rows"]):
        text += (
            " SciPy's loops run one image; ≈ marks a time that is scaled from one image to the "
            "batch, and a dash a layer that they cannot do or that takes them too long."
        )
    return [text]


def _times(report: Report, rows: Sequence[Row]) -> str:
    statistic = report["settings"]["statistic"]
    keys = [key for key in TITLES if any(_told(row, key) for row in rows)]
    own = [
        key
        for key in own_columns(report)
        if any(speed(row, BETTER, statistic, key) is not None for row in rows)
    ]
    ratios = ["× better layout" + ("" if key == own[0] else f": {TITLES[key]}") for key in own]
    lines = []
    for row in rows:
        line = [label(row), *(_time(report, row, key) for key in keys)]
        line += [ratio(speed(row, BETTER, statistic, key)) for key in own]
        lines.append(line)
    return table(["case", *(TITLES[key] for key in keys), *ratios], lines)


def _told(row: Row, key: str) -> bool:
    """Whether a column has something to say about a row; what it cannot do is a dash."""
    return key in row["times"] or row["notes"].get(key) in ("failed", "wrong")


def _time(report: Report, row: Row, key: str) -> str:
    statistic = report["settings"]["statistic"]
    value = seconds(row, key, statistic)
    if value is None:
        return row["notes"][key] if _told(row, key) else "-"
    other = seconds(row, key, "median" if statistic == "minimum" else "minimum")
    mark = "≈ " if row["times"][key]["scale"] > 1 else ""
    return f"{mark}{number(value * 1000)} ({number((other or 0.0) * 1000)})"
