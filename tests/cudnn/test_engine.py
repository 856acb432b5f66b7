"""The engine from arrays to arrays, against the loops, through a cuDNN that checks what it is told.

The stand-in computes in float64 and rounds once, so what is compared is everything around it:
layouts, sizes, steps, addresses, which array is which, and what is copied before.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import xpconv
from tests import reference
from tests.cuda.calls import DTYPES, name_of
from tests.engines.test_engines import SHAPES, drawn_problem, last, problem_of
from tests.ops import strategies
from tests.refusals import refused
from xpconv import engines, ops
from xpconv.engines import cudnn

# one machine serves all examples of a test: what it remembers does not change the results
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def whole(shape: tuple[int, ...], dtype: Any, seed: int) -> np.ndarray:
    """Small whole numbers: products and sums are exact in every dtype."""
    return np.random.default_rng(seed).integers(-3, 4, size=shape).astype(dtype)


def assert_solves(problem: engines.Problem, dtype: Any, seed: int) -> None:
    """All three tasks give the very numbers of the loops, in the dtype of the arrays."""
    x = whole((problem.batch, problem.in_channels, *problem.in_size), dtype, seed)
    kernels = (problem.out_channels, problem.group_in, *problem.kernel_size)
    weight, bias = whole(kernels, dtype, seed + 1), whole(kernels[:1], dtype, seed + 2)
    dy = whole((problem.batch, problem.out_channels, *problem.out_size), dtype, seed + 3)
    options = (problem.stride, problem.padding, problem.dilation, problem.groups)
    wide = [array.astype(np.float64) for array in (x, weight, bias, dy)]
    y = reference.conv(wide[0], wide[1], None, *options)
    dx, dweight, _ = reference.conv_gradients(wide[0], wide[1], wide[3], *options)
    biased = y + wide[2].reshape(-1, *(1 for _ in problem.in_size))
    problem = problem.of(x)
    pairs = [
        (cudnn.forward(problem, last(x), weight), last(y)),
        (cudnn.forward(problem, last(x), weight, bias), last(biased)),
        (cudnn.forward(problem, last(x), weight, bias, "relu"), np.maximum(last(biased), 0)),
        (cudnn.forward(problem, last(x), weight, None, "relu"), np.maximum(last(y), 0)),
        (cudnn.input_grad(problem, last(dy), weight), last(dx)),
        (cudnn.weight_grad(problem, last(x), last(dy)), dweight),
    ]
    for mine, theirs in pairs:
        assert mine.dtype == x.dtype
        np.testing.assert_array_equal(mine.astype(np.float64), theirs.astype(dtype).astype(float))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_shapes_against_the_loops(shape: dict, dtype: Any) -> None:
    assert_solves(problem_of(**shape), dtype, 5)


@pytest.mark.usefixtures("machine")
@shared
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_drawn_problems_against_the_loops(conv: strategies.Conv, seed: int) -> None:
    problem = drawn_problem(conv)
    if cudnn.refusal(problem.of(np.zeros(1, dtype=np.float32))) is None:
        assert_solves(problem, "float32", seed)


@pytest.mark.usefixtures("machine")
@shared
@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_operations_against_the_reference_engine(conv: strategies.Conv, seed: int) -> None:
    """Public operations, whose gradients and layouts are their own affair."""
    operation = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}[conv.dims]
    arrays = [whole(conv.x, "float32", seed), whole(conv.weight, "float32", seed)]
    arrays.append(whole(conv.weight[:1], "float32", seed) if conv.bias else None)
    results = []
    for name in ("im2col", "cudnn"):
        with xpconv.engine(name):
            y, pullback = ops.vjp(operation, *arrays, **conv.options)
            results.append([y, *pullback(whole(y.shape, "float32", seed))])
    for mine, theirs in zip(*results):
        if theirs is not None:
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("task", engines.TASKS)
def test_memory_in_any_order_is_read_and_nothing_is_written_to(machine: Any, task: str) -> None:
    """Channels first, steps, turned around, addresses between cuDNN's: copied where it must be."""
    problem = problem_of().of(np.zeros(1, dtype=np.float32))
    shapes = {
        "x": (2, 7, 6, 4),
        "weight": (6, 4, 3, 3),
        "dy": (2, 7, 6, 6),
    }
    names = {"forward": "x weight", "input_grad": "dy weight", "weight_grad": "x dy"}[task].split()
    arrays = [whole(shapes[name], "float32", 3) for name in names]
    with one_kernel(machine):
        expected = getattr(cudnn, task)(problem, *arrays)
    for lay in (channels_first, every_second, backwards, odd_address):
        laid = [lay(array) for array in arrays]
        for array in laid:
            array.setflags(write=False)
        with one_kernel(machine):
            np.testing.assert_array_equal(getattr(cudnn, task)(problem, *laid), expected)
        for array, original in zip(laid, arrays):
            np.testing.assert_array_equal(array, original)


class one_kernel:
    """Exactly one kernel runs within the block, on the current stream."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine

    def __enter__(self) -> None:
        self._before = len(self._machine.ran)

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            assert len(self._machine.ran) == self._before + 1
            assert self._machine.stream == 4711


def channels_first(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -1, 1)), 1, -1)


def every_second(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=-1)[..., ::2]


def backwards(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x[::-1])[::-1]


def odd_address(x: np.ndarray) -> np.ndarray:
    flat = np.empty(x.size + 1, dtype=x.dtype)
    flat[1:] = x.reshape(-1)
    laid = flat[1:].reshape(x.shape)
    assert laid.flags.c_contiguous
    assert laid.ctypes.data % 16
    return laid


def test_a_bias_and_an_activation_cost_no_pass_of_their_own(machine: Any) -> None:
    problem = problem_of().of(np.zeros(1, dtype=np.float32))
    x, weight, bias = (whole(shape, "float32", 1) for shape in ((2, 7, 6, 4), (6, 4, 3, 3), (6,)))
    with xpconv.engine("cudnn"):
        engines.forward(problem, x, weight)
        engines.forward(problem, x, weight, bias)
        engines.forward(problem, x, weight, bias, "relu")
        engines.forward(problem, x, weight, None, "relu")
    done = ["conv_fprop", "conv_fprop bias", "conv_fprop bias relu", "conv_fprop bias relu"]
    assert [name for name, _ in machine.ran] == done


def test_nan_stays(machine: Any) -> None:
    problem = problem_of().of(np.zeros(1, dtype=np.float32))
    x, weight = whole((2, 7, 6, 4), "float32", 1), whole((6, 4, 3, 3), "float32", 2)
    x[0, 3, 3, 0] = np.nan
    y = cudnn.forward(problem, x, weight, np.ones(6, dtype=np.float32), "relu")
    assert np.isnan(y[0, 2:5, 2:5]).all()
    assert np.isfinite(y[1]).all()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": "int64"}, "real floating numbers, not int64"),
        ({"dtype": "complex64"}, "real floating numbers, not complex64"),
        ({"dtype": ""}, "not any dtype"),
        ({"library": "torch"}, "not CuPy's"),
        ({"batch": 0}, "nothing to multiply"),
        ({"in_channels": 0}, "nothing to multiply"),
        ({"out_channels": 0}, "nothing to multiply"),
        (
            {
                "in_size": (3,) * 4,
                "kernel_size": (1,) * 4,
                "stride": (1,) * 4,
                "padding": ((0, 0),) * 4,
                "dilation": (1,) * 4,
            },
            "there are 4 spatial dimensions",
        ),
    ],
)
def test_what_it_does_not_take(change: dict, words: str) -> None:
    problem = problem_of().of(np.zeros(1, dtype=np.float32))
    assert cudnn.refusal(problem) is None
    assert words in str(cudnn.refusal(dataclasses.replace(problem, **change)))


@pytest.mark.parametrize("task", engines.TASKS)
@pytest.mark.parametrize(
    ("dtype", "shape", "words"),
    [
        ("float32", {}, None),
        ("float32", {"groups": 4, "n_out": 4}, None),
        ("float32", {"kernel": 1, "stride": 2}, "one matrix product"),
        ("float32", {"kernel": 1, "groups": 2}, None),
        ("float16", {"kernel": 1}, None),
        ("bfloat16", {}, None),
        ("float64", {}, "its kernels for float64 are few"),
    ],
)
def test_where_another_is_the_better_choice(
    task: str, dtype: str, shape: dict, words: str | None
) -> None:
    problem = dataclasses.replace(problem_of(**shape), dtype=dtype, library="cupy")
    assert str(cudnn.drawback(problem, task)).removeprefix("it is ").startswith(str(words))


@pytest.mark.usefixtures("machine")
def test_arrays_that_it_refuses_are_refused_by_name() -> None:
    with xpconv.engine("cudnn"), refused("engine 'cudnn' cannot", "not int64"):
        ops.conv2d(np.ones((1, 1, 3, 3), dtype=int), np.ones((1, 1, 2, 2), dtype=int))
