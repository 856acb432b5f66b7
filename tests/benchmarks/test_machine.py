"""What a report says about the machine, and about an environment that slows a library down."""

from __future__ import annotations

import pytest

from benchmarks import _machine
from benchmarks._report import markdown


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in _machine.variables():
        monkeypatch.delenv(name)
    return monkeypatch


def test_a_clean_environment_is_said_to_be_one(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("OPENBLAS_NUM_THREADS", "1")  # set for every worker anyway
    assert _machine.describe()["environment"] == "nothing set"
    assert _machine.warnings() == []


def test_settings_are_named(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("OMP_WAIT_POLICY", "active")
    clean.setenv("MKL_DYNAMIC", "FALSE")
    said = _machine.describe()["environment"]
    assert said == "MKL_DYNAMIC=FALSE, OMP_WAIT_POLICY=active"
    assert _machine.warnings() == []


def test_forced_kernels_are_warned_of(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("OPENBLAS_CORETYPE", "Haswell")
    clean.setattr(_machine, "architectures", lambda: "Haswell")
    (warning,) = _machine.warnings()
    assert "OPENBLAS_CORETYPE=Haswell forces the choice of BLAS kernels" in warning
    assert "those for Haswell" in warning
    assert "kernels for Haswell" in _machine.describe()["BLAS"]
    report = {
        "title": "A run",
        "machine": {},
        "warnings": [warning],
        "libraries": {},
        "settings": {"statistic": "median", "dtype": "float32", "threads": 1, "rounds": 1},
        "problems": [],
        "rows": [],
    }
    assert f"**Warning:** {warning}" in markdown(report)


def test_architectures_come_from_the_blas_that_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = [
        {"user_api": "blas", "architecture": "Zen"},
        {"user_api": "openmp"},
        {"user_api": "blas", "architecture": "Zen"},
    ]
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: pools)
    assert _machine.architectures() == "Zen"
    monkeypatch.setattr(threadpoolctl, "threadpool_info", list)
    assert _machine.architectures() == "an unknown processor"
