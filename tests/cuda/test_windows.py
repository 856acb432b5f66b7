"""im2col and its adjoint, compiled for the host: to the last bit what the portable code answers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda.calls import DTYPES, assert_same, normal, portable, there_and_back, whole
from tests.engines.test_engines import drawn_problem
from tests.ops import strategies
from xpconv import conv_workspace, engines, ops
from xpconv.engines import _cupy, _portable, im2col

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def both(function: Any, *args: Any) -> None:
    mine = function(*args)
    with portable():
        theirs = function(*args)
    assert_same([mine], [theirs])


@same_fixture
@given(
    conv=strategies.convs(min_batch=0),
    times=st.sampled_from([1, 4]),
    seed=strategies.seeds,
    dtype=st.sampled_from([*DTYPES, "int8", "complex64", "complex128"]),
    strided=st.booleans(),
)
def test_primitives(
    conv: strategies.Conv, times: int, seed: int, dtype: Any, strided: bool
) -> None:
    shape = [max(conv.x[0], 1), *conv.x[2:], conv.x[1] * times]
    for axis, (before, after) in enumerate(conv.pairs):
        shape[1 + axis] += before + after
    x = whole(tuple(shape), dtype, seed)
    if strided:
        x = np.repeat(x, 2, axis=1)[:, ::2]
    kernel = conv.weight[2:]
    out = drawn_problem(conv).out_size
    where = (kernel, conv.stride, conv.dilation, out)
    both(_cupy.gather, x, *where, conv.groups)
    cols = _portable.gather(x, *where, conv.groups)
    both(lambda: _cupy.scatter(np.zeros(x.shape, dtype=dtype), cols, *where))


@same_fixture
@given(conv=strategies.convs(), times=st.sampled_from([1, 4]), seed=strategies.seeds)
@pytest.mark.parametrize("budget", ["1KB", "1GB"])
def test_convolutions(budget: str, conv: strategies.Conv, times: int, seed: int) -> None:
    # Whole numbers: the padding is folded in, in pieces of images and of rows.
    problem = drawn_problem(
        dataclasses.replace(conv, x=_wider(conv.x, times), weight=_wider(conv.weight, times))
    )
    x = whole((problem.batch, *problem.in_size, problem.in_channels), "float32", seed)
    weight = whole((problem.out_channels, problem.group_in, *problem.kernel_size), "float32", 1)
    dy = whole((problem.batch, *problem.out_size, problem.out_channels), "float32", 2)
    with conv_workspace(budget):
        both(im2col.forward, problem, x, weight)
        both(im2col.weight_grad, problem, x, dy)
        both(im2col.input_grad, problem, dy, weight)


def _wider(shape: tuple[int, ...], times: int) -> tuple[int, ...]:
    return (shape[0], shape[1] * times, *shape[2:])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "complex64"])
def test_the_public_operation(dtype: str) -> None:
    x, weight, bias = whole((2, 4, 9, 7), dtype), whole((6, 4, 3, 3), dtype, 3), whole((6,), dtype)
    for options in ({"padding": 1}, {"stride": 2, "dilation": 2}, {"padding": ((0, 2), (1, 0))}):
        with engines.engine("im2col"):
            mine = there_and_back(ops.conv2d, x, weight, bias, **options)
            with portable():
                theirs = there_and_back(ops.conv2d, x, weight, bias, **options)
        assert_same(mine, theirs)


def test_no_padded_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("the input was padded")

    monkeypatch.setattr(im2col, "cut", refuse)
    monkeypatch.setattr(im2col, "empty_cut", refuse)
    x, weight = normal((2, 4, 9, 7), "float32"), normal((6, 4, 3, 3), "float32")
    with engines.engine("im2col"):
        there_and_back(ops.conv2d, x, weight, padding=1, stride=2)


def test_sums_come_in_one_order() -> None:
    cols = normal((1, 2 * 4 * 4, 9 * 4), "float32") * np.float32(1e3)
    where = ((3, 3), (1, 1), (1, 1), (4, 4))
    both(lambda: _cupy.scatter(np.zeros((2, 6, 6, 4), dtype="float32"), cols, *where))
