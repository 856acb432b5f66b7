"""The parent's side of a worker: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from ._cases import Case, to_json

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "XPCONV_NUM_THREADS",
)
# For workers that measure memory: every block from the system and back to it at once, so that the
# resident set is what is in use and not what the allocator kept.
EXACT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


class WorkerError(Exception):
    """The worker failed at a request, or died."""


class CannotRun(Exception):
    """The worker's library does not do this case; the text says why."""


@dataclass(frozen=True)
class PeerSpec:
    """A column of the report: which library, in which setting."""

    key: str
    title: str
    config: dict[str, Any] = field(default_factory=dict)
    one_image: bool = False  # runs one image; its times are scaled to the batch
    slow: bool = False  # has fewer turns
    environment: dict[str, str] = field(default_factory=dict)  # of its process, beyond the usual


class Worker:
    """A library in a process of its own."""

    def __init__(self, spec: PeerSpec, threads: int, *, exact_memory: bool = False) -> None:
        self.spec = spec
        config = {**spec.config, "threads": threads}
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
        environment |= spec.environment
        environment["CUPY_TF32"] = "1" if config.get("tf32") else "0"
        if exact_memory:
            environment |= EXACT_MEMORY
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._worker", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._requests = cast(IO[str], self._process.stdin)
        self._answers = cast(IO[str], self._process.stdout)

    def ask(self, do: str, **details: Any) -> Any:
        try:
            self._requests.write(json.dumps({"do": do, **details}) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            status = self._process.wait()
            raise WorkerError(f"{self.spec.title}: its process ended with status {status}")
        answer = json.loads(line)
        if "unsupported" in answer:
            raise CannotRun(answer["unsupported"])
        if "error" in answer:
            raise WorkerError(f"{self.spec.title}: {answer['error']}")
        return answer["ok"]

    def prepare(self, case: Case) -> None:
        self.ask("prepare", case=to_json(case))

    def measure_memory(self, case: Case) -> dict[str, int]:
        """Peak extra bytes of the first call of `case`, by meter."""
        self.ask("start", case=to_json(case))
        self.prepare(case)
        peaks: dict[str, int] = self.ask("memory")
        return peaks

    def close(self) -> None:
        """End the process: it leaves when its input does."""
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
