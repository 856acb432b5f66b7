"""A process that holds one library: reads requests as JSON lines, answers with JSON lines.

Started by `_process.Worker` as ``python -m benchmarks._worker CONFIG``. Requests::

    {"do": "describe"}                     versions and settings
    {"do": "start", "case": {...}}         load the code that the case needs, and keep no memory
    {"do": "prepare", "case": {...}}       build the case
    {"do": "check"}                        fingerprints of its results; also the warm-up
    {"do": "time", "seconds": 0.05}        times of single calls, for about that long
    {"do": "peaks"}                        operations and bytes a second that a CPU reaches
    {"do": "host"}                         seconds until a call returns, where it does so early
    {"do": "memory"}                       peak extra bytes of one call
    {"do": "release"}                      drop the case

An answer is ``{"ok": ...}``, ``{"unsupported": why}`` or ``{"error": why}``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

from . import _peers
from ._cases import from_json
from ._fingerprint import fingerprint

REHEARSE_BELOW = 0.1  # seconds: shorter calls are run once untimed, to wake threads and caches
MOST_CALLS = 2000  # in one turn


class Session:
    """One library and at most one prepared case."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._peer = _peers.load(config)
        self._job: _peers.Job | None = None
        self._last = 0.0  # seconds of the latest call

    def answer(self, request: dict[str, Any]) -> Any:
        match request["do"]:
            case "describe":
                return self._peer.describe()
            case "start":
                self._peer.start(from_json(request["case"]))
                gc.collect()
                self._peer.let_go()
                return None
            case "prepare":
                self._job, self._last = self._peer.job(from_json(request["case"])), 0.0
                return None
            case "check":
                outputs = self.job.outputs()
                return {name: fingerprint(value) for name, value in outputs.items()}
            case "time":
                return self._time(float(request["seconds"]))
            case "peaks":
                return self._peer.peaks()
            case "host":
                return self._peer.device.host_seconds(self.job.run)
            case "memory":
                return self._peer.device.peak_bytes(self.job.run)
            case "release":
                self._job = None
                gc.collect()
                return None
        raise ValueError(f"unknown request {request['do']!r}")

    @property
    def job(self) -> _peers.Job:
        if self._job is None:
            raise ValueError("no case is prepared")
        return self._job

    def _time(self, seconds: float) -> list[float]:
        run, device = self.job.run, self._peer.device
        if self._last < REHEARSE_BELOW:
            self._last = device.time(run)
        times: list[float] = []
        gc.disable()
        end = time.perf_counter() + seconds
        while not times or (time.perf_counter() < end and len(times) < MOST_CALLS):
            times.append(device.time(run))
        gc.enable()
        self._last = min(times)
        return times


def _pin(config: dict[str, Any]) -> None:
    """Hold a library that takes as many threads as there are cores to some of them."""
    if config.get("pin") and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[: int(config["threads"])])


def main() -> None:
    # Answers get a descriptor of their own: whatever a library prints must not mix with them.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    session: Session | None = None
    for line in sys.stdin:
        try:
            if session is None:
                config = json.loads(sys.argv[1])
                _pin(config)
                session = Session(config)
            answer = {"ok": session.answer(json.loads(line))}
        except _peers.Unsupported as reason:
            answer = {"unsupported": str(reason)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
