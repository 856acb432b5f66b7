"""The first compilation in a process is said, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def compiled(module: str) -> Any:
    function = SimpleNamespace(__module__=module)
    return SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=function)})


def test_compiling_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="Numba is not installed")
    from xpconv.engines._numba import _told

    lines: list[str] = []
    monkeypatch.setattr(_told._LOG, "info", lines.append)
    teller = _told._Teller()
    teller.on_start(compiled("somebody.else"))
    assert not lines
    teller.on_start(compiled("xpconv.engines._numba._relu"))
    teller.on_start(compiled("xpconv.engines._numba._sweep"))
    assert len(lines) == 1
    assert "compiling for this processor" in lines[0]
