"""Whether cuDNN is there: in words, for the doctor, and as the reason that an engine gives."""

from __future__ import annotations

import dataclasses
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.cudnn.conftest import forget
from tests.engines.test_engines import problem_of
from tests.refusals import refused
from xpconv import doctor, engines
from xpconv._settings import wrong_settings
from xpconv.engines import cudnn
from xpconv.engines._cudnn import _library

PROBLEM = problem_of().of(np.ones(1, dtype=np.float32))


def test_it_is_there(machine: Any) -> None:
    assert cudnn.refusal(PROBLEM) is None
    assert engines.cudnn_refusal() is None
    assert doctor.examine()["engines"]["cuDNN"] == "9.12.0, by version 1.28.0 of its front end"


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (None, "cuDNN's front end cannot be imported"),
        (ModuleType("cudnn"), "the package cudnn has no pygraph, create_handle"),
    ],
)
def test_a_front_end_that_is_missing_or_another_package(
    machine: Any, monkeypatch: pytest.MonkeyPatch, package: Any, words: str
) -> None:
    monkeypatch.setitem(sys.modules, "cudnn", package)
    forget()
    reason = str(cudnn.refusal(PROBLEM))
    assert reason.startswith(words)
    assert reason.endswith("pip install 'xpconv[cudnn13]' (or 'xpconv[cudnn12]' for CUDA 12)")
    assert doctor.examine()["engines"]["cuDNN"] == reason


def test_a_library_that_is_missing(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> int:
        raise RuntimeError("Unable to find symbol cudnnGetVersion")

    monkeypatch.setattr(sys.modules["cudnn"], "backend_version", dies)
    assert "does not find the library itself (Unable to find symbol" in str(_library.refusal())


def test_a_library_that_is_too_old(machine: Any) -> None:
    machine.version = 8907
    assert str(_library.refusal()).startswith("cuDNN 9 is needed, and 8.9.7 was found")


def test_it_can_be_turned_off(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_CUDNN", "off")
    assert cudnn.refusal(PROBLEM) == "XPCONV_CUDNN=0 turns cuDNN off"


def test_settings_that_cannot_be_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_CUDNN", "maybe")
    monkeypatch.setenv("XPCONV_CUDNN_DETERMINISTIC", "2")
    assert list(wrong_settings()) == ["XPCONV_CUDNN", "XPCONV_CUDNN_DETERMINISTIC"]


def test_it_is_not_looked_for_where_arrays_are_not_cupys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_library, "refusal", lambda: 1 / 0)
    assert cudnn.refusal(PROBLEM) == "the arrays are not CuPy's"
    with refused("engine 'cudnn' cannot solve", "not CuPy's"), engines.engine("cudnn"):
        engines.forward(PROBLEM, np.ones((2, 7, 6, 4)), np.ones((6, 4, 3, 3)))


def test_it_is_looked_for_once(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cudnn.refusal(PROBLEM) is None
    monkeypatch.setitem(sys.modules, "cudnn", None)
    assert cudnn.refusal(dataclasses.replace(PROBLEM, batch=3)) is None
