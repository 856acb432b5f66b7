"""The budget for columns: how it is written, and that convolutions keep it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpconv
from tests.backends import Library
from tests.refusals import refused
from xpconv import ops


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (1, 1),
        (65536, 65536),
        ("4096", 4096),
        ("64MB", 64 * 2**20),
        ("64 MB", 64 * 2**20),
        ("64mb", 64 * 2**20),
        ("64MiB", 64 * 2**20),
        ("64M", 64 * 2**20),
        ("3kB", 3 * 2**10),
        ("1.5GB", 3 * 2**29),
        ("100B", 100),
    ],
)
def test_ways_to_write_a_budget(text: str | int, count: int) -> None:
    with xpconv.conv_workspace(text) as budget:
        assert budget == count


@pytest.mark.parametrize("text", ["", "MB", "64 apples", "-1", "1TB and a half", 0, -5, "0MB"])
def test_bad_budgets(text: str | int) -> None:
    with refused(repr(text)), xpconv.conv_workspace(text):
        pass


@pytest.mark.parametrize("value", [None, 1.5, True])
def test_a_budget_is_a_number_or_a_text(value: object) -> None:
    with pytest.raises(TypeError), xpconv.conv_workspace(value):
        pass


def test_the_environment_sets_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = np.ones((2, 3, 8, 8)), np.ones((4, 3, 3, 3))
    expected = ops.conv2d(x, weight)
    monkeypatch.setenv("XPCONV_WORKSPACE", "1kB")
    np.testing.assert_allclose(ops.conv2d(x, weight), expected)
    monkeypatch.setenv("XPCONV_WORKSPACE", "plenty")
    with refused("plenty"):
        ops.conv2d(x, weight)
    with xpconv.conv_workspace("1MB"):  # the block wins
        np.testing.assert_allclose(ops.conv2d(x, weight), expected)


@pytest.mark.parametrize("budget", [1, 500, 4000, 20_000])
@pytest.mark.parametrize(
    ("weight", "options"),
    [
        ((4, 3, 3, 3), {}),
        ((4, 3, 3, 3), {"padding": 1}),
        ((4, 3, 2, 3), {"stride": (3, 2), "padding": ((0, 2), (1, 0))}),
        ((4, 3, 3, 2), {"dilation": (2, 1), "padding": "same"}),
        ((6, 1, 3, 3), {"groups": 3, "padding": 2}),
        ((4, 3, 1, 1), {"stride": 2}),
        ((4, 3, 1, 1), {"padding": 1}),
    ],
    ids=str,
)
def test_results_do_not_depend_on_the_budget(
    backend: Library, rng, weight, options, budget
) -> None:
    arrays = [backend.array(rng.normal(size=shape)) for shape in ((3, 3, 9, 8), weight, weight[:1])]

    def everything() -> list[Any]:
        y, pullback = ops.vjp(ops.conv2d, *arrays, **options)
        return [y, *pullback(y)]

    expected = everything()
    with xpconv.conv_workspace(budget):
        for actual, desired in zip(everything(), expected, strict=True):
            backend.assert_close(actual, desired, rtol=1e-12)


def extra_memory(call: Callable[[], Any]) -> int:
    """Bytes that a call takes at its peak beyond those of what it returns."""
    call()
    tracemalloc.start()
    try:
        result = call()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result is not None
    return peak - kept


BUDGET = 2**20
SLACK = 2**17  # Python's own objects, the weights turned around


@pytest.mark.parametrize("batch", [4, 32])
@pytest.mark.parametrize("layout", ["C", "channels_last"])
@pytest.mark.parametrize("options", [{}, {"padding": 1}, {"stride": 2}, {"groups": 16}], ids=str)
def test_peak_memory_is_bounded_by_the_budget(rng, batch: int, layout: str, options) -> None:
    """A 3x3 convolution takes its result and the budget, whatever the batch.

    The columns of the larger batch would take between 4 and 20 times the budget.
    """
    x = Library("numpy").array(rng.normal(size=(batch, 16, 32, 32)), "float32", layout)
    weight = rng.normal(size=(16, 16 // options.get("groups", 1), 3, 3)).astype("float32")
    with xpconv.conv_workspace(BUDGET):
        y, pullback = ops.vjp(ops.conv2d, x, weight, **options)
        assert extra_memory(lambda: ops.conv2d(x, weight, **options)) < BUDGET + SLACK
        assert extra_memory(lambda: pullback(y)) < BUDGET + SLACK


def test_the_way_back_keeps_no_columns(rng: np.random.Generator) -> None:
    """Between forward and backward there is y, and nothing of its size besides."""
    x = rng.normal(size=(8, 16, 32, 32)).astype("float32")
    weight = rng.normal(size=(16, 16, 3, 3)).astype("float32")
    ops.vjp(ops.conv2d, x, weight, padding=1)
    tracemalloc.start()
    try:
        y, pullback = ops.vjp(ops.conv2d, x, weight, padding=1)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert callable(pullback)
    assert kept < y.nbytes + SLACK


def test_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_WORKSPACE", "abc")
    with refused("XPCONV_WORKSPACE", "'64MB'", "'abc'"):
        ops.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
