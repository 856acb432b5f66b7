"""Targets, against runs written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import targets
from benchmarks._cases import INFERENCE, LAYERS, NETWORKS, STEP, TRAINING, Case, to_json


def run(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"settings": {"statistic": "minimum", "threads": 2}, "rows": list(rows)}


def row(case: Case, memory: dict[str, int] | None = None, **seconds: float) -> dict[str, Any]:
    return {
        "case": to_json(case),
        "times": {
            key.replace("_", "-"): {"turns": [{"minimum": t, "median": t, "calls": 1}], "scale": 1}
            for key, t in seconds.items()
        },
        "notes": {},
        "differences": {},
        "memory": {key: {"resident": size} for key, size in (memory or {}).items()},
    }


def test_a_mean_and_a_worst_row() -> None:
    first, second = (replace(case, batch=16) for case in LAYERS[:2])
    fast, slow = (
        row(first, xpconv=1, torch=4, torch_channels_last=2),
        row(second, xpconv=2, torch=1),
    )
    line = targets.speeds(run(fast, slow), "layers", 1.0)
    assert line is not None
    assert line.what == "layers (2 rows)"
    assert (line.found, line.holds) == ("×1.00", True)  # of 2 and 1/2
    assert line.worst == "×0.50 (3x3 64>64, 56², batch 16)"
    line = targets.speeds(run(fast, slow), "layers", 1.0, 0.6)
    assert line is not None
    assert not line.holds
    assert line.asked == "1.0, worst 0.6"
    line = targets.speeds(run(slow), "layers", 1.0)
    assert line is not None
    assert not line.holds
    assert targets.speeds(run(slow), "layers", 1.0, mode="forward+backward") is None


def test_memory_is_that_of_training_steps() -> None:
    heavy = {"xpconv": 3, "torch": 2, "torch-channels-last": 4}
    light = {"xpconv": 1, "torch": 2}
    line = targets.memory(run(row(TRAINING[0], light), row(TRAINING[1], heavy)))
    assert line is not None
    assert (line.found, line.holds) == ("×1.50", False)
    assert line.worst == "×1.50 (VGG-like 32², batch 64)"
    line = targets.memory(run(row(TRAINING[0], light), row(LAYERS[0], heavy)))
    assert line is not None
    assert line.holds


@pytest.mark.parametrize(("seconds", "holds"), [(0.2, True), (0.3, False)])
def test_import_time_is_the_least(seconds: float, holds: bool) -> None:
    line = targets.importing({"imports": {"import xpconv": {"import": [0.9, seconds]}}})
    assert line is not None
    assert line.holds is holds
    assert targets.importing({"imports": {}}) is None


def test_every_run_that_is_there_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = row(TRAINING[0], xpconv=1, torch=1.1, xpconv_portable=2)
    (tmp_path / "training-numpy.json").write_text(json.dumps(run(step)))
    cases = [case for case in NETWORKS if case.mode in (INFERENCE, STEP)]
    rows = [row(case, xpconv=2, torch=1) for case in cases]
    rows += [row(cases[0], xpconv_compiled=0.5, torch=1)]
    (tmp_path / "networks-numpy.json").write_text(json.dumps(run(*rows)))
    assert targets.main(["--results", str(tmp_path), "--markdown", str(tmp_path / "t.md")]) == 0
    text = (tmp_path / "t.md").read_text()
    assert capsys.readouterr().out == text + "\n"
    assert "| training steps of networks (1 rows) | 1.0 | ×1.10 | ×1.10 (LeNet-5 28²" in text
    assert "| without Numba: training steps (1 rows) | 0.7 | ×0.55 |" in text
    assert "| inference, compiled for its shape (1 rows) | 1.0 | ×2.00 |" in text
    assert "| inference, the model as it is (4 rows) | 1.0 | ×0.50 |" in text
    assert text.count("| **no** |") == 2
    absent = "layers-numpy.json, memory-numpy.json, startup.json, scaling-numpy.json"
    assert f"Not measured: {absent}." in text
