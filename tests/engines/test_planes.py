"""Few output channels, compiled: vectors hold columns of the output, read from planes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests import reference
from tests.engines.test_direct import NEEDED, arrays
from tests.engines.test_engines import last, problem_of
from xpconv import engines
from xpconv.engines import direct

pytestmark = NEEDED

# Rows that end within a vector, with it, after it; paddings, dilations and kernels of two sizes.
SHAPES = [
    {"size": (5, 33), "n_in": 1},
    {"size": (4, 14), "n_in": 17, "kernel": 5, "padding": ((2, 2), (2, 2))},
    {"size": (3, 40), "n_in": 3, "dilation": 2, "padding": ((0, 4), (3, 1))},
    {"size": (3, 32), "n_in": 2, "kernel": 1},
]


def few(outs: int, turned: bool, dtype: str, shape: dict) -> engines.Problem:
    """A problem that writes so many channels."""
    channels = {"n_in": outs, "n_out": shape["n_in"]} if turned else {"n_out": outs}
    problem = problem_of(**{**shape, **channels})
    return dataclasses.replace(problem, dtype=dtype, library="numpy")


@pytest.mark.parametrize("turned", [False, True], ids=["forward", "input gradient"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outs", range(1, 10))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_the_loops(dtype: str, outs: int, shape: dict, turned: bool) -> None:
    problem = few(outs, turned, dtype, shape)
    options = (problem.stride, problem.padding, problem.dilation, problem.groups)
    x, weight, dy, bias = arrays(problem, outs)
    first, wide = np.moveaxis(x, -1, 1).astype(float), weight.astype(float)
    if turned:
        expected, _, _ = reference.conv_gradients(
            first, wide, np.moveaxis(dy, -1, 1).astype(float), *options
        )
        result = direct.input_grad(problem, dy, weight)
    else:
        expected = np.clip(reference.conv(first, wide, bias.astype(float), *options), 0, 6)
        result = direct.forward(problem, x, weight, bias, "relu6")
    assert result.dtype == dtype
    terms = problem.window * problem.out_channels
    bound = 8 * np.sqrt(terms) * np.finfo(dtype).eps * max(1, np.abs(expected).max())
    np.testing.assert_allclose(result, last(expected), rtol=0, atol=bound)


@pytest.mark.parametrize("turned", [False, True], ids=["forward", "input gradient"])
def test_one_and_three_dimensions(turned: bool) -> None:
    for sizes, kernel in (((70,), (3,)), ((3, 4, 18), (2, 1, 3))):
        n = len(sizes)
        channels = (3, 5) if turned else (5, 3)
        problem = engines.Problem(
            *(2, *channels, sizes, kernel, (1,) * n, ((1, 0),) * n, (1,) * n, 1),
            *("float64", "numpy"),
        )
        options = (problem.stride, problem.padding, problem.dilation, problem.groups)
        x, weight, dy, bias = arrays(problem, n)
        first, dy_first = (np.moveaxis(a, -1, 1) for a in (x, dy))
        if turned:
            expected, _, _ = reference.conv_gradients(first, weight, dy_first, *options)
            result = direct.input_grad(problem, dy, weight)
        else:
            expected = reference.conv(first, weight, bias, *options)
            result = direct.forward(problem, x, weight, bias)
        np.testing.assert_allclose(result, last(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_windows(bad: float) -> None:
    problem = few(2, False, "float32", {"size": (6, 40), "n_in": 5})
    x, weight, _, bias = arrays(problem, 3)
    x[1, 0, 39, 2] = bad
    y = direct.forward(problem, x, weight, bias)
    touched = np.zeros(y.shape, dtype=bool)
    touched[1, :2, 38:] = True
    np.testing.assert_array_equal(np.isfinite(y), ~touched)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_it_is_for_fewer_channels_than_half_of_a_vector(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpconv.engines._numba import _plan_planes as plans
    from xpconv.engines._numba._plan import in_three_dimensions

    monkeypatch.setattr(plans, "vector_bytes", lambda: size)
    for outs in range(1, 20):
        for turned in (False, True):
            shape = {"size": (9, 64), "n_in": 16, "dilation": 2 if turned else 1}
            problem = few(outs, turned, "float32", shape)
            fit = plans.planes_fit(in_three_dimensions(problem), turned)
            assert fit == (outs <= size // 8), (outs, turned)
            strided = dataclasses.replace(problem, stride=(1, 2))
            assert not plans.planes_fit(in_three_dimensions(strided), turned)


@pytest.mark.parametrize(("outs", "fit"), [(4, True), (5, False)])
def test_a_row_of_the_kernel_may_fill_a_vector_better(
    outs: int, fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpconv.engines._numba import _plan_planes as plans
    from xpconv.engines._numba._plan import in_three_dimensions

    monkeypatch.setattr(plans, "vector_bytes", lambda: 64)
    problem = few(outs, True, "float32", {"size": (64, 64), "n_in": 16})  # 15 of 16 lanes
    assert plans.planes_fit(in_three_dimensions(problem), True) is fit


@pytest.mark.parametrize(("size", "fit"), [(2, False), (64, True)])
def test_short_rows_are_not_worth_what_lies_between_them(
    size: int, fit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpconv.engines._numba import _plan_planes as plans
    from xpconv.engines._numba._plan import in_three_dimensions

    monkeypatch.setattr(plans, "vector_bytes", lambda: 64)
    wide = {"kernel": 5, "padding": ((4, 4), (4, 4))}
    problem = few(8, False, "float32", {"size": (size, size), "n_in": 16, **wide})
    assert plans.planes_fit(in_three_dimensions(problem), False) is fit
