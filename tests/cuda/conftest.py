"""The fixture that lets NumPy arrays take the way of CuPy's, through host-compiled bodies."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.cuda import host
from xpconv.engines import _bodies, _cuda, _cupy, _primitives, winograd
from xpconv.engines._cuda import _launch


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Public operations on NumPy arrays use the CUDA bodies, compiled with g++."""
    if host.COMPILER is None:
        pytest.skip("g++ is not installed: the CUDA bodies are not compiled for the host")
    monkeypatch.setitem(sys.modules, "cupy", host.module())
    monkeypatch.setitem(_bodies.LOOKUPS, "numpy", _cuda.body)
    monkeypatch.setattr(_primitives, "_numpy", _cupy)
    monkeypatch.setattr(winograd, "_compiled", lambda problem: False)
    _launch.kernel.cache_clear()
    yield
    _launch.kernel.cache_clear()
