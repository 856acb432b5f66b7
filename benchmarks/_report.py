"""A run as Markdown: what it ran on, every row, then the means and the worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._cases import LayerCase, from_json
from ._statistics import (
    BETTER,
    CHANNELS_LAST,
    DEFAULT,
    OURS,
    Summary,
    label,
    mode_of,
    seconds,
    speed,
    summarise,
)

Report = dict[str, Any]  # what the JSON file holds
Row = dict[str, Any]

TITLES = {
    OURS: "xpconv",
    "xpconv-nchw": "xpconv, NCHW memory",
    DEFAULT: "PyTorch",
    CHANNELS_LAST: "PyTorch channels_last",
    "scipy": "SciPy loops",
    BETTER: "PyTorch's better layout",
}
GROUP_TITLES = {
    "table": "layer table",
    "lenet": "LeNet's layers",
    "depthwise": "depthwise and grouped",
    "other": "other shapes",
    "large": "networks",
    "small": "small problems",
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


def summaries(report: Report) -> list[Summary]:
    peers = [BETTER, DEFAULT, CHANNELS_LAST, "scipy"]
    return summarise(report["rows"], groups(report), peers, report["settings"]["statistic"])


def markdown(report: Report) -> str:
    parts = [f"# {report['title']}", *_machine(report), *_how(report)]
    for mode in dict.fromkeys(mode_of(row) for row in report["rows"]):
        rows = [row for row in report["rows"] if mode_of(row) == mode]
        parts += [f"## {mode.capitalize()}", _times(report, rows)]
    if any(row.get("host") for row in report["rows"]):
        parts += ["## Host and throughput", HOST_NOTE, _host(report)]
    if any(row.get("memory") for row in report["rows"]):
        parts += ["## Peak extra memory", MEMORY_NOTE, _memory(report)]
    parts += ["## Summary", _summary(report)]
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
        "brackets; ×N is the other's time over xpconv's, so above 1 xpconv is faster."
    )
    if any("scipy" in row["times"] for row in report["rows"]):
        text += (
            " SciPy's loops run one image; ≈ marks a time that is scaled from one image to the "
            "batch, and a dash a layer that they cannot do or that takes them too long."
        )
    return [text]


def _times(report: Report, rows: Sequence[Row]) -> str:
    keys = [key for key in TITLES if key in report["libraries"]]
    ratios = [key for key in (DEFAULT, CHANNELS_LAST, "scipy") if key in keys]
    if not any(OURS in row["times"] for row in rows):
        ratios = []
    if DEFAULT in ratios and CHANNELS_LAST in ratios:
        ratios.insert(0, BETTER)
    header = ["case", *(TITLES[key] for key in keys), *(f"× {TITLES[key]}" for key in ratios)]
    lines = []
    for row in rows:
        line = [label(row), *(_time(report, row, key) for key in keys)]
        line += [_ratio(speed(row, key, report["settings"]["statistic"])) for key in ratios]
        lines.append(line)
    return table(header, lines)


def _time(report: Report, row: Row, key: str) -> str:
    statistic = report["settings"]["statistic"]
    value = seconds(row, key, statistic)
    if value is None:
        note = row["notes"].get(key, "")
        return note if note in ("failed", "wrong") else "-"
    other = seconds(row, key, "median" if statistic == "minimum" else "minimum")
    mark = "≈ " if row["times"][key]["scale"] > 1 else ""
    return f"{mark}{_number(value * 1000)} ({_number((other or 0.0) * 1000)})"


HOST_NOTE = (
    "Milliseconds until a call returns on a device that has nothing to do, its work still to be "
    "done; and for layers TFLOP/s by the direct method's count, to be held against the peaks above."
)


def _host(report: Report) -> str:
    keys = [key for key in TITLES if any(key in row.get("host", {}) for row in report["rows"])]
    lines = []
    for row in report["rows"]:
        cells = []
        for key in keys:
            host = row.get("host", {}).get(key)
            time = seconds(row, key, report["settings"]["statistic"])
            text = "-" if host is None else _number(host * 1000)
            if time is not None and row["case"]["kind"] == "layer":
                text += f" ({_number(_flops(row) / time / 1e12)})"
            cells.append(text)
        lines.append([f"{label(row)}, {mode_of(row)}", *cells])
    return table(["case", *(TITLES[key] for key in keys)], lines)


def _flops(row: Row) -> int:
    case = from_json(row["case"])
    return case.flops if isinstance(case, LayerCase) else 0


MEMORY_NOTE = (
    "MiB that the first call takes beyond what was held before it, results included: the peak of "
    "the resident set in a fresh process on a CPU (to about 1 MiB), of the allocator on a GPU. In "
    "brackets what NumPy itself allocated, where it tells."
)


def _memory(report: Report) -> str:
    keys = [key for key in TITLES if any(key in row.get("memory", {}) for row in report["rows"])]
    lines = []
    for row in report["rows"]:
        if row.get("memory"):
            cells = [_peak(key, row["memory"].get(key)) for key in keys]
            lines.append([f"{label(row)}, {mode_of(row)}", *cells])
    return table(["case", *(TITLES[key] for key in keys)], lines)


def _peak(key: str, peaks: dict[str, int] | None) -> str:
    if not peaks:
        return "-"
    main = peaks.get("device", peaks.get("resident"))
    text = "-" if main is None else _number(main / 2**20)
    if key.startswith("xpconv") and "traced" in peaks:
        text += f" ({_number(peaks['traced'] / 2**20)})"
    return text


WORST_SHOWN = (BETTER, DEFAULT)  # the two bars


def _summary(report: Report) -> str:
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
            line.append(_ratio(it.mean if it else None))
            if peer in WORST_SHOWN:
                line.append(f"{_ratio(it.worst)} ({it.worst_name})" if it else "-")
        lines.append(line)
    return "Geometric means, and the worst row of each.\n\n" + table(header, lines)


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"×{value:.2f}" if value < 10 else f"×{value:.0f}"


def _number(value: float) -> str:
    """Three significant digits without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
