"""What cuDNN's own heuristics plan for our graphs, for an H200 that is described to them.

Kernels are chosen and made ready, with their workspaces; none is run. Where cuDNN is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cudnn import deviceless
from xpconv.engines._cudnn import _library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def planned() -> list[dict[str, Any]]:
    """Everything that was asked, and what was chosen."""
    _library.refusal.cache_clear()
    reason = _library.refusal()
    if reason is not None:
        pytest.skip(f"no plan is made: {reason}")
    command = [sys.executable, "-m", "tests.cudnn.deviceless"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if deviceless.UNREAD in done.stderr:
        pytest.skip(f"no plan is made: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def kernels(planned: list[dict[str, Any]], **asked: Any) -> list[str]:
    asked = {"budget": deviceless.BUDGET, **asked}
    found = [p["kernel"] for p in planned if all(p[key] == value for key, value in asked.items())]
    assert found
    return found


def test_there_is_a_plan_for_everything(planned: list[dict[str, Any]]) -> None:
    """In every dtype, for all three tasks, with bias and activation in the same kernel."""
    assert [p for p in planned if p["kernel"] is None] == []


def test_the_budget_is_kept(planned: list[dict[str, Any]]) -> None:
    assert [p for p in planned if p["workspace"] > p["budget"]] == []


@pytest.mark.parametrize("task", ["forward", "input_grad", "weight_grad"])
def test_tf32_is_another_kernel(planned: list[dict[str, Any]], task: str) -> None:
    asked = {"name": "3x3", "dtype": "float32", "task": task}
    assert not set(kernels(planned, tf32=False, **asked)) & set(
        kernels(planned, tf32=True, **asked)
    )
