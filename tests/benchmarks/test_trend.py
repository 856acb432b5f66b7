"""The trend of a sweep, and the point that is furthest above it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import _plot_trend, _report, _trend, scaling
from benchmarks._cases import to_json


def report(group: str, times: dict[int, float], key: str = "xpconv", threads: int = 2) -> Any:
    cases = {
        _trend.size_of({"case": to_json(case)}): case
        for case in scaling.cases()
        if case.group == group
    }
    rows = [
        {
            "case": to_json(replace(cases[size], mode="forward+backward")),
            "threads": threads,
            "times": {key: {"turns": [{"minimum": time, "median": time, "calls": 1}], "scale": 1}},
            "notes": {},
            "differences": {},
        }
        for size, time in times.items()
    ]
    return {
        "title": "A run",
        "machine": {"processor": "an abacus", "libraries": "none", "date": "today"},
        "libraries": {},
        "settings": {"statistic": "minimum", "rounds": 1, "threads": 2, "dtype": "float32"},
        "problems": [],
        "rows": rows,
    }


COSTS = {
    "batch": (scaling.BATCHES, lambda n: 2 + 3 * n),
    "image": (scaling.SIZES, lambda n: 50 + 0.01 * n**2),
    "channels": (scaling.CHANNELS, lambda n: 5 + 0.2 * n + 0.01 * n**2),
}


@pytest.mark.parametrize("group", COSTS)
def test_a_cost_that_grows_as_it_should_is_its_own_trend(group: str) -> None:
    sizes, cost = COSTS[group]
    (found,) = _trend.trends(report(group, {n: cost(n) for n in sizes}))
    np.testing.assert_allclose(found.fitted, found.times, rtol=1e-9)
    assert found.sizes == sizes
    assert found.worst[0] == pytest.approx(1)


@pytest.mark.parametrize("group", COSTS)
def test_a_cliff_is_found_where_it_is(group: str) -> None:
    sizes, cost = COSTS[group]
    times = {n: cost(n) * (1.8 if n == sizes[5] else 1) for n in sizes}
    (found,) = _trend.trends(report(group, times))
    worst, name = found.worst
    assert 1.5 < worst < 1.8
    assert name == found.labels[5]
    assert name.endswith("2 threads")


def test_no_coefficient_is_below_zero() -> None:
    times = [10.0, 9.0, 8.0, 9.0, 12.0]  # a line through them would fall
    fitted = _trend.fit([(1.0, float(n)) for n in range(1, 6)], times)
    assert fitted == sorted(fitted)
    falling = _trend.fit([(1.0, float(n)) for n in range(1, 6)], [5.0, 4.0, 3.0, 2.0, 1.0])
    assert len({round(value, 9) for value in falling}) == 1


def test_the_report_has_every_sweep_and_column() -> None:
    sizes, cost = COSTS["batch"]
    run = report("batch", {n: cost(n) for n in sizes})
    times = {n: cost(n) * (2 if n == 64 else 1) for n in sizes}
    run["rows"] += report("batch", times, "torch", threads=1)["rows"]
    text = _report.markdown(run)
    assert "| sweep | xpconv | PyTorch | PyTorch's better layout |" in text
    assert "| batch, threads: 2 | ×1.00 (3x3 64>64, 28², batch " in text
    assert "(3x3 64>64, 28², batch 64, 1 thread)" in text
    assert _trend.NOTE in text


def test_too_few_points_have_no_trend() -> None:
    assert _trend.trends(report("channels", {1: 1.0, 2: 2.0, 4: 4.0})) == []
    assert "Trend" not in _report.markdown(report("batch", {1: 1.0, 2: 2.0}))


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    sizes, cost = COSTS["image"]
    assert _plot_trend.plot(report("image", {n: cost(n) for n in sizes}), tmp_path / "trend.png")
    assert (tmp_path / "trend.png").read_bytes().startswith(b"\x89PNG")
    assert not _plot_trend.plot(report("image", {16: 1.0}), tmp_path / "nothing.png")
    assert not (tmp_path / "nothing.png").exists()
