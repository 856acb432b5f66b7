"""From rows to figures: times, ratios to PyTorch, geometric means and worst cases."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

OURS = "xpconv"
DEFAULT, CHANNELS_LAST = "torch", "torch-channels-last"
BETTER = "better"  # of PyTorch's two layouts

TITLES = {
    OURS: "xpconv",
    "xpconv-compiled": "xpconv, compiled for its shape",
    "xpconv-fused": "xpconv, fused",
    "xpconv-graphs": "xpconv, CUDA graphs",
    "xpconv-portable": "xpconv without Numba",
    "xpconv-nchw": "xpconv, NCHW memory",
    DEFAULT: "PyTorch",
    CHANNELS_LAST: "PyTorch channels_last",
    "jax": "JAX",
    "im2col": "NumPy im2col",
    "scipy": "SciPy loops",
    BETTER: "PyTorch's better layout",
}


def seconds(row: Row, key: str, statistic: str) -> float | None:
    """Seconds of one call: over all rounds the minimum, or the median of the rounds' medians."""
    if key == BETTER:
        times = [seconds(row, layout, statistic) for layout in (DEFAULT, CHANNELS_LAST)]
        return min((value for value in times if value is not None), default=None)
    timing = row["times"].get(key)
    if timing is None:
        return None
    reduce = min if statistic == "minimum" else statistics.median
    return float(reduce(turn[statistic] for turn in timing["turns"]) * timing["scale"])


def speed(row: Row, against: str, statistic: str, of: str = OURS) -> float | None:
    """Times the speed of the other: above 1, xpconv (in the column `of`) is faster."""
    ours, theirs = seconds(row, of, statistic), seconds(row, against, statistic)
    return None if ours is None or theirs is None else theirs / ours


@dataclass(frozen=True)
class Summary:
    """One line of the summary: how a group of rows does against one peer."""

    group: str
    mode: str
    against: str
    count: int
    mean: float
    worst: float
    worst_name: str


def summarise(
    rows: Sequence[Row],
    groups: Iterable[tuple[str, Callable[[Row], bool]]],
    peers: Sequence[str],
    statistic: str,
    of: str = OURS,
) -> list[Summary]:
    """Geometric mean and worst row of every group, mode and peer that has any."""
    modes = list(dict.fromkeys(mode_of(row) for row in rows))
    found = []
    for title, belongs in groups:
        for mode in modes:
            for against in peers:
                ratios = [
                    (value, label(row))
                    for row in rows
                    if mode_of(row) == mode and belongs(row)
                    if (value := speed(row, against, statistic, of)) is not None
                ]
                if ratios:
                    mean = math.exp(statistics.fmean(math.log(value) for value, _ in ratios))
                    found.append(Summary(title, mode, against, len(ratios), mean, *min(ratios)))
    return found


def mode_of(row: Row) -> str:
    return str(row["case"].get("mode", "training step"))


def label(row: Row) -> str:
    """The case and its batch; networks carry the batch in their name."""
    case = row["case"]
    name = case["name"] if case["kind"] == "training" else f"{case['name']}, batch {case['batch']}"
    threads = row.get("threads")
    return f"{name}, {threads} thread{'s' * (threads > 1)}" if threads else str(name)
