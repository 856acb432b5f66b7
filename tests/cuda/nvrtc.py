"""NVIDIA's run-time compiler through its C interface: it needs no driver and no GPU."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any


def _places() -> list[str]:
    """Where the compiler may lie: in NVIDIA's wheels, or where the system finds libraries."""
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    wheels = [str(p) for folder in folders for p in Path(folder).glob("*/lib/libnvrtc.so.*[0-9]")]
    return [*sorted(wheels), *filter(None, [ctypes.util.find_library("nvrtc")])]


@cache
def library() -> Any:
    """The compiler, or None where it is not installed."""
    for place in _places():
        try:
            return ctypes.CDLL(place)
        except OSError:
            continue
    return None


def compile_all(code: str, names: list[str], options: tuple[str, ...]) -> tuple[bytes, str]:
    """The machine code of all kernels named, and what the compiler had to say."""
    nvrtc = library()
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), None, 0, None, None) == 0
    try:
        for name in names:
            assert nvrtc.nvrtcAddNameExpression(program, name.encode()) == 0
        given = [option.encode() for option in options]
        status = nvrtc.nvrtcCompileProgram(
            program, len(given), (ctypes.c_char_p * len(given))(*given)
        )
        log = _read(program, "ProgramLog").rstrip(b"\0").decode()
        if status:
            raise RuntimeError(log)
        for name in names:
            lowered = ctypes.c_char_p()
            assert nvrtc.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(lowered)) == 0
            assert lowered.value
        return _read(program, "CUBIN"), log
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _read(program: ctypes.c_void_p, what: str) -> bytes:
    nvrtc, size = library(), ctypes.c_size_t()
    assert getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)) == 0
    buffer = ctypes.create_string_buffer(size.value)
    assert getattr(nvrtc, f"nvrtcGet{what}")(program, buffer) == 0
    return buffer.raw
