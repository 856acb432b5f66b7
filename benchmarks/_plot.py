"""The picture of a run: how many times PyTorch's speed, a line a layer or network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._statistics import BETTER, DEFAULT, TITLES, mode_of, speed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]

SHADES = ("#9ecae1", "#3182bd", "#08306b", "#5e3c99", "#b2182b")  # light to dark, small to large
INK, GREY, PALE = "#26323a", "#66737c", "#c9d1d6"
# xpconv's other columns, in the colour of their row: compiled for its shape, fused, without Numba.
OTHERS = {"xpconv-compiled": "D", "xpconv-fused": "s", "xpconv-graphs": "P", "xpconv-portable": "^"}
FASTER, SLOWER = "#eef7ee", "#fbf1ee"


def plot(report: dict[str, Any], path: Path) -> bool:
    """Draw `report` into `path`; False when there is no ratio to draw."""
    statistic = report["settings"]["statistic"]
    rows = [row for row in report["rows"] if speed(row, BETTER, statistic) is not None]
    if not rows:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    modes = list(dict.fromkeys(mode_of(row) for row in rows))
    names = list(dict.fromkeys(row["case"]["name"] for row in rows))
    height = 2.2 + 0.42 * len(names)
    figure, axes = pyplot.subplots(
        1, len(modes), sharey=True, squeeze=False, figsize=(4.6 * len(modes) + 2.6, height)
    )
    limits = _limits(rows, statistic)
    for axis, mode in zip(axes[0], modes, strict=True):
        chosen = [row for row in rows if mode_of(row) == mode]
        _panel(axis, chosen, names, limits, statistic)
        axis.set_title(mode, fontsize=11, color=INK, pad=8)
    title = {"fontsize": 13, "color": INK, "weight": "bold", "va": "top"}
    figure.text(0.02, 1 - 0.12 / height, report["title"], **title)
    _legend(figure, rows, 1 - 0.33 / height)
    figure.text(0.02, 0.1 / height, caption(report), fontsize=7.5, color=GREY, va="bottom")
    figure.tight_layout(rect=(0, 0.55 / height, 1, 1 - 0.6 / height))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    pyplot.close(figure)
    return True


def _limits(rows: Sequence[Row], statistic: str) -> tuple[float, float]:
    """Whole powers of two around every ratio, the same for all panels."""
    values = [speed(row, key, statistic) for row in rows for key in (BETTER, DEFAULT)]
    values += [speed(row, BETTER, statistic, of) for row in rows for of in OTHERS]
    ratios = [math.log2(value) for value in values if value]
    return 2.0 ** math.floor(min(*ratios, -1) - 0.15), 2.0 ** math.ceil(max(*ratios, 1) + 0.15)


def _panel(
    axis: Axes,
    rows: Sequence[Row],
    names: Sequence[str],
    limits: tuple[float, float],
    statistic: str,
) -> None:
    batches = _batches(rows)
    for row in rows:
        batch = row["case"]["batch"]
        offset = 0.0
        if rows[0]["case"]["kind"] == "layer" and len(batches) > 1:
            offset = (batches.index(batch) / (len(batches) - 1) - 0.5) * 0.5
        y = names.index(row["case"]["name"]) + offset
        better, default = speed(row, BETTER, statistic), speed(row, DEFAULT, statistic)
        colour = _colour(row, batches)
        if better is not None and default is not None:
            axis.plot([better, default], [y, y], color=colour, lw=1, alpha=0.6, zorder=2)
            axis.plot([default], [y], "o", ms=4.5, mfc="white", mec=colour, mew=1.1, zorder=3)
        if better is not None:
            axis.plot([better], [y], "o", ms=6, color=colour, zorder=4)
        for key, mark in OTHERS.items():
            other = speed(row, BETTER, statistic, key)
            if other is not None:
                axis.plot([other], [y], mark, ms=4, mfc="white", mec=colour, mew=0.9, zorder=3)
    axis.set_xscale("log", base=2)
    axis.set_xlim(*limits)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.axvspan(limits[0], 1, color=SLOWER, zorder=0)
    axis.axvspan(1, limits[1], color=FASTER, zorder=0)
    for stripe in range(0, len(names), 2):
        axis.axhspan(stripe - 0.5, stripe + 0.5, color=INK, alpha=0.035, lw=0, zorder=0.5)
    axis.axvline(1, color=INK, lw=1, zorder=1)
    axis.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    powers = range(round(math.log2(limits[0])), round(math.log2(limits[1])) + 1)
    axis.set_xticks([2.0**power for power in powers], [_tick(power) for power in powers])
    axis.minorticks_off()
    axis.tick_params(length=0, labelsize=9, colors=INK)
    axis.grid(axis="x", color=PALE, lw=0.6, zorder=1)
    axis.set_axisbelow(True)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_xlabel("times PyTorch's speed", fontsize=9, color=INK)


def _batches(rows: Sequence[Row]) -> list[int]:
    return sorted({row["case"]["batch"] for row in rows})


def _colour(row: Row, batches: Sequence[int]) -> str:
    """A shade a batch size; networks, which name their batch, have one shade."""
    if row["case"]["kind"] == "training" or len(batches) == 1:
        return SHADES[1]
    return SHADES[min(batches.index(row["case"]["batch"]), len(SHADES) - 1)]


def _tick(power: int) -> str:
    return f"{2**power}×" if power >= 0 else f"1/{2**-power}"


def _legend(figure: Figure, rows: Sequence[Row], top: float) -> None:
    from matplotlib.lines import Line2D

    def dot(colour: str, text: str, filled: bool = True, mark: str = "o") -> Line2D:
        face = colour if filled else "white"
        return Line2D([], [], ls="", marker=mark, mfc=face, mec=colour, ms=6, label=text)

    batches = _batches(rows)
    entries = []
    if rows[0]["case"]["kind"] == "layer":
        entries = [dot(_colour(row, batches), f"batch {batch}") for batch, row in _first(rows)]
    entries += [
        dot(GREY, "against its better layout"),
        dot(GREY, "against its default, NCHW", filled=False),
    ]
    entries += [
        dot(GREY, TITLES[key], filled=False, mark=mark)
        for key, mark in OTHERS.items()
        if any(key in row["times"] for row in rows)
    ]
    figure.legend(
        handles=entries,
        loc="upper left",
        ncols=len(entries),
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
        handletextpad=0.2,
        columnspacing=1.2,
        borderpad=0,
        bbox_to_anchor=(0.02, top),
    )


def _first(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Each batch size with one of its rows."""
    return sorted({row["case"]["batch"]: row for row in rows}.items(), key=lambda item: item[0])


def caption(report: dict[str, Any]) -> str:
    machine, settings = report["machine"], report["settings"]
    return (
        f"{machine['processor']}, {settings['threads']} threads, {settings['dtype']}\n"
        f"{machine['libraries']}\n"
        f"{settings['statistic']} of {settings['rounds']} alternating rounds, {machine['date']}"
    )
