"""Convolutions on NumPy without compiled bodies: threads, pieces, what is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

import xpconv
from tests import reference
from xpconv import engines, ops
from xpconv.engines._numpy import _cuts, _few, _weights, _winograd_weights

# x, weight, options; every way that tasks are cut
CASES = {
    "columns": ((5, 20, 19, 18), (24, 20, 3, 3), {"padding": 1}),
    "winograd": ((5, 16, 18, 18), (24, 16, 3, 3), {"padding": 1}),
    "few channels": ((5, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "few channels, several places at a time": ((5, 6, 20, 24), (10, 6, 5, 5), {"padding": (1, 3)}),
    "few channels, strided": ((5, 2, 20, 43), (7, 2, 3, 5), {"stride": (1, 2), "dilation": 2}),
    "few channels in three dimensions": (
        (2, 3, 6, 9, 16),
        (5, 3, 2, 3, 3),
        {"stride": (2, 1, 1), "padding": 1, "dilation": (1, 2, 1)},
    ),
    "signals of few channels": ((5, 3, 64), (6, 3, 7), {"padding": 3}),
    "two blocks of outputs": ((5, 16, 21, 21), (128, 16, 3, 3), {"stride": 2}),
    "many outputs": ((4, 3, 24, 24), (32, 3, 7, 7), {"stride": 2, "padding": 3}),
    "strided": ((5, 16, 30, 30), (20, 16, 3, 3), {"stride": 2, "padding": 1}),
    "one image": ((1, 8, 50, 50), (9, 8, 3, 3), {"stride": 2}),
    "wide kernels": ((6, 64, 5, 5), (48, 64, 3, 3), {"padding": 1}),
    "few places": ((2, 20, 5, 4), (48, 20, 3, 3), {"padding": 1}),
    "few places, strided": ((1, 6, 9, 9), (70, 6, 3, 3), {"padding": 1, "stride": 2}),
    "few places, many of them": ((1, 5, 12, 12), (150, 5, 3, 3), {"padding": 1}),
    "few places of the gradient": ((1, 48, 5, 4), (12, 48, 5, 5), {"padding": 2}),
    "pixels": ((5, 40, 10, 10), (50, 40, 1, 1), {}),
    "narrow groups": ((5, 32, 20, 20), (32, 4, 3, 3), {"padding": 1, "groups": 8}),
    "narrow groups, strided": (
        (3, 32, 21, 24),
        (16, 4, 3, 3),
        {"padding": 1, "groups": 8, "stride": (1, 2)},
    ),
    "many groups": ((3, 30, 20, 21), (36, 5, 3, 3), {"groups": 6}),
    "groups of four": ((5, 16, 20, 20), (8, 4, 3, 3), {"padding": 1, "groups": 4}),
    "wide groups": ((5, 36, 15, 15), (40, 18, 3, 3), {"stride": 2, "groups": 2}),
    "depthwise": ((5, 24, 20, 20), (24, 1, 3, 3), {"padding": 1, "groups": 24}),
    "depthwise, strided": ((5, 24, 20, 20), (48, 1, 3, 3), {"stride": 2, "groups": 24}),
    "depthwise, long rows": ((2, 300, 3, 33), (300, 1, 3, 3), {"padding": 1, "groups": 300}),
    "signals": ((5, 24, 200), (24, 1, 5), {"stride": 2, "groups": 24}),
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@pytest.fixture(autouse=True)
def arrays_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No compiled engine, and pieces so short that small problems are cut, too."""
    _cuts.cuts.cache_clear()
    monkeypatch.setattr(_cuts, "_SHARED", 1000)
    monkeypatch.setattr(_cuts, "_IN_FOUR", 2000)
    monkeypatch.setattr(_few, "_ALONE", 0)
    monkeypatch.setattr(_weights, "_SUM", 2**14)
    monkeypatch.setattr(_winograd_weights, "_SUM", 2**14)
    monkeypatch.setattr(engines.winograd, "_compiled", lambda _: False)
    with xpconv.engine("winograd", "pointwise", "depthwise", "im2col"):
        yield
    _cuts.cuts.cache_clear()


def drawn(case: tuple, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x, weight = (rng.normal(size=shape).astype(dtype) for shape in case[:2])
    return x, weight


def solved(case: tuple, x: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Return y, dx and dweight, with rows of y as its own gradient."""
    function = (ops.conv1d, ops.conv2d, ops.conv3d)[x.ndim - 3]
    y, back = ops.vjp(function, x, weight, **case[2])
    dx, dweight = back(y[..., ::-1])
    return [y, dx, dweight]


@EACH
def test_any_number_of_threads_gives_the_same_bits(case, monkeypatch) -> None:
    results = []
    for count in (1, 2, 3, 8):
        monkeypatch.setenv("XPCONV_NUM_THREADS", str(count))
        results.append(solved(case, *drawn(case)))
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


@cache
def by_the_loops(name: str) -> list[np.ndarray]:
    """Return what `solved` should."""
    x_shape, weight_shape, options = CASES[name]
    x, weight = drawn(CASES[name], "float64")
    missing = max(0, 4 - x.ndim)  # signals are images of one row
    x, weight = (a.reshape(*a.shape[:2], *(1,) * missing, *a.shape[2:]) for a in (x, weight))
    n = len(x_shape) - 2

    def each_way(name: str, default: int) -> tuple[int, ...]:
        given = options.get(name, default)
        return given if isinstance(given, tuple) else (given,) * n

    steps = (1,) * missing + each_way("stride", 1)
    pads = tuple((p, p) for p in (0,) * missing + each_way("padding", 0))
    spread = (1,) * missing + each_way("dilation", 1)
    rest = (steps, pads, spread, options.get("groups", 1))
    y = reference.conv(x, weight, None, *rest)
    dx, dweight, _ = reference.conv_gradients(x, weight, y[..., ::-1], *rest)
    y = y.reshape(*y.shape[:2], *y.shape[2 + missing :])
    return [y, dx.reshape(x_shape), dweight.reshape(weight_shape)]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("budget", [1, 20_000, 10**6])
def test_pieces_of_any_size_against_the_loops(name: str, budget: int) -> None:
    with xpconv.conv_workspace(budget):
        results = solved(CASES[name], *drawn(CASES[name], "float64"))
    for mine, theirs in zip(results, by_the_loops(name), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("order", ["channels first", "channels last", "backwards"])
def test_any_order_in_memory_against_the_loops(name: str, order: str) -> None:
    def laid_out(array: np.ndarray) -> np.ndarray:
        if order == "channels last":
            return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
        return np.asarray(array, order="C" if order == "channels first" else "F")

    case = CASES[name]
    x, weight = map(laid_out, drawn(case, "float64"))
    function = (ops.conv1d, ops.conv2d, ops.conv3d)[x.ndim - 3]
    expected = by_the_loops(name)
    y, back = ops.vjp(function, x, weight, **case[2])
    results = [y, *back(laid_out(expected[0][..., ::-1]))]
    for mine, theirs in zip(results, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


@pytest.mark.parametrize("what", [np.nan, np.inf])
@pytest.mark.parametrize(
    "case", ["narrow groups", "wide groups", "groups of four", "depthwise", "winograd"]
)
def test_what_is_not_finite_stays_in_its_group(case: str, what: float) -> None:
    x, weight = drawn(CASES[case])
    x[1, 5, 7, 7] = what
    with np.errstate(invalid="ignore"):
        y, dx, _ = solved(CASES[case], x, weight)
        groups = CASES[case][2].get("groups", 1)
        seen = [
            ops.conv2d(own, kernels, **CASES[case][2] | {"groups": 1})
            for own, kernels in zip(np.split(x, groups, 1), np.split(weight, groups))
        ]
    assert not np.isfinite(y).all()
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(np.concatenate(seen, 1)))
    mine = 5 // (x.shape[1] // groups) if groups > 1 else 0
    for g, part in enumerate(np.split(dx, groups, 1)):
        assert np.isfinite(part).all() == (g != mine)


@pytest.mark.parametrize("what", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", ["few channels", "few channels in three dimensions", "many outputs"]
)
def test_what_is_not_finite_stays_in_its_windows(name: str, what: float) -> None:
    """Also where several places are computed together, with zeros for what one does not see."""
    case = CASES[name]
    x, weight = drawn(case)
    middle = (1, 0, *(size // 2 for size in x.shape[2:]))
    convolve = ops.conv3d if x.ndim == 5 else ops.conv2d
    y, back = ops.vjp(convolve, x, weight, **case[2])
    dy = np.ones_like(y)
    seen, sent = x.copy(), dy.copy()
    seen[middle] = sent[(1, 0, *(size // 2 for size in y.shape[2:]))] = what
    found, found_dx = convolve(seen, weight, **case[2]), back(sent)[0]
    spread = convolve(np.where(seen == x, 0, 1).astype("float32"), np.abs(weight), **case[2])
    np.testing.assert_array_equal(np.isfinite(found), spread == 0)
    spread = ops.vjp(convolve, x, np.abs(weight), **case[2])[1](
        np.where(sent == dy, 0, 1).astype("float32")
    )[0]
    np.testing.assert_array_equal(np.isfinite(found_dx), spread == 0)
    finite = np.isfinite(found)
    np.testing.assert_allclose(found[finite], y[finite], rtol=1e-4, atol=1e-4)
