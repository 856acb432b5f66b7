"""Layers under the machine's peaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _plot_roofline, _report, _roofline
from benchmarks._cases import LayerCase, to_json
from benchmarks._process import PeerSpec

# 1000 x 1000 kernels of one number on a thousand places: 2 GFLOP, a million numbers three times
CASE = LayerCase("1x1", "table", 1000, 1000, 10, 1, batch=10)


@pytest.fixture
def report() -> dict[str, Any]:
    def took(seconds: float) -> dict[str, Any]:
        return {"turns": [{"minimum": seconds, "median": seconds, "calls": 1}], "scale": 1}

    case = to_json(CASE)
    times = {"xpconv": took(0.010), "torch": took(0.020)}
    return {
        "title": "A run",
        "machine": {"processor": "an abacus", "libraries": "none", "date": "today"},
        "libraries": {},
        "settings": {"statistic": "minimum", "rounds": 1, "threads": 2, "dtype": "float32"},
        "peaks": {
            "1": {"flops": 250e9, "bytes": 10e9},
            "2": {"flops": 500e9, "bytes": 2.4e9},
        },
        "problems": [],
        "rows": [{"case": case, "times": times, "notes": {}, "differences": {}}],
    }


def test_bytes_and_operations_of_a_layer() -> None:
    assert CASE.flops == 2e9
    assert CASE.bytes == 12e6
    assert replace(CASE, dtype="float64").bytes == 24e6
    both = replace(CASE, mode="forward+backward")
    assert both.flops == 6e9
    # forward x, w, y; backward x, w, dy read and dx, dw written
    assert both.bytes == 32e6


def test_a_point_under_the_roof(report: dict[str, Any]) -> None:
    (point,) = _roofline.points(report, "xpconv")
    assert point.rate == pytest.approx(200e9)
    assert point.bandwidth == pytest.approx(1.2e9)
    assert point.intensity == pytest.approx(2000 / 12)
    assert point.roof == pytest.approx(400e9)  # memory's: 167 operations for each of 2.4e9 bytes
    assert point.share == pytest.approx(0.5)
    report["settings"]["threads"] = 1
    (point,) = _roofline.points(report, "xpconv")
    assert point.roof == pytest.approx(250e9)  # the products'


def test_the_report_has_peaks_and_shares(report: dict[str, Any]) -> None:
    text = _report.markdown(report)
    assert "| 2 | 500 | 2.40 |" in text
    assert "| 1x1, batch 10, forward | 200 | 1.20 | 167 | 400 | 50% | 25% |" in text
    del report["peaks"]
    assert "Roofline" not in _report.markdown(report)


def test_a_picture_is_drawn(report: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert _plot_roofline.plot(report, tmp_path / "roof.png")
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")
    del report["peaks"]
    assert not _plot_roofline.plot(report, tmp_path / "roof.png")


def test_peaks_are_the_best_of_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        def __init__(self, spec: PeerSpec, threads: int) -> None:
            self.spec, self.threads = spec, threads

        def __enter__(self) -> Stub:
            return self

        def __exit__(self, *_: object) -> None: ...

        def ask(self, do: str) -> dict[str, float]:
            assert do == "peaks"
            if self.spec.key == "absent":
                raise _roofline.WorkerError("absent")
            fast = 2.0 if self.spec.key == "b" else 1.0
            return {"flops": fast * self.threads, "bytes": 3.0 / fast}

    monkeypatch.setattr(_roofline, "Worker", Stub)
    specs = [PeerSpec(key, key) for key in ("a", "absent", "b")]
    found = _roofline.measure(specs, 2)
    assert found == {"1": {"flops": 2.0, "bytes": 3.0}, "2": {"flops": 4.0, "bytes": 3.0}}
    assert _roofline.measure(specs[1:2], 1) == {}


def test_a_library_tells_its_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks._peers import Unsupported, _im2col, load

    monkeypatch.setattr(_im2col, "CPU_SIZE", 64)
    monkeypatch.setattr(_im2col, "CPU_BYTES", 4096)
    found = load({"library": "im2col", "threads": 2}).peaks()
    assert found["flops"] > 0
    assert found["bytes"] > 0
    with pytest.raises(Unsupported, match="no products"):
        load({"library": "xpconv", "threads": 1}).peaks()
