"""Depthwise convolutions, compiled for the host, against the portable engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda import host
from tests.cuda.calls import DTYPES, assert_same, normal, portable, whole
from xpconv import engines
from xpconv.engines import Problem, depthwise

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def solved(problem: Problem, make: Any, gaps: bool = False) -> list[np.ndarray]:
    """All three tasks."""
    dtype = problem.dtype
    x = make((problem.batch, *problem.in_size, problem.in_channels), dtype, 1)
    if gaps:  # as where an image is cut out of a larger one
        x = np.repeat(x, 2, axis=1)[:, ::2]
    weight = make((problem.out_channels, 1, *problem.kernel_size), dtype, 2)
    bias = make((problem.out_channels,), dtype, 3)
    dy = make((problem.batch, *problem.out_size, problem.out_channels), dtype, 4)
    return [
        depthwise.forward(problem, x, weight),
        depthwise.forward(problem, x, weight, bias),
        depthwise.input_grad(problem, dy, weight),
        depthwise.weight_grad(problem, x, dy),
    ]


def problem_of(
    dims: int = 2, channels: int = 8, many: int = 1, dtype: Any = "float32", **sizes: Any
) -> Problem:
    given = {"batch": 2, "in_size": 9, "kernel_size": 3, "stride": 1, "dilation": 1} | sizes
    each = {k: (v,) * dims if isinstance(v, int) and k != "batch" else v for k, v in given.items()}
    each.setdefault("padding", ((1, 1),) * dims)
    return Problem(
        in_channels=channels,
        out_channels=channels * many,
        groups=channels,
        dtype=dtype,
        library="numpy",
        **each,
    )


@same_fixture
@given(
    dims=st.integers(1, 3),
    channels=st.sampled_from([2, 3, 4, 8, 40]),
    many=st.sampled_from([1, 1, 2, 3]),
    dtype=st.sampled_from(["float32", "float64"]),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    gaps=st.booleans(),
)
def test_as_portable(
    dims: int,
    channels: int,
    many: int,
    dtype: str,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    gaps: bool,
) -> None:
    problem = problem_of(
        dims,
        channels,
        many,
        dtype,
        in_size=7,
        kernel_size=kernel,
        stride=stride,
        dilation=dilation,
        padding=(pads,) * dims,
    )
    mine = solved(problem, whole, gaps)  # whole numbers: exact in any order
    with portable():
        assert_same(mine, solved(problem, whole, gaps))
    mine = solved(problem, normal, gaps)
    with portable():
        theirs = solved(problem, normal, gaps)
    rounding = {"float32": 2e-6, "float64": 1e-14}[dtype]
    assert_same(mine, theirs, rtol=rounding * 10, atol=rounding * 30)


def test_many_places_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(channels=33, batch=3, in_size=40)  # more rows than one block takes
    first = solved(problem, normal)
    monkeypatch.setattr(host.Order, "reversed", True)
    assert_same(first, solved(problem, normal))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("float32", "float64")])
def test_half_precision_is_rounded_once(dtype: Any) -> None:
    problem, wide = problem_of(dtype=dtype), problem_of(dtype="float32")
    rounded = [
        a.astype(dtype)
        for a in solved(wide, lambda *a: normal(a[0], dtype, a[2]).astype("float32"))
    ]
    assert_same(solved(problem, normal), rounded)


def test_the_engine_is_chosen_and_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    compiled = host.RawModule.get_function
    monkeypatch.setattr(
        host.RawModule, "get_function", lambda self, n: names.append(n) or compiled(self, n)
    )
    with engines.engine("depthwise"):
        solved(problem_of(), normal)
    assert {name.partition("<")[0] for name in names} == {
        "depthwise",
        "depthwise_input_grad",
        "depthwise_sums",
        "depthwise_total",
    }
