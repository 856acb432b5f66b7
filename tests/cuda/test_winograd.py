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


@pytest.mark.parametrize("what", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", ["x", "weight", "dy", "everything"])
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((2, 0), (0, 1))])
def test_what_is_not_finite_stays_where_it_is(what: float, which: str, padding) -> None:
    """As the definition has it, signs of infinities included: sums of others keep their values."""
    problem = dataclasses.replace(
        problem_of(n_in=5, n_out=6, size=(11, 10)),
        padding=padding,
        dtype="float32",
        library="numpy",
    )
    x = normal((2, 11, 10, 5), "float32", 1)
    weight = normal((6, 5, 3, 3), "float32", 2)
    dy = normal((2, *problem.out_size, 6), "float32", 3)
    for name, array in (("x", x), ("dy", dy)):
        if which == name:
            array[0, 4, 5, 3] = array[1, -1, -1, 0] = what
        elif which == "everything":
            array[...] = what
    if which == "weight":
        weight[3, 2, 1, 1] = what

    def tasks(engine) -> list[np.ndarray]:
        return [
            engine.forward(problem, x, weight, np.ones(6, "float32")),
            engine.input_grad(problem, dy, weight),
            engine.weight_grad(problem, x, dy),
        ]

    mine = tasks(winograd)
    with portable(), np.errstate(invalid="ignore"):
        theirs = tasks(engines.im2col)
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)  # NaN and infinities where they are


def test_what_overflows_in_a_transform_alone() -> None:
    """Numbers whose sums are finite by the definition, and not in a transformed tile."""
    problem = dataclasses.replace(problem_of(n_in=1, n_out=1, size=(8, 8)), dtype="float32")
    x, weight = np.full((2, 8, 8, 1), 2e38, "float32"), np.full((1, 1, 3, 3), 1e-3, "float32")
    with portable():
        expected = engines.im2col.forward(problem, x, weight)
    np.testing.assert_allclose(winograd.forward(problem, x, weight), expected, rtol=1e-4)
