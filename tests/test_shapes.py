"""Sizes of windows, written in every way that users write them."""

from __future__ import annotations

import numpy as np
import pytest

from tests import reference
from tests.refusals import refused
from xpconv import _shapes


def test_numbers_spread_over_dimensions() -> None:
    assert _shapes.ntuple(3, 2, "stride") == (3, 3)
    assert _shapes.ntuple((1, 2), 2, "stride") == (1, 2)
    assert _shapes.ntuple([1, 2], 2, "stride") == (1, 2)
    assert _shapes.ntuple((4,), 3, "stride") == (4, 4, 4)
    assert _shapes.ntuple(np.int32(4), 1, "stride") == (4,)


@pytest.mark.parametrize("value", [1.5, "3", None, True, (1, 2.0), (1, "2"), (True, 1)])
def test_what_is_no_integer(value: object) -> None:
    with refused("stride", error=TypeError):
        _shapes.ntuple(value, 2, "stride")


@pytest.mark.parametrize(
    ("value", "minimum", "word"),
    [(0, 1, "positive"), (-1, 0, "non-negative"), ((2, 0), 1, "(2, 0)")],
)
def test_what_is_too_small(value, minimum: int, word: str) -> None:
    with refused("stride", word, str(value)):
        _shapes.ntuple(value, 2, "stride", minimum=minimum)


def test_pairs_and_numbers_may_be_mixed() -> None:
    ones = (1, 1)
    pairs = _shapes.padding_pairs(((1, 2), 3), (3, 3), ones, ones)
    assert tuple(map(tuple, pairs)) == ((1, 2), (3, 3))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same(kernel: int, dilation: int) -> None:
    pairs = _shapes.padding_pairs("same", (kernel,), (1,), (dilation,))
    assert list(pairs) == reference.same_pairs((kernel,), (dilation,))


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_places_of_a_window_by_walking(ceil_mode: bool) -> None:
    for size in range(1, 9):
        for kernel in range(1, 4):
            for stride in range(1, 4):
                for padding in range(kernel // 2 + 1):
                    for dilation in (1, 2):
                        span = dilation * (kernel - 1) + 1
                        if span > size + 2 * padding:
                            continue
                        desired = reference.pool_output_size(
                            size, kernel, stride, padding, dilation, ceil_mode
                        )
                        pair = (padding, padding)
                        actual = _shapes.output_size(
                            size, kernel, stride, pair, dilation, ceil_mode=ceil_mode
                        )
                        assert actual == desired
