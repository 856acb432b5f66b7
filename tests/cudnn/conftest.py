"""The fixture that lets NumPy arrays take the way of CuPy's, to a cuDNN on the host."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.cudnn import host, stand_in
from xpconv.engines import _select, cudnn
from xpconv.engines._cudnn import _device, _library, _plans


def forget() -> None:
    """Nothing that was found out about this process, its device or its problems is kept."""
    for function in (_library.front_end, _library.refusal, _select._select):
        function.cache_clear()
    _device._DEVICES.clear()
    _plans.forget()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[stand_in.Machine]]:
    """A machine with cuDNN and CuPy, whose device memory is the host's."""
    stand_in.Machine.reset()
    monkeypatch.setitem(sys.modules, "cudnn", stand_in.module())
    monkeypatch.setitem(sys.modules, "cupy", host.module())
    monkeypatch.setattr(cudnn, "_LIBRARY", "numpy")
    monkeypatch.setattr(_library, "tf32_allowed", lambda: False)
    monkeypatch.delenv("XPCONV_CUDNN", raising=False)
    monkeypatch.delenv("XPCONV_CUDNN_DETERMINISTIC", raising=False)
    forget()
    yield stand_in.Machine
    forget()
