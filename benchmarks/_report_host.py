"""What a GPU's host spends, as Markdown."""

from __future__ import annotations

from typing import Any

from ._cases import LayerCase, from_json
from ._markdown import number, table
from ._statistics import TITLES, label, mode_of, seconds

Report = dict[str, Any]
Row = dict[str, Any]

HOST_NOTE = (
    "Milliseconds until a call returns on a device that has nothing to do, its work still to be "
    "done; and for layers TFLOP/s by the direct method's count, to be held against the peaks above."
)


def host(report: Report) -> str:
    keys = [key for key in TITLES if any(key in row.get("host", {}) for row in report["rows"])]
    lines = []
    for row in report["rows"]:
        cells = []
        for key in keys:
            spent = row.get("host", {}).get(key)
            time = seconds(row, key, report["settings"]["statistic"])
            text = "-" if spent is None else number(spent * 1000)
            if time is not None and row["case"]["kind"] == "layer":
                text += f" ({number(_flops(row) / time / 1e12)})"
            cells.append(text)
        lines.append([f"{label(row)}, {mode_of(row)}", *cells])
    return table(["case", *(TITLES[key] for key in keys)], lines)


def _flops(row: Row) -> int:
    case = from_json(row["case"])
    return case.flops if isinstance(case, LayerCase) else 0
