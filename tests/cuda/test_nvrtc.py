"""NVIDIA's compiler takes every kernel, in every choice of its types, for the GPUs of today."""

from __future__ import annotations

import pytest

from tests.cuda import nvrtc
from tests.cuda.catalogue import expressions
from xpconv.engines._cuda import _launch

pytestmark = pytest.mark.usefixtures("nvrtc_library")


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("subject", expressions())
def test_every_kernel_compiles_without_a_word(subject: str, architecture: str) -> None:
    names = expressions()[subject]
    options = (*_launch.OPTIONS, f"--gpu-architecture={architecture}")
    code, log = nvrtc.compile_all(_launch.source(subject), names, options)
    assert code.startswith(b"\x7fELF")
    assert log == ""


def test_a_mistake_is_found() -> None:
    with pytest.raises(RuntimeError, match="no_such_name"):
        nvrtc.compile_all("__global__ void f() { no_such_name(); }", [], ("--std=c++17",))
