"""Rounds, and results that differ: with workers that only pretend to work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import _measure
from benchmarks._cases import LayerCase
from benchmarks._fingerprint import fingerprint
from benchmarks._measure import Race, Settings
from benchmarks._process import CannotRun, PeerSpec

CASE = LayerCase("small", "other", 2, 3, 6, 3)
Y = np.arange(12.0)


class Pretender:
    """A library whose result and conduct its configuration says; it counts its turns."""

    turns: list[str]

    def __init__(self, spec: PeerSpec, threads: int) -> None:
        self.spec = spec

    def __enter__(self) -> Pretender:
        return self

    def __exit__(self, *_: object) -> None: ...

    def prepare(self, case: LayerCase) -> None:
        if self.spec.config.get("refuses"):
            raise CannotRun("not this one")

    def ask(self, do: str, **details: Any) -> Any:
        match do:
            case "check":
                return {"y": fingerprint(Y * self.spec.config.get("factor", 1.0))}
            case "time":
                self.turns.append(self.spec.key)
                return [0.003, 0.001, 0.002]
        return {"device": "cpu"} if do == "describe" else None


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Pretender.turns = []
    monkeypatch.setattr(_measure, "Worker", Pretender)
    return Pretender.turns


def spec(key: str, *, slow: bool = False, **config: Any) -> PeerSpec:
    return PeerSpec(key, key.title(), {"library": key, **config}, slow=slow)


SETTINGS = Settings(threads=1, rounds=4, settle=0.0)


def test_everyone_has_a_turn_in_every_round_in_alternating_order(turns: list[str]) -> None:
    with Race([spec("xpconv"), spec("torch"), spec("jax", slow=True)], SETTINGS) as race:
        row = race.row(CASE)
    first, later = ["torch", "xpconv", "jax"], ["torch", "xpconv"]
    assert turns == [*first, *reversed(first), *later, *reversed(later)]
    assert row["times"]["xpconv"]["turns"][0] == {"minimum": 0.001, "median": 0.002, "calls": 3}
    assert len(row["times"]["jax"]["turns"]) == 2
    assert race.problems == []


def test_a_library_whose_results_differ_is_not_timed(turns: list[str]) -> None:
    with Race([spec("torch"), spec("xpconv", factor=1.01)], SETTINGS) as race:
        row = race.row(CASE)
    assert list(row["times"]) == ["torch"]
    assert row["notes"] == {"xpconv": "wrong"}
    assert "y of Xpconv differs by 1" in race.problems[0]
    assert set(turns) == {"torch"}


def test_rounding_is_no_difference(turns: list[str]) -> None:
    with Race([spec("torch"), spec("xpconv", factor=1 + 1e-5)], SETTINGS) as race:
        assert set(race.row(CASE)["times"]) == {"torch", "xpconv"}
    assert race.problems == []


def test_what_a_library_cannot_do_is_no_problem(turns: list[str]) -> None:
    with Race([spec("torch"), spec("xpconv", refuses=True)], SETTINGS) as race:
        row = race.row(CASE)
    assert row["notes"] == {"xpconv": "not this one"}
    assert race.problems == []
