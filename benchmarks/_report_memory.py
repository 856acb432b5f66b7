"""Peak memory as Markdown."""

from __future__ import annotations

from typing import Any

from ._markdown import number, ratio, table
from ._statistics import CHANNELS_LAST, DEFAULT, OURS, TITLES, label, mode_of

Report = dict[str, Any]
Row = dict[str, Any]
MIB = 2**20

MEMORY_NOTE = (
    "MiB that the first call takes beyond what was held before it, results included: the peak of "
    "the resident set in a fresh process on a CPU (to about 1 MiB), of the allocator on a GPU. In "
    "brackets what NumPy itself allocated, where it tells. The ratio is xpconv's peak over the "
    "lower of PyTorch's two: at most 1 is as little."
)


def memory(report: Report) -> str:
    keys = [key for key in TITLES if any(key in row.get("memory", {}) for row in report["rows"])]
    lines, ratios = [], []
    for row in report["rows"]:
        if row.get("memory"):
            cells = [_text(key, row["memory"].get(key)) for key in keys]
            name, value = f"{label(row)}, {mode_of(row)}", against_pytorch(row)
            lines.append([name, *cells, ratio(value)])
            ratios += [] if value is None else [(value, name)]
    text = table(["case", *(TITLES[key] for key in keys), "xpconv / PyTorch's lower"], lines)
    if ratios:
        most, name = max(ratios)
        text += f"\n\nLargest ratio: {ratio(most)} ({name})."
    return text


def peak(row: Row, key: str) -> int | None:
    """Bytes by the meter that sees every allocation of that library alike."""
    peaks = row.get("memory", {}).get(key) or {}
    value: int | None = peaks.get("device", peaks.get("resident"))
    return value


def against_pytorch(row: Row) -> float | None:
    """xpconv's peak over the lower of PyTorch's two."""
    ours = peak(row, OURS)
    theirs = [found for key in (DEFAULT, CHANNELS_LAST) if (found := peak(row, key))]
    return ours / min(theirs) if ours is not None and theirs else None


def _text(key: str, peaks: dict[str, int] | None) -> str:
    if not peaks:
        return "-"
    main = peaks.get("device", peaks.get("resident"))
    text = "-" if main is None else number(main / MIB)
    if key.startswith("xpconv") and "traced" in peaks:
        text += f" ({number(peaks['traced'] / MIB)})"
    return text
