"""Whether cost grows with the work: each point of a sweep against the trend of all its points.

The trend is a cost that grows as it should, ``a + b * batch``, ``a + b * pixels`` or
``a + b * channels + c * channels**2``, with no negative coefficient, fitted to a sweep's times by
least squares of the relative errors. A point's ratio is its time over the trend there: a cliff is
a ratio far above 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ._markdown import ratio, table
from ._statistics import TITLES, label, seconds

Report = dict[str, Any]
Row = dict[str, Any]
SWEEPS = {"batch": "batch", "image": "image size", "channels": "channels"}
ACCEPTED = 1.3

NOTE = (
    "The trend of a sweep is `a + b·batch`, `a + b·pixels` or `a + b·channels + c·channels²`, no "
    "coefficient below zero, fitted to its times by least squares of the relative errors. The "
    "table has, for each sweep, the largest ratio of a time to the trend there, and where it is. "
    f"Up to {ACCEPTED} no cliff is spoken of."
)


@dataclass(frozen=True)
class Trend:
    """One sweep of one column: its sizes, its times and what the trend says there."""

    group: str
    threads: int
    key: str
    sizes: tuple[int, ...]
    times: tuple[float, ...]
    fitted: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def worst(self) -> tuple[float, str]:
        """The largest ratio to the trend, and its point."""
        ratios = (time / fit for time, fit in zip(self.times, self.fitted, strict=True))
        return max(zip(ratios, self.labels, strict=True))


def size_of(row: Row) -> int:
    """What a sweep varies: images, the side of an image, or channels."""
    case = row["case"]
    field = {"batch": "batch", "image": "size", "channels": "in_channels"}[case["group"]]
    return int(case[field])


def terms(group: str, size: int) -> tuple[float, ...]:
    """What the cost of a size is made of."""
    if group == "channels":
        return 1.0, float(size), float(size) ** 2
    return 1.0, float(size) ** (2 if group == "image" else 1)


def fit(matrix: Sequence[Sequence[float]], times: Sequence[float]) -> list[float]:
    """The trend at each point: the best sum of terms none of which is taken away.

    With two or three terms every choice of them can be tried.
    """
    scaled = np.asarray(matrix) / np.asarray(times)[:, None]  # relative errors
    best, found = np.inf, np.zeros(scaled.shape[1])
    for count in range(1, scaled.shape[1] + 1):
        for chosen in map(list, combinations(range(scaled.shape[1]), count)):
            part = scaled[:, chosen]
            size = np.abs(part).max(axis=0)
            coefficients = np.linalg.lstsq(part / size, np.ones(len(part)))[0] / size
            error = float(np.sum((part @ coefficients - 1) ** 2))
            if error < best and coefficients.min() >= 0:
                best, found = error, np.zeros(scaled.shape[1])
                found[chosen] = coefficients
    return list(np.asarray(matrix) @ found)


def trends(report: Report) -> list[Trend]:
    """Every sweep of every column that has more points than its trend has terms."""
    statistic, found = report["settings"]["statistic"], []
    rows = [row for row in report["rows"] if row["case"]["group"] in SWEEPS]
    sweeps = dict.fromkeys(
        (row["case"]["group"], row.get("threads", report["settings"]["threads"])) for row in rows
    )
    for group, threads in sweeps:
        of = [
            row
            for row in rows
            if row["case"]["group"] == group and row.get("threads", threads) == threads
        ]
        for key in TITLES:
            timed = [(row, time) for row in of if (time := seconds(row, key, statistic))]
            timed.sort(key=lambda pair: size_of(pair[0]))
            sizes = tuple(size_of(row) for row, _ in timed)
            matrix = [terms(group, size) for size in sizes]
            if matrix and len(matrix) > len(matrix[0]):
                times = tuple(time for _, time in timed)
                labels = tuple(label(row) for row, _ in timed)
                fitted = tuple(fit(matrix, times))
                found.append(Trend(group, threads, key, sizes, times, fitted, labels))
    return found


def markdown(report: Report) -> str:
    """The largest ratio of each sweep and column, and where it is; nothing without sweeps."""
    found = {(it.group, it.threads, it.key): it.worst for it in trends(report)}
    if not found:
        return ""
    keys = [key for key in TITLES if any(key == it[2] for it in found)]
    lines = []
    for group, threads in dict.fromkeys(it[:2] for it in found):
        cells = [found.get((group, threads, key)) for key in keys]
        lines.append(
            [
                f"{SWEEPS[group]}, threads: {threads}",
                *(f"{ratio(cell[0])} ({cell[1]})" if cell else "-" for cell in cells),
            ]
        )
    return f"## Trend\n\n{NOTE}\n\n" + table(["sweep", *(TITLES[key] for key in keys)], lines)
