"""Run the cases: verify that the libraries agree, time them in turns, weigh their memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ._cases import Case, LayerCase, to_json
from ._fingerprint import Fingerprint, difference
from ._process import CannotRun, PeerSpec, Worker, WorkerError

SLOW_ROUNDS = 2  # for what is ten or a hundred times slower, more rounds tell nothing

Row = dict[str, Any]
Turn = dict[str, float]
Outputs = dict[str, Fingerprint]


@dataclass(frozen=True)
class Settings:
    """How long and how carefully to measure."""

    threads: int
    rounds: int = 7
    turn: float = 0.05  # seconds that a library has in each round, at least one call
    settle: float = 0.03  # seconds between turns, for the idle threads of the last to fall asleep
    tolerance: float = 1e-3  # largest difference of results, relative to their root mean square


class Race:
    """The libraries of one run, each waiting in its own process, and what went wrong on the way."""

    def __init__(self, specs: Sequence[PeerSpec], settings: Settings) -> None:
        self.problems: list[str] = []
        self.libraries: dict[str, dict[str, str]] = {}
        self._settings = settings
        # The first is the reference for the others' results: PyTorch where it is there.
        self._specs = sorted(specs, key=lambda spec: spec.config["library"] != "torch")
        self._workers: list[Worker] = []
        self._single: dict[tuple[str, Case], list[Turn]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Race:
        for spec in self._specs:
            worker = Worker(spec, self._settings.threads)
            try:
                self.libraries[spec.key] = worker.ask("describe")
            except WorkerError as error:
                self.problems.append(f"absent: {error}")
                worker.close()
            else:
                self._workers.append(self._stack.enter_context(worker))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def row(self, case: Case) -> Row:
        """Verify and time one case with every library that does it."""
        row = untimed(case)
        for worker in self._workers:
            if worker.spec.one_image:
                self._time_single(worker, case, row)
        ready: list[Worker] = []
        reference: Outputs | None = None
        for worker in self._workers:
            if not worker.spec.one_image:
                outputs = self._enter(worker, case, reference, row)
                reference = reference or outputs
                ready += [worker] if outputs is not None else []
        try:
            turns = self._alternate(ready, self._settings.rounds)
            for worker in ready:
                row["times"][worker.spec.key] = {"turns": turns[worker.spec.key], "scale": 1}
                host = worker.ask("host")
                if host is not None:
                    row.setdefault("host", {})[worker.spec.key] = host
                worker.ask("release")
        except WorkerError as error:
            self.problems.append(f"{describe(case)}: {error}")
        return row

    def memory(self, case: Case) -> dict[str, dict[str, int]]:
        """Peak extra bytes of the first call, by library and meter.

        On a CPU each in a fresh process, since what the system gave an allocator before hides what
        it needs now; a GPU's allocators tell exactly, in the process that runs.
        """
        peaks = {}
        for worker in self._workers:
            key = worker.spec.key
            if worker.spec.one_image:
                continue
            try:
                if self.libraries[key]["device"] == "cpu":
                    with Worker(worker.spec, self._settings.threads, exact_memory=True) as fresh:
                        peaks[key] = fresh.measure_memory(case)
                else:
                    peaks[key] = worker.measure_memory(case)
                    worker.ask("release")
            except CannotRun:
                continue
            except WorkerError as error:
                self.problems.append(f"memory, {describe(case)}: {error}")
        return peaks

    def _time_single(self, worker: Worker, case: Case, row: Row) -> None:
        """Time one image, once for all batch sizes; its rounds stand apart from the others'."""
        key = (worker.spec.key, case.one_image())
        if key not in self._single:
            self._single[key] = []
            reference = self._reference_outputs(key[1])
            if self._enter(worker, key[1], reference, row) is not None:
                rounds = min(SLOW_ROUNDS, self._settings.rounds)
                self._single[key] = self._alternate([worker], rounds)[worker.spec.key]
                worker.ask("release")
        if self._single[key]:
            row["times"][worker.spec.key] = {"turns": self._single[key], "scale": case.batch}

    def _reference_outputs(self, case: Case) -> Outputs | None:
        reference = self._workers[0]
        if reference.spec.one_image:
            return None
        reference.prepare(case)
        outputs: Outputs = reference.ask("check")
        return outputs

    def _enter(
        self, worker: Worker, case: Case, reference: Outputs | None, row: Row
    ) -> Outputs | None:
        """Prepare a case and compare its results; None when this library is out of this race."""
        key, title = worker.spec.key, worker.spec.title
        try:
            worker.prepare(case)
            outputs: Outputs = worker.ask("check")
        except CannotRun as reason:
            row["notes"][key] = str(reason)
            return None
        except WorkerError as error:
            row["notes"][key] = "failed"
            self.problems.append(f"{describe(case)}: {error}")
            return None
        if reference is not None:
            apart = {name: difference(reference[name], outputs[name]) for name in reference}
            row["differences"][key] = apart
            worst = max(apart, key=lambda name: apart[name])
            if apart[worst] > self._settings.tolerance:
                row["notes"][key] = "wrong"
                self.problems.append(
                    f"{describe(case)}: {worst} of {title} differs by {apart[worst]:.1e}, "
                    f"tolerance {self._settings.tolerance:.0e}"
                )
                return None
        return outputs

    def _alternate(self, workers: Sequence[Worker], rounds: int) -> dict[str, list[Turn]]:
        """Give each worker a turn in every round, in this order and back again by turns."""
        turns: dict[str, list[Turn]] = {worker.spec.key: [] for worker in workers}
        for number in range(rounds):
            fast = [it for it in workers if number < SLOW_ROUNDS or not it.spec.slow]
            for worker in fast if number % 2 == 0 else reversed(fast):
                time.sleep(self._settings.settle)
                times = worker.ask("time", seconds=self._settings.turn)
                turns[worker.spec.key].append(
                    {
                        "minimum": min(times),
                        "median": statistics.median(times),
                        "calls": len(times),
                    }
                )
        return turns


def untimed(case: Case) -> Row:
    """A row that knows its case and nothing else."""
    return {"case": to_json(case), "times": {}, "notes": {}, "differences": {}}


def describe(case: Case) -> str:
    if isinstance(case, LayerCase):
        return f"{case.name}, batch {case.batch}, {case.mode}"
    return f"{case.name}, {case.mode}"
