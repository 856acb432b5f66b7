"""The fixture that lets NumPy arrays take the way of CuPy's, through host-compiled bodies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends import COMPILERS
from tests.cuda import blas, host, nvrtc
from xpconv.engines import _bodies, _cuda, _cupy, _primitives, winograd
from xpconv.engines._cuda import _launch


@pytest.fixture(scope="module")
def nvrtc_library() -> Any:
    """NVIDIA's compiler."""
    reason = "NVRTC is not installed, pip install '.[nvrtc]': no CUDA body is compiled for a GPU"
    need(nvrtc.library(), reason)
    return nvrtc.library()


def need(compiler: Any, reason: str) -> None:
    """Skip without a compiler, or fail where the environment requires all of them."""
    if compiler is None and os.environ.get(COMPILERS):
        pytest.fail(f"{COMPILERS} is set: {reason}", pytrace=False)
    if compiler is None:
        pytest.skip(reason)


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> Iterator[blas.Control]:
    """Public operations on NumPy arrays use the CUDA bodies and products, as compiled with g++."""
    need(host.COMPILER, "g++ is not installed: the CUDA bodies are not compiled for the host")
    monkeypatch.setitem(sys.modules, "cupy", host.module())
    monkeypatch.setitem(_bodies.LOOKUPS, "numpy", _cuda.body)
    monkeypatch.setattr(_primitives, "_portable", _cupy)
    monkeypatch.setattr(winograd, "_compiled", lambda problem: False)
    _launch.kernel.cache_clear()
    with blas.installed(monkeypatch) as control:
        yield control
    _launch.kernel.cache_clear()
