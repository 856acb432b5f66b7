"""Winograd's transforms, compiled for the host, in the places of the portable products."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda.calls import assert_same, normal, portable
from tests.engines.test_engines import problem_of
from tests.ops import strategies
from xpconv import conv_workspace, engines
from xpconv.engines import winograd

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def solved(problem: engines.Problem, seed: int) -> list[np.ndarray]:
    """All three tasks; kernels and images in an order of memory that is not the plain one."""
    shape = (problem.batch, problem.in_channels, *problem.in_size)
    x = np.moveaxis(normal(shape, problem.dtype, seed), 1, -1)
    weight = normal((problem.out_channels, 3, 3, problem.in_channels), problem.dtype, seed + 1)
    dy = normal((problem.batch, *problem.out_size, problem.out_channels), problem.dtype, seed + 2)
    bias = normal((problem.out_channels,), problem.dtype, seed + 3)
    return [
        winograd.forward(problem, x, np.moveaxis(weight, -1, 1), bias),
        winograd.forward(problem, x, np.moveaxis(weight, -1, 1)),
        winograd.input_grad(problem, dy, np.moveaxis(weight, -1, 1)),
        winograd.weight_grad(problem, x, dy),
    ]


@same_fixture
@given(
    sizes=st.tuples(*(st.integers(1, n) for n in (3, 5, 5, 13, 13))),
    pads=st.tuples(*(st.integers(0, 3) for _ in range(4))),
    dtype=st.sampled_from(["float32", "float64"]),
    budget=st.sampled_from(["1KB", "1GB"]),
    seed=strategies.seeds,
)
def test_as_portable(sizes, pads, dtype: str, budget: str, seed: int) -> None:
    batch, channels, outs, height, width = sizes
    problem = dataclasses.replace(
        problem_of(n_in=channels, n_out=outs),
        batch=batch,
        in_size=(max(height, 3 - pads[0] - pads[1]), max(width, 3 - pads[2] - pads[3])),
        padding=(pads[:2], pads[2:]),
        dtype=dtype,
        library="numpy",
    )
    assert winograd.refusal(problem) is None
    with conv_workspace(budget):
        mine = solved(problem, seed)
        with portable():
            theirs = solved(problem, seed)
    rounding = {"float32": 2e-5, "float64": 1e-13}[dtype]
    for a, b in zip(mine, theirs):
        assert_same([a], [b], rtol=0, atol=rounding * max(1.0, float(np.abs(b).max())))
