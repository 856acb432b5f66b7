"""Figures and reports from a run written by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    _cli,
    _report_memory,
    _statistics as statistics,
    layers,
    memory,
    networks,
    scaling,
    training,
)
from benchmarks._cases import LAYERS, to_json
from benchmarks._plot import plot
from benchmarks._report import markdown


def turns(*milliseconds: float, scale: int = 1) -> dict[str, Any]:
    found = [{"minimum": t / 1000, "median": t / 900, "calls": 1} for t in milliseconds]
    return {"turns": found, "scale": scale}


def row(number: int, batch: int, **times: dict[str, Any]) -> dict[str, Any]:
    case = to_json(replace(LAYERS[number], batch=batch))
    named = {key.replace("_", "-"): value for key, value in times.items()}
    return {"case": case, "times": named, "notes": {}, "differences": {}}


@pytest.fixture
def report() -> dict[str, Any]:
    """Two layers: one twice as fast as PyTorch's better layout, one half as fast."""
    rows = [
        row(
            0,
            16,
            xpconv=turns(2, 3),
            torch=turns(8),
            torch_channels_last=turns(4, 5),
            scipy=turns(10, scale=16),
            xpconv_portable=turns(5),
        ),
        row(1, 16, xpconv=turns(4), torch=turns(2), torch_channels_last=turns(3)),
    ]
    rows[0]["memory"] = {
        "xpconv": {"resident": 3 << 20, "traced": 2 << 20},
        "torch": {"resident": 4 << 20},
        "torch-channels-last": {"resident": 2 << 20},
    }
    return {
        "title": "A run",
        "machine": {"processor": "an abacus", "libraries": "none", "date": "today"},
        "libraries": {key: {} for key in ("xpconv", "torch", "torch-channels-last", "scipy")},
        "settings": {"statistic": "minimum", "rounds": 2, "threads": 1, "dtype": "float32"},
        "problems": ["something"],
        "rows": rows,
    }


def test_ratios_are_to_the_better_layout(report: dict[str, Any]) -> None:
    first, second = report["rows"]
    assert statistics.seconds(first, "xpconv", "minimum") == pytest.approx(0.002)
    assert statistics.seconds(first, "xpconv", "median") == pytest.approx(0.0025 / 0.9)
    assert statistics.seconds(first, "scipy", "minimum") == pytest.approx(0.16)
    assert statistics.speed(first, "better", "minimum") == pytest.approx(2)
    assert statistics.speed(first, "torch", "minimum") == pytest.approx(4)
    assert statistics.speed(second, "better", "minimum") == pytest.approx(0.5)
    assert statistics.speed(second, "scipy", "minimum") is None


def test_the_summary_has_the_mean_and_the_worst_row(report: dict[str, Any]) -> None:
    everything = [("all", lambda row: True)]
    (found,) = statistics.summarise(report["rows"], everything, ["better"], "minimum")
    assert found.count == 2
    assert found.mean == pytest.approx(1)
    assert found.worst == pytest.approx(0.5)
    assert found.worst_name == "3x3 64>64, 56², batch 16"


def test_markdown_holds_every_row_and_every_problem(report: dict[str, Any]) -> None:
    text = markdown(report)
    assert "| processor | an abacus |" in text
    name, other = "7x7/2 3>64, 224², batch 16", "3x3 64>64, 56², batch 16"
    times = "2.00 (2.78) | 5.00 (5.56) | 8.00 (8.89) | 4.00 (5.00) | ≈ 160 (178)"
    assert f"| {name} | {times} | ×2.00 | ×0.80 |" in text
    assert f"| {other} | 4.00 (4.44) | - | 2.00 (2.22) | 3.00 (3.33) | - | ×0.50 | - |" in text
    assert f"| {name}, forward | 3.00 (2.00) | 4.00 | 2.00 | ×1.50 |" in text
    assert f"Largest ratio: ×1.50 ({name}, forward)." in text
    assert "- something" in text


def test_the_summary_has_every_way_to_run_xpconv(report: dict[str, Any]) -> None:
    text = markdown(report)
    assert f"| all rows | forward | 2 | ×1.00 | ×0.50 ({'3x3 64>64, 56², batch 16'}) |" in text
    row = "| xpconv without Numba | layer table | forward | 1 | ×0.80 | ×0.80 | 7x7/2 3>64, 224²"
    assert row in text


def test_memory_alone_is_a_report(report: dict[str, Any]) -> None:
    for line in report["rows"]:
        line["times"] = {}
    text = markdown(report)
    assert "Peak extra memory" in text
    assert "Summary" not in text
    assert _report_memory.against_pytorch(report["rows"][1]) is None


def test_a_run_without_pytorch_is_reported_without_ratios(report: dict[str, Any]) -> None:
    for line in report["rows"]:
        line["times"] = {"xpconv": line["times"]["xpconv"]}
    assert "No ratios" in markdown(report)
    assert plot(report, Path("never-written.png")) is False


def test_a_picture_is_drawn(report: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert plot(report, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("main", "word"),
    [
        (layers.main, "LeNet"),
        (training.main, "LeNet"),
        (networks.main, "MobileNetV2"),
        (memory.main, "LeNet"),
        (scaling.main, "channels"),
    ],
)
def test_the_commands_list_their_cases_and_refuse_unknown_ones(
    main: Any, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--list"]) == 0
    everything = capsys.readouterr().out
    assert main(["--list", "--cases", word]) == 0
    assert 0 < len(capsys.readouterr().out) < len(everything)
    with pytest.raises(SystemExit):
        main(["--cases", "no such network"])
    assert "--list shows" in capsys.readouterr().err


def test_scaling_changes_one_size_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(scaling.cases())
    for group, field in (("batch", "batch"), ("image", "size"), ("channels", "in_channels")):
        values = [getattr(case, field) for case in found if case.group == group]
        assert values == sorted(set(values))
        assert len(values) > 8
    assert scaling.main(["--list", "--cases", "channels"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(scaling.CHANNELS)


def test_a_run_is_kept_a_line_a_row(report: dict[str, Any]) -> None:
    text = _cli._as_json(report)
    assert json.loads(text) == report
    assert sum(line.startswith('  {"case"') for line in text.splitlines()) == 2


@pytest.mark.parametrize(
    ("narrowed", "kept"), [([], True), (["--modes", "forward"], False), (["--quick"], False)]
)
def test_full_runs_alone_are_kept_by_themselves(
    narrowed: list[str],
    kept: bool,
    report: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("matplotlib")
    report["settings"]["backend"] = "numpy"
    monkeypatch.setattr(_cli, "_measure", lambda *_: report)
    monkeypatch.setattr(_cli, "RESULTS", tmp_path)
    assert layers.main(narrowed) == 1  # there was a problem
    found = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".png")
    assert found == (["layers-numpy.json", "layers-numpy.md"] if kept else [])
