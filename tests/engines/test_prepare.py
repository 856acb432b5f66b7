"""A prepared convolution is `forward`, for every engine, as often as it is called."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given

from tests.backends import Library, host
from tests.engines.test_activation import operands
from tests.engines.test_engines import EACH, SHAPES, drawn_problem, on, problem_of, variants
from tests.ops import strategies
from xpconv import engines


def assert_prepares(
    backend: Library, engine: ModuleType, problem: engines.Problem, seed: int, hole: float
) -> None:
    x, weight, bias = operands(backend, problem, seed, hole)
    other, _, _ = operands(backend, problem, seed + 1, 0.5)
    for activation in (None, *engines.ACTIVATIONS):
        with engines.engine(engine.name), np.errstate(invalid="ignore"):
            run = engines.prepare(problem, weight, bias, activation)
            for given in (x, other, x):
                expected = engines.forward(problem, given, weight, bias, activation)
                np.testing.assert_array_equal(host(run(given)), host(expected))
            plain = engines.prepare(problem, weight)(other)
            np.testing.assert_array_equal(
                host(plain), host(engines.forward(problem, other, weight))
            )


@EACH
@pytest.mark.parametrize("hole", [0.5, np.nan, np.inf])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_prepared_is_forward(
    backend: Library, engine: ModuleType, shape: dict, hole: float
) -> None:
    problem = on(backend, problem_of(**shape))
    if engine.refusal(problem) is None:
        assert_prepares(backend, engine, problem, 0, hole)


@EACH
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_prepared_drawn_problems(backend: Library, engine: ModuleType, conv, seed: int) -> None:
    for problem in variants(on(backend, drawn_problem(conv))):
        if engine.refusal(problem) is None:
            assert_prepares(backend, engine, problem, seed, 0.5)


def test_weights_that_are_not_finite() -> None:
    rng = np.random.default_rng(0)
    problem = problem_of(n_in=32, n_out=32, size=(12, 12))
    x = rng.normal(size=(problem.batch, 12, 12, 32)).astype(np.float32)
    weight = rng.normal(size=(32, 32, 3, 3)).astype(np.float32)
    weight[3, 2, 1, 1] = np.nan
    problem = problem.of(x)
    for names in ("auto", "exact"):
        with engines.engine(names):
            found = engines.prepare(problem, weight)(x)
            np.testing.assert_array_equal(found, engines.forward(problem, x, weight))


def test_the_engine_is_chosen_then() -> None:
    x, weight = np.ones((2, 4, 4, 1), np.float32), np.ones((1, 1, 3, 3), np.float32)
    problem = problem_of(n_in=1, n_out=1, size=(4, 4), padding=((0, 0), (0, 0))).of(x)
    with engines.engine("pointwise"), pytest.raises(ValueError, match="'pointwise' cannot solve"):
        engines.prepare(problem, weight)
    with engines.engine("im2col"):
        run = engines.prepare(problem, weight)
    with engines.chosen() as problems:
        np.testing.assert_array_equal(run(x), np.full((2, 2, 2, 1), 9.0))
    assert not problems


def test_running_out_of_memory_names_the_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(engines.im2col, "forward", fails)
    x, weight = np.ones((2, 4, 4, 1), np.float32), np.ones((1, 1, 3, 3), np.float32)
    problem = problem_of(n_in=1, n_out=1, size=(4, 4)).of(x)
    with engines.engine("im2col"):
        run = engines.prepare(problem, weight)
    with pytest.raises(MemoryError, match="3x3 1>1, 4x4"):
        run(x)
