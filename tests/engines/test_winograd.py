"""Winograd's filtering: matrices, the stated error, what is not finite, when it is chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

import xpconv
from tests.backends import TF32_RTOL, Library, host
from tests.engines.test_direct import LAYOUTS, NEEDED, arrays
from tests.engines.test_engines import problem_of
from tests.ops import strategies
from xpconv import engines
from xpconv.engines import _select, _winograd as filterings, direct, im2col, winograd
from xpconv.engines._numpy import (
    _winograd,
    _winograd_deep,
    _winograd_products,
    _winograd_weights,
)

FLOAT32 = dataclasses.replace(problem_of(), dtype="float32", library="numpy")


@pytest.mark.parametrize("filtering", [filterings.F2, filterings.F4])
@given(data=st.data())
def test_one_dimension_in_exact_numbers(filtering: filterings.Filtering, data) -> None:
    """A^T ((G g) * (B^T d)) is the correlation of d with g."""
    whole = st.integers(-9, 9).map(Fraction)
    d = data.draw(st.lists(whole, min_size=filtering.side, max_size=filtering.side))
    g = data.draw(st.lists(whole, min_size=3, max_size=3))

    def apply(matrix: filterings.Matrix, x: list) -> list:
        exact = [[Fraction(a).limit_denominator(24) for a in row] for row in matrix]
        return [sum(a * b for a, b in zip(row, x)) for row in exact]

    products = [a * b for a, b in zip(apply(filtering.kernels, g), apply(filtering.inputs, d))]
    expected = [sum(g[k] * d[i + k] for k in range(3)) for i in range(filtering.m)]
    assert apply(filtering.outputs, products) == expected


def test_small_images_and_float64_take_the_small_tile() -> None:
    wide = dataclasses.replace(FLOAT32, in_size=(32, 32))
    assert filterings.filtering_for(wide) is filterings.F4
    assert filterings.filtering_for(dataclasses.replace(wide, dtype="float64")) is filterings.F2
    assert filterings.filtering_for(dataclasses.replace(wide, in_size=(2, 2))) is filterings.F2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kernel_size": (3, 1)}, "not 3x3"),
        ({"kernel_size": (3,)}, "not 3x3"),
        ({"stride": (1, 2)}, "steps by more than one"),
        ({"dilation": (2, 1)}, "dilated"),
        ({"groups": 2}, "groups"),
        ({"dtype": "float16"}, "not for float16"),
        ({"batch": 0}, "nothing to multiply"),
    ],
)
def test_refusals(change: dict, words: str) -> None:
    assert words in str(winograd.refusal(dataclasses.replace(FLOAT32, **change)))


def solved(engine, problem, x, weight, dy, bias) -> list:
    return [
        host(engine.forward(problem, x, weight, bias)),
        host(engine.input_grad(problem, dy, weight)),
        host(engine.weight_grad(problem, x, dy)),
    ]


@given(
    sizes=st.tuples(*(st.integers(1, n) for n in (3, 19, 35, 11, 11))),
    pads=st.tuples(*(st.integers(0, 3) for _ in range(4))),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=strategies.seeds,
)
def test_drawn_problems(backend: Library, sizes, pads, dtype: str, seed: int) -> None:
    batch, channels, outs, height, width = sizes
    height, width = max(height, 3 - pads[0] - pads[1]), max(width, 3 - pads[2] - pads[3])
    problem = engines.Problem(
        batch, channels, outs, (height, width), (3, 3), (1, 1), (pads[:2], pads[2:]), (1, 1)
    )
    problem = dataclasses.replace(problem, dtype=dtype, library="numpy")
    given = arrays(problem, seed)
    exact = solved(im2col, problem, *(array.astype(np.float64) for array in given))
    problem = problem.of(backend.array(given[0]))
    for mine, theirs in zip(solved(winograd, problem, *map(backend.array, given)), exact):
        bound = 4e-5 if dtype == "float32" else 1e-13
        if backend.in_tf32(dtype):  # the transforms, whose sums cancel, are products too
            bound = 32 * TF32_RTOL
        assert mine.dtype == dtype
        assert np.abs(mine - theirs).max() <= bound * max(1, np.abs(theirs).max())


# error / largest result, float32 and normal numbers: as `winograd` states it
BOUNDS = {"F4": 4e-5, "F2": 4e-6, "direct": 8e-6, "im2col": 4e-6}


WAYS = [
    pytest.param("pieces", marks=NEEDED),
    pytest.param("blocks", marks=NEEDED),
    "arrays",
    "deep arrays",
]


@pytest.fixture(params=WAYS)
def body(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """NumPy's tiles by compiled bodies, piece by piece and block by block, and by arrays likewise.

    Arrays block by block with small matrices, which BLAS can read where they are, or not.
    """
    if "arrays" in request.param:
        deep = request.param == "deep arrays"
        monkeypatch.setattr(winograd, "_compiled", lambda _: False)
        monkeypatch.setattr(_winograd, "kernels_fit", lambda _: not deep)
        monkeypatch.setattr(_winograd_deep, "_BYTES", 2**20)
        monkeypatch.setattr(_winograd_products, "reads_small_matrices", lambda: deep)
        monkeypatch.setattr(_winograd_products, "SMALL", 2**17)
    else:
        from xpconv.engines._numba import _run_deep, _run_winograd

        limit = 0 if request.param == "blocks" else 2**40
        monkeypatch.setattr(_run_winograd, "_DEEP", limit)
        monkeypatch.setattr(_run_winograd, "_DEEP_GRADIENT", limit)
        monkeypatch.setattr(_run_deep, "_CHANNELS", 16)
    _select._select.cache_clear()
    yield request.param
    _select._select.cache_clear()


@pytest.mark.parametrize("channels", [1, 8, 64, 256])
@pytest.mark.parametrize("tile", ["F2", "F4"])
def test_the_stated_error_of_arrays(
    tile: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_compiled", lambda _: False)
    for module in (_winograd, _winograd_weights):
        monkeypatch.setattr(module, "filtering_for", lambda _: getattr(filterings, tile))
    problem = problem_of(n_in=channels, n_out=64, size=(12, 12))
    problem = dataclasses.replace(problem, dtype="float32", library="numpy")
    given = arrays(problem, channels)
    exact = solved(im2col, problem, *(array.astype(np.float64) for array in given))
    for engine, name in ((winograd, tile), (im2col, "im2col")):
        for mine, theirs in zip(solved(engine, problem, *given), exact):
            assert np.abs(mine - theirs).max() <= BOUNDS[name] * np.abs(theirs).max()


@NEEDED
@pytest.mark.parametrize("channels", [1, 8, 64, 256])
@pytest.mark.parametrize("tile", ["F2", "F4"])
def test_the_stated_error(tile: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from xpconv.engines._numba import _run_winograd

    monkeypatch.setattr(_run_winograd, "filtering_for", lambda _: getattr(filterings, tile))
    _run_winograd._work_of.cache_clear()
    problem = problem_of(n_in=channels, n_out=64, size=(12, 12))
    problem = dataclasses.replace(problem, dtype="float32", library="numpy")
    given = arrays(problem, channels)
    exact = solved(im2col, problem, *(array.astype(np.float64) for array in given))
    try:
        for engine, name in ((winograd, tile), (direct, "direct"), (im2col, "im2col")):
            for mine, theirs in zip(solved(engine, problem, *given), exact):
                assert np.abs(mine - theirs).max() <= BOUNDS[name] * np.abs(theirs).max()
    finally:
        _run_winograd._work_of.cache_clear()


WIDE = dataclasses.replace(
    problem_of(n_in=33, n_out=40, size=(17, 18)), dtype="float32", library="numpy"
)


@pytest.mark.usefixtures("body")
@pytest.mark.parametrize("what", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (5, 5), (16, 17), (3, 4), (8, 7)])
@pytest.mark.parametrize("which", ["x", "weight", "dy"])
def test_what_is_not_finite_stays_where_it_is(what: float, place, which: str) -> None:
    x, weight, dy, bias = arrays(WIDE, 8)
    if which == "weight":
        weight[3, 2, 1, 1] = what
    else:
        {"x": x, "dy": dy}[which][1, *place, 7] = what
    with np.errstate(invalid="ignore"):
        expected = solved(im2col, WIDE, x, weight, dy, bias)
        results = solved(winograd, WIDE, x, weight, dy, bias)
    for mine, theirs in zip(results, expected):
        np.testing.assert_array_equal(np.isfinite(mine), np.isfinite(theirs))
        finite = np.isfinite(theirs)
        np.testing.assert_allclose(mine[finite], theirs[finite], rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("body")
@pytest.mark.parametrize("shape", [(3, 33, 40, 17, 18), (2, 70, 20, 9, 5), (1, 1, 1, 3, 3)])
def test_every_way_is_as_exact(shape: tuple[int, ...]) -> None:
    batch, channels, outs, *size = shape
    problem = dataclasses.replace(
        problem_of(n_in=channels, n_out=outs, size=tuple(size)), batch=batch
    )
    problem = dataclasses.replace(problem, dtype="float32", library="numpy")
    given = arrays(problem, 1)
    exact = solved(im2col, problem, *(array.astype(np.float64) for array in given))
    for mine, theirs in zip(solved(winograd, problem, *given), exact):
        assert np.abs(mine - theirs).max() <= BOUNDS["F4"] * np.abs(theirs).max()


@NEEDED
@pytest.mark.parametrize("budget", [1, 30_000, 10**6])
def test_small_pieces_and_many_threads_give_the_same_bits(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = dataclasses.replace(WIDE, batch=5)
    given = arrays(problem, 4)
    expected = solved(winograd, problem, *given)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    with xpconv.conv_workspace(budget):
        for mine, theirs in zip(solved(winograd, problem, *given), expected):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("body")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
@pytest.mark.parametrize("outs", [64, 96])
def test_any_memory_layout(layout, outs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of output channels that threads share, each begins where it lies."""
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    shape = problem_of(n_in=32, n_out=outs, size=(41, 38))
    problem = dataclasses.replace(shape, dtype="float32", library="numpy")
    given = [layout(a) if a.ndim > 1 else a for a in arrays(problem, 2)]
    plain = [np.ascontiguousarray(a) for a in given]
    exact = solved(im2col, problem, *(a.astype("float64") for a in plain))
    for mine, same, theirs in zip(
        solved(winograd, problem, *given), solved(winograd, problem, *plain), exact
    ):
        np.testing.assert_array_equal(mine, same)
        assert np.abs(mine - theirs).max() <= BOUNDS["F4"] * np.abs(theirs).max()


@NEEDED
@pytest.mark.parametrize("engine", [winograd, direct])
@pytest.mark.parametrize("budget", [100_000, 300_000, 10**6])
def test_a_workspace_is_shared_out_in_the_same_way_for_any_threads(
    engine, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = problem_of(n_in=17, n_out=64, size=(31, 34))
    problem = dataclasses.replace(shape, batch=7, dtype="float64", library="numpy")
    given, first = arrays(problem, 4), None
    for threads in (1, 2, 3, 6, 11):
        monkeypatch.setenv("XPCONV_NUM_THREADS", str(threads))
        with xpconv.conv_workspace(budget):
            found = solved(engine, problem, *given)
        first = first or found
        for mine, theirs in zip(found, first):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("body")
def test_many_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = dataclasses.replace(WIDE, batch=43)  # enough for threads
    given = arrays(problem, 4)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "1")
    expected = solved(winograd, problem, *given)
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    for mine, theirs in zip(solved(winograd, problem, *given), expected):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.usefixtures("body")
def test_it_is_chosen_where_it_pays_only() -> None:
    big = dataclasses.replace(
        problem_of(n_in=64, n_out=64, size=(56, 56)), dtype="float32", library="numpy"
    )
    reasons = {
        "lose digits": dataclasses.replace(big, dtype="float64"),
        "not known to be faster": dataclasses.replace(big, library="torch"),
    }
    for task in engines.TASKS:
        assert winograd.drawback(big, task) is None
        assert engines.select(big, task) is winograd
    reasons["times as fast"] = dataclasses.replace(big, in_channels=2)
    if not winograd._compiled(big):
        huge = dataclasses.replace(big, in_channels=1024, out_channels=1024)
        assert "do not fit" in str(winograd.drawback(huge, "weight_grad"))
    for words, problem in reasons.items():
        assert words in str(winograd.drawback(problem, "forward"))
        assert engines.select(problem) is not winograd
