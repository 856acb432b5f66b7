"""`summary`: shapes, parameters, operations and memory of every layer."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library
from xpconv import nn


def model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1176, 10),
    )


def test_by_hand() -> None:
    table = nn.summary(model(), (1, 28, 28))
    assert [(row.name, row.kind) for row in table.rows] == [
        ("0", "Conv2d"),
        ("1", "BatchNorm2d"),
        ("2", "ReLU"),
        ("3", "MaxPool2d"),
        ("4", "Flatten"),
        ("5", "Linear"),
    ]
    assert [row.output_shape for row in table.rows] == [
        (6, 28, 28),
        (6, 28, 28),
        (6, 28, 28),
        (6, 14, 14),
        (1176,),
        (10,),
    ]
    assert [row.parameters for row in table.rows] == [156, 12, 0, 0, 0, 11770]
    assert table.parameters == model().num_parameters
    assert table.rows[0].flops == 6 * 28 * 28 * (2 * 25 + 1)
    assert table.rows[5].flops == 10 * (2 * 1176 + 1)
    assert table.flops == sum(row.flops for row in table.rows)
    assert table.rows[2].memory == 4 * 6 * 28 * 28
    assert table.rows[5].memory == 4 * (10 + 11770)
    assert table.memory == sum(row.memory for row in table.rows)


def test_it_prints_a_table() -> None:
    text = str(model().summary((1, 28, 28)))
    for word in ("Conv2d", "6 x 28 x 28", "11,770", "11,938", "total"):
        assert word in text


def test_on_every_library(backend: Library) -> None:
    there = model().to(backend.spec, "float64")
    table = there.summary((1, 28, 28))
    assert table.flops == model().summary((1, 28, 28)).flops
    assert table.rows[2].memory == 8 * 6 * 28 * 28
    assert there.backend == backend.backend


def test_it_changes_nothing() -> None:
    module = model()
    before = {key: value.copy() for key, value in module.state_dict().items()}
    module.summary((1, 28, 28))
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_a_layer_used_twice_has_two_rows_and_counts_its_parameters_once() -> None:
    layer = nn.Linear(3, 3)
    table = nn.Sequential(layer, nn.Tanh(), layer).summary((3,))
    assert len(table.rows) == 3
    assert table.parameters == 12
    assert table.rows[0].flops == table.rows[2].flops == 3 * 7


def test_groups_divide_the_work() -> None:
    whole = nn.Conv2d(4, 4, 3, bias=False).summary((4, 5, 5))
    grouped = nn.Conv2d(4, 4, 3, bias=False, groups=4).summary((4, 5, 5))
    assert whole.flops == 4 * grouped.flops == 2 * 9 * 4 * 4 * 9


def test_one_layer_alone() -> None:
    table = nn.Linear(3, 2).summary((3,))
    assert len(table.rows) == 1
    assert table.parameters == 8


def test_an_input_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="channels"):
        model().summary((3, 28, 28))


def test_pools_that_return_indices_are_rows_too() -> None:
    (row,) = nn.MaxPool2d(2, return_indices=True).summary((1, 4, 4)).rows
    assert row.output_shape == (1, 2, 2)
