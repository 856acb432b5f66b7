"""Imports and first calls in fresh processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _fresh, startup


def test_a_program_tells_its_seconds() -> None:
    found = _fresh.seconds(_fresh.importing("json"), 1)
    assert list(found) == ["import"]
    assert 0 < found["import"] < 10


def test_what_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"import nothing_such: ModuleNotFoundError"):
        _fresh.seconds(_fresh.importing("nothing_such"), 1)


def test_first_calls_of_a_library_without_numba() -> None:
    program = _fresh.first_calls("xpconv without Numba", "xpconv", {"XPCONV_NUMBA": "0"})
    found = _fresh.seconds(program, 1)
    kinds = [f"{which} {name}" for name in ("layer", "training step") for which in WHICH]
    assert list(found) == ["import", *kinds]
    assert min(found.values()) > 0


WHICH = ("first", "second")

TEXT = """\
import time: self [us] | cumulative | imported package
import time:       500 |        500 |   small
import time:      2000 |       2500 | large.inner
"""


def test_own_times_of_imports() -> None:
    assert _fresh.own_times(TEXT) == [("large.inner", 0.002), ("small", 0.0005)]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Every program is instant: what each took."""
    took = {"import numpy": 0.1, "import xpconv": 0.2, "import torch": 1.5}

    def seconds(program: Any, threads: int) -> dict[str, float]:
        if program.title == "import jax":
            raise RuntimeError("import jax: ModuleNotFoundError: No module named 'jax'")
        if program.title in took:
            return {"import": took[program.title]}
        return {"import": 1.0, "first layer": 12.0 if "cold" in program.title else 0.5}

    monkeypatch.setattr(startup, "seconds", seconds)
    monkeypatch.setattr(startup, "slowest_imports", lambda library: [("a.module", 0.05)])
    return took


def test_the_report(
    measured: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {kind: tmp_path / f"run.{kind}" for kind in ("markdown", "json")}
    options = [text for kind, path in paths.items() for text in (f"--{kind}", str(path))]
    assert startup.main([*options, "--rounds", "4"]) == 1  # one library is absent
    text = capsys.readouterr().out
    assert "| import xpconv | 200 (200) |" in text
    assert "`import xpconv` is under 0.25 s." in text
    assert "| `a.module` | 50.0 |" in text
    assert "| xpconv, cold cache | 1000 (1000) | 12000 (12000) |" in text
    assert "- import jax: ModuleNotFoundError" in text
    assert paths["markdown"].read_text() == text.removesuffix("\n")
    report = json.loads(paths["json"].read_text())
    assert len(report["imports"]["import torch"]["import"]) == 4
    assert len(report["first calls"]["xpconv, cold cache"]["first layer"]) == 1


def test_too_slow_an_import_is_said_to_be(
    measured: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    measured["import xpconv"] = 0.3
    startup.main(["--quick"])
    text = capsys.readouterr().out
    assert "`import xpconv` is NOT under 0.25 s." in text
    assert "cold cache |" not in text  # a quick run compiles nothing
