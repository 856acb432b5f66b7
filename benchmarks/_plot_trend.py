"""The picture of sweeps: time over size, with the trend that it should follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._columns import MAIN
from ._plot import GREY, INK, PALE, SHADES, caption
from ._statistics import OURS, TITLES
from ._trend import SWEEPS, trends

COLOURS = dict(zip(MAIN, (SHADES[2], SHADES[4], "#e08214"), strict=True))


def plot(report: dict[str, Any], path: Path) -> bool:
    """Draw the sweeps of `report` into `path`; False when there is none."""
    found = [it for it in trends(report) if it.key in COLOURS]
    if not found:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = [group for group in SWEEPS if any(it.group == group for it in found)]
    most = max(it.threads for it in found)
    figure, axes = pyplot.subplots(
        1, len(groups), squeeze=False, figsize=(4.2 * len(groups) + 0.8, 4.6)
    )
    for axis, group in zip(axes[0], groups, strict=True):
        for it in found:
            if it.group != group:
                continue
            style = {"color": COLOURS[it.key], "alpha": 1.0 if it.threads == most else 0.45}
            milliseconds = [time * 1000 for time in it.times]
            name = f"{TITLES[it.key]}, threads: {it.threads}"
            axis.plot(it.sizes, milliseconds, "o", ms=4, label=name, zorder=3, **style)
            if it.key == OURS:
                trend = [time * 1000 for time in it.fitted]
                axis.plot(it.sizes, trend, "-", lw=1, zorder=2, **style)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        sizes = sorted({size for it in found if it.group == group for size in it.sizes})
        axis.set_xticks(sizes[:: max(1, len(sizes) // 6)])
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_formatter(lambda value, _: f"{value:g}")
        axis.minorticks_off()
        axis.set_xlabel(SWEEPS[group], fontsize=9, color=INK)
        axis.grid(color=PALE, lw=0.6)
        axis.tick_params(length=0, labelsize=8.5, colors=INK)
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0][0].set_ylabel("ms, forward + backward; line: xpconv's trend", fontsize=9, color=INK)
    figure.suptitle(report["title"], x=0.02, ha="left", fontsize=13, color=INK, weight="bold")
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="upper left",
        ncols=min(3, len(groups)),
        fontsize=8,
        frameon=False,
        bbox_to_anchor=(0.01, 0.94),
    )
    figure.text(0.02, 0.01, caption(report), fontsize=7.5, color=GREY, va="bottom")
    figure.tight_layout(rect=(0, 0.1, 1, 0.86))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    pyplot.close(figure)
    return True
