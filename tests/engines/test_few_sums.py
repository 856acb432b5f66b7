"""Weight gradients with few output channels, compiled: vectors hold input channels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests import reference
from tests.engines.test_direct import NEEDED, arrays
from tests.engines.test_engines import problem_of
from xpconv import engines
from xpconv.engines import direct

pytestmark = NEEDED

# Numbers beside one another that end within a tile and after it; taps that lie apart.
SHAPES = [
    {"n_in": 40, "size": (5, 9)},
    {"n_in": 90, "size": (4, 6), "dilation": 2, "padding": ((2, 2), (1, 3))},
    {"n_in": 33, "size": (7, 8), "stride": 2, "kernel": 5, "padding": ((2, 2), (2, 2))},
    {"n_in": 130, "size": (3, 5), "kernel": 1},
]


def few(outs: int, dtype: str, shape: dict, batch: int = 2) -> engines.Problem:
    return dataclasses.replace(
        problem_of(**shape, n_out=outs), dtype=dtype, library="numpy", batch=batch
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outs", [1, 2, 3, 5, 8, 9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_the_loops(dtype: str, outs: int, shape: dict) -> None:
    problem = few(outs, dtype, shape)
    x, weight, dy, _ = arrays(problem, outs)
    options = (problem.stride, problem.padding, problem.dilation, problem.groups)
    _, expected, _ = reference.conv_gradients(
        np.moveaxis(x, -1, 1).astype(float), weight, np.moveaxis(dy, -1, 1).astype(float), *options
    )
    result = direct.weight_grad(problem, x, dy)
    assert result.dtype == dtype
    terms = problem.batch * np.prod(problem.out_size)
    bound = 8 * np.sqrt(terms) * np.finfo(dtype).eps * max(1, np.abs(expected).max())
    np.testing.assert_allclose(result, expected, rtol=0, atol=bound)


def test_what_is_not_finite_reaches_only_what_met_it() -> None:
    problem = few(3, "float32", {"n_in": 40, "size": (6, 6)})
    x, _, dy, _ = arrays(problem, 1)
    x[0, 0, 3, 7], dy[1, 2, 2, 1] = np.nan, np.inf
    bad = np.zeros((3, 40, 3, 3), dtype=bool)
    bad[:, 7, :2] = True  # the lowest elements do not reach the first row
    bad[1] = True
    np.testing.assert_array_equal(np.isfinite(direct.weight_grad(problem, x, dy)), ~bad)


def test_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = few(4, "float32", {"n_in": 60, "size": (30, 30)}, batch=9)
    x, _, dy, _ = arrays(problem, 2)
    results = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("XPCONV_NUM_THREADS", threads)
        results.append(direct.weight_grad(problem, x, dy))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(
    ("outs", "inner", "block"),
    [(1, 96, 96), (3, 96, 96), (8, 48, 48), (8, 24, 0), (3, 9, 0), (9, 400, 0)],
)
def test_it_is_for_few_channels_out_of_many(
    outs: int, inner: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpconv.engines._numba import _plan_planes as plans

    monkeypatch.setattr(plans, "vector_bytes", lambda: 64)
    monkeypatch.setattr(plans, "abreast", lambda outs: min(6, 30 // (outs + 1)))
    assert plans.sums_abreast(few(outs, "float32", {}), inner) == block
    grouped = dataclasses.replace(few(8, "float32", {"n_in": 8}), groups=2)
    assert plans.sums_abreast(grouped, 96) == 0
