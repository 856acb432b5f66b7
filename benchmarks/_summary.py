"""The figures that a run comes down to: geometric means and worst rows, as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._markdown import ratio, table
from ._statistics import (
    BETTER,
    CHANNELS_LAST,
    DEFAULT,
    OURS,
    TITLES,
    Summary,
    summarise,
)

Report = dict[str, Any]
Row = dict[str, Any]

GROUP_TITLES = {
    "table": "layer table",
    "lenet": "LeNet's layers",
    "depthwise": "depthwise and grouped",
    "other": "other shapes",
    "large": "networks",
    "small": "small problems",
    "imagenet": "ImageNet networks",
    "gpu": "networks for GPUs",
    "batch": "by batch",
    "image": "by image size",
    "channels": "by channels",
}


def groups(report: Report) -> list[tuple[str, Callable[[Row], bool]]]:
    """The selections that are summed up: all, each group, and the table at batch 16 and 64."""
    chosen: list[tuple[str, Callable[[Row], bool]]] = [("all rows", _member())]
    for name in dict.fromkeys(row["case"]["group"] for row in report["rows"]):
        chosen.append((GROUP_TITLES[name], _member(name)))
        if name == "table":
            chosen.append(("layer table, batch 16 and 64", _member(name, (16, 64))))
    return chosen


def _member(group: str = "", batches: tuple[int, ...] = ()) -> Callable[[Row], bool]:
    def belongs(row: Row) -> bool:
        case = row["case"]
        return (not group or case["group"] == group) and (not batches or case["batch"] in batches)

    return belongs


WORST_SHOWN = (BETTER, DEFAULT)  # the two bars
PEERS = (BETTER, DEFAULT, CHANNELS_LAST, "jax", "im2col", "scipy")


def summaries(report: Report, of: str = OURS) -> list[Summary]:
    """Every group and mode against every peer, for one of xpconv's own columns."""
    return summarise(report["rows"], groups(report), PEERS, report["settings"]["statistic"], of)


def summary(report: Report) -> str:
    found = {(it.group, it.mode, it.against): it for it in summaries(report)}
    if not found:
        return "No ratios: they need xpconv and a library to compare it with."
    peers = list(dict.fromkeys(against for _, _, against in found))
    header = ["rows", "mode", "n"]
    for peer in peers:
        header += [f"× {TITLES[peer]}"] + (["worst"] if peer in WORST_SHOWN else [])
    lines = []
    for group, mode in dict.fromkeys((group, mode) for group, mode, _ in found):
        line = [group, mode, str(found[group, mode, peers[0]].count)]
        for peer in peers:
            it = found.get((group, mode, peer))
            line.append(ratio(it.mean if it else None))
            if peer in WORST_SHOWN:
                line.append(f"{ratio(it.worst)} ({it.worst_name})" if it else "-")
        lines.append(line)
    text = "Geometric means, and the worst row of each.\n\n" + table(header, lines)
    others = own_columns(report)[1:]
    return text + ("\n\n" + _others(report, others) if others else "")


def own_columns(report: Report) -> list[str]:
    """xpconv's columns that were timed, the plain one first."""
    found = [key for key in TITLES if key.startswith(OURS)]
    return [key for key in found if any(key in row["times"] for row in report["rows"])]


def _others(report: Report, columns: list[str]) -> str:
    """xpconv in its other settings, against the better layout."""
    lines = [
        [
            TITLES[key],
            it.group,
            it.mode,
            str(it.count),
            ratio(it.mean),
            ratio(it.worst),
            it.worst_name,
        ]
        for key in columns
        for it in summaries(report, key)
        if it.against == BETTER
    ]
    header = ["column", "rows", "mode", "n", f"× {TITLES[BETTER]}", "worst", "worst row"]
    return table(header, lines)
