"""A convolution with its activation is the convolution, then the activation, on every engine."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given

from tests.backends import Library, host
from tests.engines.test_engines import EACH, SHAPES, drawn_problem, last, on, problem_of, variants
from tests.ops import strategies
from tests.refusals import refused
from xpconv import engines


def operands(backend: Library, problem: engines.Problem, seed: int, hole: float) -> tuple:
    """x with one number that is not finite, weight and bias."""
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(problem.batch, problem.in_channels, *problem.in_size))
    x[(0,) * x.ndim] = hole
    weight = rng.normal(size=(problem.out_channels, problem.group_in, *problem.kernel_size))
    bias = rng.normal(size=problem.out_channels)
    return backend.array(last(x)), backend.array(weight), backend.array(bias)


EXPECTED = {"relu": lambda y: np.maximum(y, 0), "relu6": lambda y: np.minimum(np.maximum(y, 0), 6)}


def assert_rectifies(
    backend: Library, engine: ModuleType, problem: engines.Problem, seed: int, hole: float
) -> None:
    given = operands(backend, problem, seed, hole)
    with engines.engine(engine.name), np.errstate(invalid="ignore"):
        plain = host(engines.forward(problem, *given))
        for activation, apply in EXPECTED.items():
            found = host(engines.forward(problem, *given, activation=activation))
            np.testing.assert_array_equal(found, apply(plain))


@EACH
@pytest.mark.parametrize("hole", [0.5, np.nan, np.inf])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_activations_in_the_same_call(
    backend: Library, engine: ModuleType, shape: dict, hole: float
) -> None:
    problem = on(backend, problem_of(**shape))
    if engine.refusal(problem) is None:
        assert_rectifies(backend, engine, problem, 0, hole)


@EACH
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_activations_of_drawn_problems(
    backend: Library, engine: ModuleType, conv, seed: int
) -> None:
    for problem in variants(on(backend, drawn_problem(conv))):
        if engine.refusal(problem) is None:
            assert_rectifies(backend, engine, problem, seed, np.nan)


def test_some_results_are_cut_off_and_some_are_nan(backend: Library) -> None:
    problem = on(backend, problem_of())
    given = operands(backend, problem, 0, np.nan)
    with np.errstate(invalid="ignore"):
        y = host(engines.forward(problem, *given, activation="relu"))
        z = host(engines.forward(problem, *given, activation="relu6"))
    for share in (y == 0, np.isnan(y), y > 6, z == 6):
        assert 0 < np.mean(share) < 1
    assert set(EXPECTED) == set(engines.ACTIVATIONS)


def test_whole_numbers(backend: Library) -> None:
    problem = problem_of(n_in=1, n_out=1)
    x = backend.xp.asarray(np.full((2, 7, 6, 1), 2).tolist(), dtype=backend.xp.int64)
    weight = backend.xp.asarray([[[[0, 0, 0], [0, -1, 0], [0, 0, 0]]]], dtype=backend.xp.int64)
    assert np.all(host(engines.forward(problem, x, weight)) == -2)
    assert np.all(host(engines.forward(problem, x, weight, activation="relu")) == 0)


def test_an_engine_that_applies_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(problem, x, weight, bias, activation=None):
        return activation

    monkeypatch.setattr(engines.im2col, "forward", forward)
    monkeypatch.setattr(engines.im2col, "activations", frozenset({"relu"}), raising=False)
    with engines.engine("im2col"):
        x, weight = np.zeros((2, 7, 6, 4)), np.zeros((6, 4, 3, 3))
        assert engines.forward(problem_of(), x, weight, activation="relu") == "relu"
        assert engines.forward(problem_of(), x, weight) is None


def test_other_activations_are_refused() -> None:
    x, weight = np.zeros((2, 7, 6, 4)), np.zeros((6, 4, 3, 3))
    with refused("activation must be None or one of 'relu', 'relu6', got 'gelu'"):
        engines.forward(problem_of(), x, weight, activation="gelu")
