"""The suite's own promises: skips are loud, and what is required may not be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROBE = "tests/test_random.py::test_bits_are_even"


HIDE = """
import sys

class Hider:
    def find_spec(self, name, path=None, target=None):
        if name in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Hider())
import pytest
sys.exit(pytest.main({arguments}))
"""


def run(required: str) -> tuple[int, str]:
    """One small test on every library, in a new process where all but NumPy are missing."""
    arguments = [PROBE, "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
    code = HIDE.format(missing={"torch", "array_api_strict", "cupy"}, arguments=arguments)
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"XPCONV_REQUIRE_BACKENDS": required},
    )
    return result.returncode, result.stdout + result.stderr


def test_missing_libraries_are_said_aloud() -> None:
    code, output = run("numpy, readonly")
    assert code == 0, output
    for line in (
        "numpy     1 tests ran",
        "readonly  1 tests ran",
        "strict    NOT RUN: array_api_strict is not installed",
        "torch     NOT RUN: torch is not installed",
        "cupy      NOT RUN: cupy is not installed",
        "1 skipped: torch: torch is not installed",
    ):
        assert line in output


def test_what_is_required_may_not_be_missing() -> None:
    code, output = run("cupy,array_api_strict")
    assert code == 1, output
    assert "XPCONV_REQUIRE_BACKENDS asks for cupy: cupy is not installed" in output
    assert "XPCONV_REQUIRE_BACKENDS asks for strict: array_api_strict is not installed" in output
    assert "2 passed, 1 skipped, 2 errors" in output


def test_an_unknown_library_is_refused() -> None:
    code, output = run("numpy,abacus")
    assert code == 4, output
    assert "abacus" in output
