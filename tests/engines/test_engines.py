"""Every engine solves the problems that it supports, as im2col and the loops do."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given

import xpconv
from tests import reference
from tests.backends import Library, host
from tests.ops import strategies
from xpconv import engines
from xpconv.engines import _numba as compiled

ENGINES = {
    name: module
    for name, module in vars(engines).items()
    if isinstance(module, ModuleType) and hasattr(module, "exact")
}
EACH = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))

# 1x1 kernels, depthwise kernels and the rest must all come up, so that no engine idles
SHAPES = {
    "pointwise": {"kernel": 1},
    "pointwise, strided": {"kernel": 1, "stride": 2},
    "depthwise": {"groups": 4, "n_out": 4},
    "depthwise, several kernels a channel": {"groups": 4, "n_out": 8, "stride": 2},
    "groups": {"groups": 2},
    "dilated": {"dilation": 2},
    "asymmetric": {"padding": ((2, 0), (1, 3))},
    "strided": {"stride": 3},
    "padded by more than the window": {"padding": ((3, 3), (3, 3)), "kernel": 2},
    "one channel, wide rows": {"n_in": 1, "size": (4, 40)},
    "one channel, wide rows, strided": {"n_in": 1, "size": (4, 80), "stride": 2, "dilation": 2},
    "many channels": {"n_in": 20, "n_out": 2, "size": (4, 5)},
}


def problem_of(
    kernel=3,
    stride=1,
    dilation=1,
    padding=((1, 1), (1, 1)),
    groups=1,
    n_in=4,
    n_out=6,
    size=(7, 6),
):
    if kernel == 1:
        padding = ((0, 0), (0, 0))
    return engines.Problem(
        batch=2,
        in_channels=n_in,
        out_channels=n_out,
        in_size=size,
        kernel_size=(kernel, kernel),
        stride=(stride, stride),
        padding=padding,
        dilation=(dilation, dilation),
        groups=groups,
    )


def drawn_problem(conv: strategies.Conv) -> engines.Problem:
    return engines.Problem(
        batch=conv.x[0],
        in_channels=conv.x[1],
        out_channels=conv.weight[0],
        in_size=conv.x[2:],
        kernel_size=conv.weight[2:],
        stride=conv.stride,
        padding=conv.pairs,
        dilation=conv.dilation,
        groups=conv.groups,
    )


def on(backend: Library, problem: engines.Problem) -> engines.Problem:
    """The problem for arrays of a library."""
    return problem.of(backend.array(np.zeros(1)))


def last(x: np.ndarray) -> np.ndarray:
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def assert_solves(
    backend: Library, engine: ModuleType, problem: engines.Problem, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(problem.batch, problem.in_channels, *problem.in_size))
    weight = rng.normal(size=(problem.out_channels, problem.group_in, *problem.kernel_size))
    options = (problem.stride, problem.padding, problem.dilation, problem.groups)
    y = reference.conv(x, weight, None, *options)
    dy = rng.normal(size=y.shape)
    dx, dweight, _ = reference.conv_gradients(x, weight, dy, *options)
    x, dy = backend.array(last(x)), backend.array(last(dy))
    weight = backend.array(weight)
    backend.assert_close(engine.forward(problem, x, weight), last(y))
    backend.assert_close(engine.weight_grad(problem, x, dy), dweight)
    backend.assert_close(engine.input_grad(problem, dy, weight), last(dx))


@EACH
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_against_the_loops(backend: Library, engine: ModuleType, shape: dict) -> None:
    problem = on(backend, problem_of(**shape))
    if engine.refusal(problem) is None:
        assert_solves(backend, engine, problem, 0)


def variants(problem: engines.Problem) -> list[engines.Problem]:
    """A problem, its like with kernels of one pixel, and its like with a group for each channel."""
    pixel = (1,) * problem.ndim
    return [
        problem,
        dataclasses.replace(problem, kernel_size=pixel, padding=((0, 0),) * problem.ndim, groups=1),
        dataclasses.replace(
            problem, out_channels=2 * problem.in_channels, groups=problem.in_channels
        ),
    ]


@EACH
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_drawn_problems_against_the_loops(backend: Library, engine, conv, seed: int) -> None:
    for problem in variants(on(backend, drawn_problem(conv))):
        if engine.refusal(problem) is None:
            assert_solves(backend, engine, problem, seed)


def test_each_engine_is_chosen_for_something() -> None:
    chosen = set()
    for library in ("numpy", "torch"):
        for shape in SHAPES.values():
            problem = dataclasses.replace(problem_of(**shape), dtype="float32", library=library)
            chosen |= {engines.select(problem, task).name for task in engines.TASKS}
    wide = problem_of(n_in=32, n_out=32, size=(32, 32))
    chosen.add(engines.select(dataclasses.replace(wide, dtype="float32", library="numpy")).name)
    possible = set(ENGINES) - {"cudnn"}  # it has tests of its own, with arrays that it takes
    if compiled.refusal() is not None:
        possible -= {"direct"}
    assert chosen == possible


def test_names_are_their_own() -> None:
    assert {engine.name for engine in ENGINES.values()} == set(ENGINES)


@given(conv=strategies.convs())
def test_im2col_supports_everything(conv: strategies.Conv) -> None:
    problem = drawn_problem(conv)
    assert engines.im2col.refusal(problem) is None
    assert engines.select(problem).refusal(problem) is None


@EACH
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("budget", [1, 1000, 5000])
def test_small_pieces_give_the_same(backend: Library, engine, shape: dict, budget: int) -> None:
    problem = on(backend, problem_of(**shape))
    if engine.refusal(problem) is not None:
        return
    with xpconv.conv_workspace(budget):
        assert_solves(backend, engine, problem, 1)


@EACH
def test_inputs_are_left_alone(backend: Library, engine: ModuleType) -> None:
    rng = np.random.default_rng(3)
    for shape in SHAPES.values():
        problem = on(backend, problem_of(**shape))
        if engine.refusal(problem) is not None:
            continue
        arrays = [
            rng.normal(size=(problem.batch, *problem.in_size, problem.in_channels)),
            rng.normal(size=(problem.out_channels, problem.group_in, *problem.kernel_size)),
            rng.normal(size=(problem.batch, *problem.out_size, problem.out_channels)),
        ]
        x, weight, dy = (backend.array(array) for array in arrays)
        engine.forward(problem, x, weight)
        engine.weight_grad(problem, x, dy)
        engine.input_grad(problem, dy, weight)
        for array, original in zip((x, weight, dy), arrays, strict=True):
            np.testing.assert_array_equal(host(array), original)
