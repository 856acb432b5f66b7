"""Which engine is chosen: forced by a block or the environment, refused with reasons, explained."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import xpconv
from tests.engines.test_engines import problem_of
from tests.refusals import refused
from xpconv import engines, ops

X = np.ones((1, 4, 5, 5), dtype=np.float32)
WEIGHT = np.ones((2, 4, 3, 3), dtype=np.float32)


def test_a_block_forces_an_engine() -> None:
    problem = problem_of(kernel=1)
    with xpconv.engine("im2col"):
        assert engines.select(problem) is engines.im2col
        with xpconv.engine("pointwise"):
            assert engines.select(problem) is engines.pointwise
        assert engines.select(problem) is engines.im2col
    assert engines.select(problem) is engines.pointwise


def test_the_first_that_can_is_taken() -> None:
    with xpconv.engine("pointwise", "im2col"):
        assert engines.select(problem_of(kernel=1)) is engines.pointwise
        assert engines.select(problem_of(kernel=3)) is engines.im2col


@pytest.mark.parametrize("task", engines.TASKS)
def test_exact_engines_only(task: str) -> None:
    with xpconv.engine("exact"):
        for shape in ({"kernel": 1}, {"kernel": 3, "n_in": 64, "n_out": 64, "size": (32, 32)}):
            assert engines.select(problem_of(**shape), task).exact


def test_what_no_allowed_engine_can_do_is_refused_with_every_reason() -> None:
    with (
        xpconv.engine("pointwise", "depthwise"),
        refused("engine 'pointwise' cannot", "more than one element", "'depthwise'"),
    ):
        ops.conv2d(X, WEIGHT)


def test_an_unknown_engine_is_refused_at_once() -> None:
    with refused("there is no engine 'fft'", "im2col", "auto"), xpconv.engine("fft"):
        pass
    with refused("there is no engine ''"), xpconv.engine():
        pass


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_ENGINE", "im2col")
    assert engines.select(problem_of(kernel=1)) is engines.im2col
    monkeypatch.setenv("XPCONV_ENGINE", "depthwise, pointwise")
    assert engines.select(problem_of(kernel=1)) is engines.pointwise
    with xpconv.engine("auto"):
        assert engines.select(problem_of(kernel=3)).refusal(problem_of(kernel=3)) is None
    monkeypatch.setenv("XPCONV_ENGINE", "fft")
    with refused("environment variable XPCONV_ENGINE", "no engine 'fft'"):
        ops.conv2d(X, WEIGHT)


def test_a_choice_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng()
    weight = np.ones((2, 4, 3, int(rng.integers(1, 5))), dtype=np.float32)
    x = np.ones((1, 4, 7, int(rng.integers(1000, 2000))), dtype=np.float32)
    with caplog.at_level(logging.DEBUG, "xpconv.engines"), xpconv.engine("im2col"):
        ops.conv2d(x, weight)
        ops.conv2d(x, weight)
    (record,) = caplog.records
    assert "forward by im2col" in record.getMessage()
    assert "float32, numpy" in record.getMessage()


def test_explanations_name_what_was_passed_over() -> None:
    text = engines.explain(problem_of(kernel=3))
    assert text.splitlines()[0].startswith("3x3 4>6, 7x6, batch 2, padding 1+1,1+1")
    assert "not pointwise: the kernel has more than one element" in text
    for task in engines.TASKS:
        assert f"  {task}: im2col" in text
    with xpconv.engine("pointwise"):
        assert "none of the allowed engines" in engines.explain(problem_of(kernel=3))


def test_a_problem_knows_its_arrays(backend) -> None:
    problem = problem_of().of(backend.array(X))
    assert problem.dtype == "float32"
    assert problem.library
    assert str(problem).endswith(f"float32, {problem.library}")
