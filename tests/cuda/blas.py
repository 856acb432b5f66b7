"""The stand-in for cuBLASLt, compiled with g++, and what a test tells it and asks it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int32, c_size_t, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.cuda import host
from xpconv.engines._cuda import _blas, _blas_library


class Control(ctypes.Structure):
    """``Control`` of the source."""

    _fields_ = (
        ("device", c_int32),
        ("no_bias", c_int32),
        ("no_algorithm", c_int32),
        ("refuse_sizes", c_int32),
        ("fail", c_int32),
        ("descriptors", c_int32),
        ("plans", c_int32),
        ("products", c_int32),
        ("schemes", c_uint32),
        ("compute", c_int32),
        ("type", c_int32),
        ("epilogue", c_int32),
        ("batch", c_int32),
        ("stream", c_void_p),
        ("workspace", c_size_t),
    )


@cache
def _library() -> Any:
    folder = Path(tempfile.mkdtemp(prefix="cublaslt-"))
    source, made = Path(__file__).with_name("cublaslt.cpp"), folder / "cublaslt.so"
    command = [str(host.COMPILER), "-std=c++17", "-O1", "-fPIC", "-shared", "-ffp-contract=off"]
    subprocess.run([*command, source, "-o", made], check=True)
    loaded = ctypes.CDLL(str(made))
    shutil.rmtree(folder)
    return _blas_library.bind(loaded)


def load() -> tuple[Any, Control]:
    """The bound library, and its control."""
    return _library(), Control.in_dll(_library(), "control")


def clear() -> None:
    """Forget every plan, handle and library."""
    _blas._plan.cache_clear()
    _blas._handle.cache_clear()


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """Products of NumPy arrays go to the stand-in, as those of CuPy arrays go to cuBLASLt."""
    standin, control = load()
    control.device, control.no_bias, control.no_algorithm, control.fail = 1, 0, 0, 0
    control.refuse_sizes = control.plans = control.products = 0
    monkeypatch.setattr(_blas_library, "_find", lambda: standin)
    clear()
    yield control
    clear()
