"""Programs that are run in a fresh process each: imports, and the first calls after them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from ._process import ROOT, THREAD_VARIABLES

# Each prints one line of JSON: names and seconds.
IMPORT = """
import json, time
start = time.perf_counter()
import {library}
print(json.dumps({{"import": time.perf_counter() - start}}))
"""
FIRST_CALLS = """
import json, sys, time
start = time.perf_counter()
from benchmarks._peers import load
from benchmarks._cases import LAYERS, TRAINING
from dataclasses import replace
layer = next(case for case in LAYERS if case.name == "3x3 64>64, 56²")
layer = replace(layer, batch=4, mode="forward+backward")
network = next(case for case in TRAINING if case.name == "LeNet-5 28², batch 16")
peer = load(json.loads(sys.argv[1]))
found = {"import": time.perf_counter() - start}
for name, case in (("layer", layer), ("training step", network)):
    run = peer.job(case).run
    for which in ("first", "second"):
        start = time.perf_counter()
        run()
        found[f"{which} {name}"] = time.perf_counter() - start
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Program:
    """What to run, and in which environment."""

    title: str
    code: str
    config: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def importing(library: str) -> Program:
    return Program(f"import {library}", IMPORT.format(library=library))


def first_calls(title: str, library: str, environment: Mapping[str, str]) -> Program:
    return Program(title, FIRST_CALLS, {"library": library}, environment)


def seconds(program: Program, threads: int) -> dict[str, float]:
    """Run a program; what it found out, or RuntimeError with its last words."""
    config = json.dumps({"threads": threads, **program.config})
    done = _python(["-c", program.code, config], threads, program.environment)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"{program.title}: {said[-1]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def slowest_imports(library: str, count: int = 10) -> list[tuple[str, float]]:
    """Modules by the seconds that they alone take, from ``python -X importtime``."""
    done = _python(["-X", "importtime", "-c", f"import {library}"], 1, {})
    return own_times(done.stderr)[:count]


def own_times(text: str) -> list[tuple[str, float]]:
    """Modules and their own seconds, the slowest first, from what ``-X importtime`` prints."""
    lines = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", text)
    return sorted(((name, int(own) / 1e6) for own, name in lines), key=lambda it: -it[1])


def _python(
    arguments: list[str], threads: int, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | dict(environment),
    )
