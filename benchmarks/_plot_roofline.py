"""The roofline's picture: every layer under what the machine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._plot import GREY, INK, PALE, SHADES, caption
from ._roofline import points
from ._statistics import BETTER, OURS, TITLES


def plot(report: dict[str, Any], path: Path) -> bool:
    """Draw the layers of `report` into `path`; False without peaks or layers."""
    ours = points(report, OURS) if report.get("peaks") else []
    if not ours:
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    series = [(OURS, ours, "o", SHADES[2]), (BETTER, points(report, BETTER), "x", SHADES[4])]
    modes = list(dict.fromkeys(point.mode for point in ours))
    figure, axes = pyplot.subplots(
        1, len(modes), sharey=True, squeeze=False, figsize=(4.8 * len(modes) + 0.8, 5)
    )
    far = [point.intensity for point in ours]
    ridges = [peaks["flops"] / peaks["bytes"] for peaks in report["peaks"].values()]
    ends = [min(*far, *ridges) / 2, max(*far, *ridges) * 1.5]
    for axis, mode in zip(axes[0], modes, strict=True):
        for count, peaks in report["peaks"].items():
            ridge = peaks["flops"] / peaks["bytes"]
            across = sorted({ends[0], ends[1], min(max(ridge, ends[0]), ends[1])})
            roof = [min(peaks["flops"], x * peaks["bytes"]) / 1e9 for x in across]
            axis.plot(across, roof, "-", color=INK, lw=1.2, zorder=1)
            words = {"fontsize": 8, "color": INK, "ha": "right", "va": "bottom"}
            axis.text(ends[1], roof[-1], f"threads: {count} ", **words)
        for key, found, mark, colour in series:
            here = [point for point in found if point.mode == mode]
            axis.plot(
                [point.intensity for point in here],
                [point.rate / 1e9 for point in here],
                mark,
                ms=4.5,
                color=colour,
                label=TITLES[key],
                zorder=3,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_title(mode, fontsize=11, color=INK)
        axis.set_xlabel("operations for each byte of operands and results", fontsize=9, color=INK)
        axis.grid(color=PALE, lw=0.6)
        axis.tick_params(length=0, labelsize=8.5, colors=INK)
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0][0].set_ylabel("GFLOP/s", fontsize=9, color=INK)
    axes[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.suptitle("Roofline", x=0.02, ha="left", fontsize=13, color=INK, weight="bold")
    figure.text(0.02, 0.01, caption(report), fontsize=7.5, color=GREY, va="bottom")
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    pyplot.close(figure)
    return True
