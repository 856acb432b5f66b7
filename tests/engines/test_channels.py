"""Compiled depthwise convolutions and those of small groups, against the definition."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import xpconv
from tests.engines.test_direct import NEEDED, arrays, solved
from tests.engines.test_engines import problem_of
from tests.ops.strategies import seeds
from xpconv import engines
from xpconv.engines import direct

pytestmark = NEEDED


def by_definition(problem: engines.Problem, x, weight, dy, bias) -> list[np.ndarray]:
    """y, dx and dweight in float64: for every element of the kernel what it meets, times it."""
    groups, (sh, sw), (dh, dw) = problem.groups, problem.stride, problem.dilation
    batch, oh, ow, outs = dy.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), *problem.padding, (0, 0)))
    dy = dy.astype(np.float64).reshape(batch, oh, ow, groups, -1)
    kernels = weight.astype(np.float64).reshape(groups, -1, *weight.shape[1:])
    y, back = np.zeros(dy.shape), np.zeros(padded.shape)
    dweight = np.zeros(kernels.shape)
    for p, q in product(*map(range, problem.kernel_size)):
        rows = slice(p * dh, p * dh + (oh - 1) * sh + 1, sh)
        columns = slice(q * dw, q * dw + (ow - 1) * sw + 1, sw)
        met = padded[:, rows, columns].reshape(batch, oh, ow, groups, -1)
        y += np.einsum("nhwgi,goi->nhwgo", met, kernels[..., p, q])
        dweight[..., p, q] = np.einsum("nhwgi,nhwgo->goi", met, dy)
        share = np.einsum("nhwgo,goi->nhwgi", dy, kernels[..., p, q])
        back[:, rows, columns] += share.reshape(batch, oh, ow, -1)
    (top, bottom), (left, right) = problem.padding
    height, width = padded.shape[1] - bottom, padded.shape[2] - right
    y = y.reshape(batch, oh, ow, outs) + bias
    return [y, back[:, top:height, left:width], dweight.reshape(weight.shape)]


def assert_as_defined(problem: engines.Problem, seed: int) -> None:
    given_arrays = arrays(problem, seed)
    terms = max(problem.window, problem.batch * int(np.prod(problem.out_size)))
    bound = 8 * np.sqrt(terms) * np.finfo(problem.dtype).eps
    found = solved(direct, problem, *given_arrays)
    for mine, exact in zip(found, by_definition(problem, *given_arrays), strict=True):
        assert mine.shape == exact.shape
        assert np.abs(mine - exact).max() <= bound * max(1, np.abs(exact).max())


def conv(groups: int, g: int, size: tuple[int, int], **options: Any) -> engines.Problem:
    problem = problem_of(n_in=groups * g, n_out=groups * g, groups=groups, size=size, **options)
    return dataclasses.replace(problem, dtype="float32", library="numpy")


@st.composite
def problems(draw: st.DrawFn) -> engines.Problem:
    kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    padding = tuple(tuple(draw(st.integers(0, k)) for _ in range(2)) for k in kernel)
    size = tuple(
        draw(st.integers(max(1, k - sum(pair)), 20))
        for k, pair in zip(kernel, padding, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    g = draw(st.sampled_from([1, 1, 2, 4, 8]))
    problem = conv(draw(st.integers(4, 150 // g)), g, size)
    return dataclasses.replace(
        problem,
        batch=draw(st.integers(1, 3)),
        kernel_size=kernel,
        padding=padding,
        stride=stride,
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )


@given(problem=problems(), seed=seeds)
def test_as_defined(problem: engines.Problem, seed: int) -> None:
    assert_as_defined(problem, seed)


@pytest.fixture(params=["near", "far"])
def distance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also as if memory were far away, where rows to come are announced."""
    from xpconv.engines._numba import _plan_channels

    if request.param == "far":
        monkeypatch.setattr(_plan_channels, "_FAR", 0)
    _plan_channels.plan_of.cache_clear()
    yield
    _plan_channels.plan_of.cache_clear()


# More channels than a part has; images that are large, and rows without a whole tile.
SHAPES = [
    {"groups": 300, "g": 1, "size": (7, 7)},
    {"groups": 161, "g": 1, "size": (14, 15), "stride": 2},
    {"groups": 133, "g": 2, "size": (9, 6), "kernel": 5, "padding": ((2, 2), (2, 2))},
    {"groups": 96, "g": 1, "size": (57, 49)},
    {"groups": 96, "g": 1, "size": (57, 50), "stride": 2},
    {"groups": 40, "g": 1, "size": (1, 1)},
    {"groups": 40, "g": 1, "size": (2, 1), "kernel": 5, "padding": ((4, 4), (4, 4))},
    {"groups": 9, "g": 8, "size": (12, 12), "kernel": 7, "padding": ((3, 3), (3, 3))},
    {"groups": 40, "g": 1, "size": (12, 30), "dilation": 2, "padding": ((2, 2), (2, 2))},
    {"groups": 40, "g": 1, "size": (12, 12), "padding": ((5, 0), (0, 6))},
]


@pytest.mark.usefixtures("distance")
@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(shape: dict[str, Any], batch: int) -> None:
    assert_as_defined(dataclasses.replace(conv(**shape), batch=batch), 1)


@pytest.mark.parametrize("batch", [1, 2, 9])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_same_bits(shape: dict[str, Any], batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = dataclasses.replace(conv(**shape), batch=batch)
    given_arrays = arrays(problem, 2)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "1")
    expected = solved(direct, problem, *given_arrays)
    for threads, budget in product(("2", "5"), (20_000, 10**7)):
        monkeypatch.setenv("XPCONV_NUM_THREADS", threads)
        with xpconv.conv_workspace(budget):
            for mine, theirs in zip(solved(direct, problem, *given_arrays), expected, strict=True):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("worst", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2], SHAPES[4], SHAPES[7]], ids=str)
@pytest.mark.parametrize("where", ["x", "weight", "dy"])
def test_what_is_not_finite(where: str, shape: dict[str, Any], worst: float) -> None:
    """Zeros around an image are numbers as others are: infinity times zero is none."""
    problem = conv(**shape)
    named = dict(zip(("x", "weight", "dy", "bias"), arrays(problem, 3), strict=True))
    rng = np.random.default_rng(4)
    for _ in range(3):
        named[where][tuple(rng.integers(0, n) for n in named[where].shape)] = worst
    named[where].flat[0] = worst
    with np.errstate(invalid="ignore"):
        found = solved(direct, problem, *named.values())
        expected = by_definition(problem, *named.values())
    for mine, exact in zip((found[0], found[2]), (expected[0], expected[2]), strict=True):
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(exact))
        np.testing.assert_array_equal(np.isinf(mine), np.isinf(exact))
    if where != "weight":  # what an infinite weight makes of zeros around dy is `_border`'s
        np.testing.assert_array_equal(np.isfinite(found[1]), np.isfinite(expected[1]))
