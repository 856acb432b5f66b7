"""Import time and the cost of first calls: ``python -m benchmarks.startup --help``."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import _machine
from ._fresh import Program, first_calls, importing, seconds, slowest_imports
from ._markdown import number, table
from ._process import ROOT

RESULTS = ROOT / "benchmarks" / "results"
LIMIT = 0.25  # seconds that `import xpconv` may take
NOTE = (
    "Milliseconds, the minimum over fresh processes with the median in brackets, in turns. A layer "
    "is 3x3 64>64 on 56², batch 4, forward and backward; a training step LeNet-5's at batch 16. "
    "The first of each contains what is compiled or loaded for it. With a cold cache Numba "
    "compiles, once for each machine and version; a warm one is read."
)


def programs(cache: str) -> tuple[list[Program], list[Program], list[Program]]:
    """Imports; the first use with a cold cache, run once; the others."""
    imports = [importing(library) for library in ("numpy", "xpconv", "torch", "jax")]
    compiled = {"NUMBA_CACHE_DIR": cache}
    cold = [first_calls("xpconv, cold cache", "xpconv", compiled)]
    others = [
        first_calls("xpconv, warm cache", "xpconv", compiled),
        first_calls("xpconv without Numba", "xpconv", {"XPCONV_NUMBA": "0"}),
        first_calls("PyTorch", "torch", {}),
    ]
    return imports, cold, others


def measure(rounds: int, threads: int, quick: bool) -> dict[str, Any]:
    report: dict[str, Any] = {
        "title": "Start-up",
        "machine": _machine.describe(),
        "warnings": _machine.warnings(),
        "settings": {"rounds": rounds, "threads": threads, "quick": quick},
        "imports": {},
        "first calls": {},
        "problems": [],
    }
    begun = time.perf_counter()

    def run(kind: str, chosen: list[Program], rounds: int) -> None:
        for _ in range(rounds):
            for program in chosen:
                try:
                    found = seconds(program, threads)
                except RuntimeError as error:
                    if str(error) not in report["problems"]:
                        report["problems"].append(str(error))
                    continue
                times = report[kind].setdefault(program.title, {})
                for name, value in found.items():
                    times.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as cache:
        imports, cold, others = programs(cache)
        run("imports", imports, rounds)
        if not quick:  # half a minute of compiling
            run("first calls", cold, 1)
        run("first calls", others[1:] if quick else others, max(1, rounds // 2))
    report["slowest imports"] = slowest_imports("xpconv")
    report["machine"]["minutes taken"] = f"{(time.perf_counter() - begun) / 60:.1f}"
    return report


def markdown(report: dict[str, Any]) -> str:
    warnings = [f"**Warning:** {text}" for text in report["warnings"]]
    facts = [[name, value] for name, value in report["machine"].items()]
    parts = [f"# {report['title']}", table(["machine", ""], facts), *warnings, NOTE]
    found = report["imports"]
    lines = [[title, _time(times["import"])] for title, times in found.items()]
    parts += ["## Imports", table(["program", "ms"], lines)]
    if "import xpconv" in found:
        own = min(found["import xpconv"]["import"])
        verdict = "under" if own < LIMIT else "NOT under"
        parts.append(f"`import xpconv` is {verdict} {LIMIT} s.")
    slow = [[f"`{name}`", number(own * 1000)] for name, own in report["slowest imports"]]
    parts += ["The slowest of `import xpconv`, each alone:", table(["module", "ms"], slow)]
    first = report["first calls"]
    if first:
        names = list(dict.fromkeys(name for times in first.values() for name in times))
        rows = [[title, *(_time(times[name]) for name in names)] for title, times in first.items()]
        parts += ["## First calls", table(["program", *names], rows)]
    if report["problems"]:
        parts += ["## What went wrong", "\n".join(f"- {text}" for text in report["problems"])]
    return "\n\n".join(parts) + "\n"


def _time(times: list[float]) -> str:
    return f"{number(min(times) * 1000)} ({number(statistics.median(times) * 1000)})"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description="Time imports and first calls, each in fresh processes.",
        epilog="The method is described in benchmarks/README.md.",
    )
    parser.add_argument("--quick", action="store_true", help="two rounds, nothing is compiled")
    parser.add_argument("--rounds", type=int, help="processes for each import (5; quick: 2)")
    parser.add_argument("--threads", type=int, help="default: all cores there are")
    parser.add_argument("--markdown", type=Path, metavar="FILE.md")
    parser.add_argument("--json", type=Path, metavar="FILE.json")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (2 if options.quick else 5)
    report = measure(rounds, options.threads or _machine.cores(), options.quick)
    text = markdown(report)
    print(text)
    keep = not options.quick
    for path, default, content in (
        (options.markdown, RESULTS / "startup.md", text),
        (options.json, RESULTS / "startup.json", json.dumps(report, indent=1) + "\n"),
    ):
        target = path or (default if keep else None)
        if target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
            print(f"wrote {target}", file=sys.stderr)
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
