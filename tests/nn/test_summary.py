"""`summary`: shapes, parameters, operations and memory of every layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.cases import CASES
from tests.nn.layers import Case
from tests.nn.networks import Scaled
from tests.refusals import refused
from xpconv import nn
from xpconv.random import Stream, use_stream


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
    assert table.parameters == model().num_parameters == 11938
    assert table.rows[0].flops == 6 * 28 * 28 * (2 * 25 + 1)
    assert table.rows[5].flops == 10 * (2 * 1176 + 1)
    assert table.flops == sum(row.flops for row in table.rows)
    assert table.rows[0].memory == 4 * (6 * 28 * 28 + 156)
    assert table.rows[1].memory == 4 * (6 * 28 * 28 + 24) + 8
    assert table.rows[2].memory == 4 * 6 * 28 * 28
    assert table.rows[5].memory == 4 * (10 + 11770)
    assert table.memory == sum(row.memory for row in table.rows)
    assert table.input_shape == (1, 28, 28)


# A multiply-add is two operations; adding the bias is one for each number of the output.
@pytest.mark.parametrize(
    ("make", "input_shape", "output_shape", "flops"),
    [
        (lambda: nn.Conv2d(4, 8, 3, bias=False), (4, 5, 5), (8, 3, 3), 8 * 9 * 2 * 4 * 9),
        (lambda: nn.Conv2d(4, 8, 3, bias=False, groups=2), (4, 5, 5), (8, 3, 3), 8 * 9 * 2 * 2 * 9),
        (lambda: nn.Conv2d(4, 4, 3, bias=False, groups=4), (4, 5, 5), (4, 3, 3), 4 * 9 * 2 * 9),
        (lambda: nn.Conv2d(4, 8, 3, 2, 1, bias=False), (4, 5, 5), (8, 3, 3), 8 * 9 * 2 * 4 * 9),
        (
            lambda: nn.Conv2d(4, 8, (1, 3), bias=True),
            (4, 5, 5),
            (8, 5, 3),
            8 * 15 * (2 * 4 * 3 + 1),
        ),
        (lambda: nn.Conv2d(4, 8, 3, dilation=2, bias=False), (4, 5, 5), (8, 1, 1), 8 * 2 * 4 * 9),
        (lambda: nn.Conv1d(2, 3, 5, bias=False), (2, 9), (3, 5), 3 * 5 * 2 * 2 * 5),
        (lambda: nn.Conv3d(2, 3, 2, bias=False), (2, 3, 3, 3), (3, 2, 2, 2), 3 * 8 * 2 * 2 * 8),
        (lambda: nn.Linear(7, 3, bias=False), (7,), (3,), 2 * 7 * 3),
        (lambda: nn.Linear(7, 3), (7,), (3,), 2 * 7 * 3 + 3),
        (lambda: nn.Linear(7, 3, bias=False), (5, 7), (5, 3), 5 * 2 * 7 * 3),
        (lambda: nn.MaxPool1d(3), (2, 9), (2, 3), 2 * 3 * 3),
        (lambda: nn.MaxPool2d(2), (2, 6, 6), (2, 3, 3), 2 * 9 * 4),
        (lambda: nn.MaxPool2d((3, 2), 1), (2, 6, 6), (2, 4, 5), 2 * 20 * 6),
        (lambda: nn.MaxPool3d(2), (1, 4, 4, 4), (1, 2, 2, 2), 8 * 8),
        (lambda: nn.AvgPool2d(3, 2, 1), (2, 6, 6), (2, 3, 3), 2 * 9 * 9),
        (lambda: nn.GlobalAvgPool(), (2, 6, 6), (2, 1, 1), 72),
        (lambda: nn.GlobalMaxPool(), (2, 6), (2, 1), 12),
        (lambda: nn.ReLU(), (2, 3, 4), (2, 3, 4), 24),
        (lambda: nn.Flatten(), (2, 3, 4), (24,), 0),
        (lambda: nn.Identity(), (2, 3, 4), (2, 3, 4), 0),
    ],
)
def test_operations_by_hand(make, input_shape, output_shape, flops: int) -> None:
    layer = make()
    (row,) = layer.summary(input_shape).rows
    assert row.output_shape == output_shape
    assert row.flops == flops
    assert row.parameters == layer.num_parameters
    assert layer.flops(((1, *input_shape),), (1, *output_shape)) == flops


# Layers of one input whose first axis counts inputs, before and after.
BATCHED = [
    case
    for case in CASES
    if [shape[0] in (2, 5) for shape in case.shapes] == [True] and case.twin != ("Flatten", 0, 1)
]


@pytest.mark.parametrize("case", BATCHED, ids=str)
def test_of_every_layer(case: Case) -> None:
    layer, (shape,) = case.make(), case.shapes
    table = layer.summary(shape[1:])
    assert len(table.rows) == sum(not m.children() for _, m in layer.named_modules())
    assert table.parameters == layer.num_parameters
    if not layer.children():
        expected = layer(np.zeros(shape, "float32"))
        assert table.rows[0].output_shape == expected.shape[1:]


def test_it_prints_a_table() -> None:
    lines = str(model().summary((1, 28, 28))).splitlines()
    head, rule, *body, second_rule, total = lines
    for word in ("layer", "kind", "output shape", "parameters", "FLOPs", "memory"):
        assert word in head
    assert set(rule) == set(second_rule) == {"-"}
    assert len(body) == 6
    assert all(len(line) <= len(rule) for line in lines)
    for word in ("0", "Conv2d", "6 x 28 x 28", "156", "239,904"):
        assert word in body[0]
    for word in ("total", "1 x 28 x 28", "11,938"):
        assert word in total
    assert len({line.find(cell) for line, cell in zip(body, ["Conv2d", "BatchNorm2d"])}) == 1
    assert str(nn.Linear(3, 2).summary((3,))).count("Linear") == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**29, "1.5 GiB"),
        (2**42, "4096.0 GiB"),
    ],
)
def test_memory_is_written_in_units(count: int, text: str) -> None:
    table = nn.Linear(3, 2).summary((3,))
    table = replace(table, rows=(replace(table.rows[0], memory=count),))
    assert str(table).splitlines()[-1].endswith(f" {text}")


def test_names_are_those_of_the_state_dict() -> None:
    x = nn.Input()
    net = nn.Sequential(
        {
            "stem": nn.Conv2d(1, 2, 1),
            "block": nn.Residual(nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())),
            "split": nn.Concat({"a": nn.Conv2d(2, 2, 1), "b": nn.Identity()}),
            "graph": nn.Graph(x, nn.Add()(nn.Tanh()(x), x)),
        }
    )
    table = net.summary((1, 4, 4))
    assert [row.name for row in table.rows] == [
        "stem",
        "block.body.0",
        "block.body.1",
        "split.a",
        "split.b",
        "graph.0",
        "graph.1",
    ]
    assert table.rows[-1].output_shape == (4, 4, 4)
    assert table.parameters == net.num_parameters


def test_on_every_library(backend: Library) -> None:
    there = model().to(backend.spec, "float64")
    table = there.summary((1, 28, 28))
    assert table.flops == model().summary((1, 28, 28)).flops
    assert table.rows[2].memory == 8 * 6 * 28 * 28
    assert there.backend == backend.backend
    assert nn.ReLU().summary((3,)).rows[0].output_shape == (3,)


def test_it_changes_nothing() -> None:
    """Neither state nor random numbers: a summary may stand in the middle of a script."""
    module = nn.Sequential(model(), nn.Dropout())
    before = module.state_dict()
    with use_stream(Stream(1)) as stream:
        state = stream.state_dict()
        module.summary((1, 28, 28))
        assert stream.state_dict() == state
    for key, value in module.state_dict().items():
        assert value is before[key]


def test_a_layer_used_twice_has_two_rows_and_counts_its_parameters_once() -> None:
    layer = nn.Linear(3, 3)
    table = nn.Sequential(layer, nn.Tanh(), layer).summary((3,))
    assert [row.name for row in table.rows] == ["0", "1", "0"]
    assert table.parameters == 12
    assert table.rows[0].flops == table.rows[2].flops == 3 * 7
    assert table.rows[2].memory == 4 * 3


def test_arrays_of_a_layer_with_layers_inside_are_counted() -> None:
    net = nn.Sequential(Scaled(), nn.Linear(3, 3))
    table = net.summary((3,))
    assert table.parameters == net.num_parameters
    assert table.memory == sum(row.memory for row in table.rows)
    assert [row.name for row in table.rows if row.kind == "Linear"] == [
        "0.blocks.0",
        "0.blocks.1.1",
        "0.pair.1",
        "1",
    ]


def test_one_layer_alone() -> None:
    table = nn.Linear(3, 2).summary((3,))
    assert len(table.rows) == 1
    assert table.parameters == 8


def test_pools_that_return_indices_are_rows_too() -> None:
    (row,) = nn.MaxPool2d(2, return_indices=True).summary((1, 4, 4)).rows
    assert row.output_shape == (1, 2, 2)


def test_several_outputs() -> None:
    x = nn.Input()
    table = nn.Graph(x, (nn.Linear(3, 2)(x), nn.Linear(3, 4)(x))).summary((3,))
    assert [row.output_shape for row in table.rows] == [(2,), (4,)]


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (model, (3, 28, 28), ["channels", "1", "3"]),
        (model, (1, 27, 20), ["1176", "features"]),
        (model, (28, 28), ["28"]),
        (lambda: nn.Conv2d(1, 6, 5), (28, 28), ["28"]),
        (
            lambda: nn.Sequential(nn.Conv2d(1, 1, 5), nn.MaxPool2d(9)),
            (1, 8, 8),
            ["too small", "1x4x4"],
        ),
        (lambda: nn.Linear(3, 2), (4,), ["3", "4"]),
        (lambda: nn.BatchNorm2d(3), (3, 4), ["4D", "3D"]),
        (lambda: nn.Linear(3, 2), (-3,), ["input_shape", "-3"]),
        (lambda: nn.Flatten(0), (3, 4), ["input_shape", "(3, 4)"]),
    ],
)
def test_an_input_that_does_not_fit(make, shape, words) -> None:
    net = make()
    with refused(*words):
        net.summary(shape)


@pytest.mark.parametrize("shape", ["3", None, (3.0,), ("3",)])
def test_a_shape_is_made_of_integers(shape) -> None:
    with refused("input_shape", error=TypeError):
        nn.Linear(3, 2).summary(shape)


def test_several_inputs_are_refused() -> None:
    x, z = nn.Input(), nn.Input()
    with refused("2 input"):
        nn.Graph((x, z), nn.Add()(x, z)).summary((3,))
