"""The suite's own promises: skips are loud, and what is required may not be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def run(required: str, only: str = "", tests: str = PROBE) -> tuple[int, str]:
    """One small test on every library, in a new process where all but NumPy are missing."""
    arguments = [tests, "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib"]
    code = HIDE.format(missing={"torch", "array_api_strict", "cupy"}, arguments=arguments)
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"XPCONV_REQUIRE_BACKENDS": required, "XPCONV_ONLY_BACKENDS": only},
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


def test_compilers_that_are_required_may_not_be_missing() -> None:
    arguments = [sys.executable, "-m", "pytest", PROBE, "-p", "no:cacheprovider"]
    settings = {"XPCONV_REQUIRE_COMPILERS": "1", "XPCONV_NUMBA": "0"}
    result = subprocess.run(
        arguments, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | settings
    )
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "XPCONV_REQUIRE_COMPILERS is set: XPCONV_NUMBA=0 turns Numba off" in result.stderr


def test_what_is_required_may_not_be_missing() -> None:
    code, output = run("cupy,array_api_strict")
    assert code == 1, output
    assert "XPCONV_REQUIRE_BACKENDS asks for cupy: cupy is not installed" in output
    assert "XPCONV_REQUIRE_BACKENDS asks for strict: array_api_strict is not installed" in output
    assert "2 passed, 1 skipped, 2 errors" in output


@pytest.mark.parametrize("names", [("numpy,abacus", ""), ("", "abacus")])
def test_an_unknown_library_is_refused(names: tuple[str, str]) -> None:
    code, output = run(*names)
    assert code == 4, output
    assert "abacus" in output


def test_some_libraries_only() -> None:
    """As ci/gpu.sh asks for CuPy: the others' tests neither run nor are they skipped."""
    code, output = run("numpy", only="numpy,none", tests="tests/test_random.py")
    assert code == 0, output
    assert "strict    not asked for" in output
    assert "deselected" in output
    assert "skipped" not in output
    code, alone = run("numpy", only="numpy", tests="tests/test_random.py")
    assert code == 0, alone
    ran = [int(text.split(" passed")[0].split()[-1]) for text in (output, alone)]
    assert ran[0] > ran[1] > 0  # tests of no library have run in the first
    assert run("cupy", only="cupy")[0] == 1
