"""``xpconv doctor``: what this machine offers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from ._output import print_table

HELP = "say what this machine offers: libraries, devices, threads, settings"
DESCRIPTION = """\
Say which backends work on this machine and why others do not, which devices and how much memory
there are, what is set, and which backend 'auto' chooses."""
EPILOG = """\
examples:
  xpconv doctor
  xpconv doctor --json > machine.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the subcommand takes."""
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine and print what was found."""
    from ..doctor import examine

    report = examine()
    if arguments.json:
        print(json.dumps(report, indent=2))
        return 0
    for title, rows in sections(report):
        print_table(rows, title)
    return 0


def sections(report: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Arrange a report for people: titles, each with lines of a name and a text."""
    versions = [(key, report[key]) for key in ("xpconv", "python", "platform")]
    versions += [(k, _text(v)) for k, v in report["packages"].items() if v is not None]
    missing = [name for name, version in report["packages"].items() if version is None]
    versions.append(("not installed", ", ".join(missing) or "nothing"))
    backends = [(b["name"], "works" if b["available"] else b["reason"]) for b in report["backends"]]
    devices = [(d["backend"], _device_text(d)) for d in report["devices"]]
    threads = [
        (t["library"], ", ".join(f"{k} {v}" for k, v in t.items() if k != "library"))
        for t in _rows(report["threads"])
    ]
    return [
        ("Versions", versions),
        ("Backends", backends),
        ("Devices", devices),
        ("CUDA", _pairs(report["cuda"])),
        ("Threads", threads or [("threads", _text(report["threads"]))]),
        ("TF32", _pairs(report["tf32"])),
        ("Environment", _pairs(report["environment"]) or [("set", "nothing that xpconv heeds")]),
        *([("Wrong in it", _pairs(report["wrong"]))] if report["wrong"] else []),
        ("Engines", _pairs(report["engines"])),
        ("Workspace", _pairs(report["workspace"])),
        ("Choice", [(key, _choice_text(report[key])) for key in ("default", "auto")]),
    ]


def _rows(found: Any) -> list[dict[str, Any]]:
    """Return a list of findings; an error in its place has no rows."""
    return found if isinstance(found, list) else []


def _pairs(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    if set(found) == {"error"}:
        return [("error", _text(found))]
    return [(key, _text(value)) for key, value in found.items()]


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "error" in value:
        return f"cannot tell: {value['error']}"
    return str(value)


def _device_text(device: Mapping[str, Any]) -> str:
    memory = device["memory"]
    if isinstance(memory, Mapping) and "total" in memory:
        free, total = memory["free"] / 2**30, memory["total"] / 2**30
        return f"{_text(device['device'])}, {free:.1f} of {total:.1f} GiB free"
    return f"{_text(device['device'])}, memory {_text(memory or 'unknown')}"


def _choice_text(choice: Mapping[str, str]) -> str:
    if "error" in choice:
        return _text(choice)
    return f"{choice['backend']}: {choice['reason']}"
