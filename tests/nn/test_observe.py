"""`observe`: every layer once, from the inside out, in forward passes and in inference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.nn.cases import CASES
from tests.nn.layers import Case
from xpconv import nn


def watch(call):
    """What `observe` shows while ``call`` runs, and its result."""
    seen = []
    with nn.observe(lambda module, inputs, output: seen.append((module, inputs, output))):
        result = call()
    return seen, result


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer_is_seen_once_in_either_mode(case: Case) -> None:
    layer = case.make()
    inputs = [x.astype("float32") for x in case.inputs()]
    expected = sum(1 for _ in layer.named_modules())
    for call in (
        lambda: layer(*inputs),
        lambda: layer.infer(*inputs),
        lambda: layer.forward(*inputs)[0],
        lambda: layer.forward(*inputs, training=True)[0],
    ):
        seen, y = watch(call)
        assert len(seen) == expected
        module, given, output = seen[-1]
        assert module is layer
        assert output is y
        assert isinstance(given, tuple)
        assert all(one is two for one, two in zip(given, inputs, strict=True))


def test_inner_layers_come_before_what_holds_them(rng: np.random.Generator) -> None:
    x = nn.Input()
    model = nn.Sequential(
        nn.Linear(3, 2),
        nn.Residual(nn.ReLU(), nn.Tanh()),
        nn.Concat(nn.Identity(), nn.Sequential(nn.Sigmoid())),
        nn.Graph(x, nn.Add()(nn.SiLU()(x), x)),
    )
    kinds = "Linear ReLU Tanh Residual Identity Sigmoid Sequential Concat SiLU Add Graph Sequential"
    values = rng.normal(size=(4, 3)).astype("float32")
    for call in (lambda: model(values), lambda: model.forward(values, training=True)[0]):
        seen, _ = watch(call)
        assert [type(module).__name__ for module, _, _ in seen] == kinds.split()
        assert seen[0][1][0] is values
        assert seen[1][1][0] is seen[0][2]  # what one layer gives the next one takes


def test_ways_back_are_not_seen() -> None:
    y, backward = nn.Residual(nn.ReLU()).forward(np.ones(3))
    seen, _ = watch(lambda: backward(y))
    assert seen == []


def test_building_a_graph_is_not_seen() -> None:
    x = nn.Input()
    seen, _ = watch(lambda: nn.Graph(x, nn.Add()(nn.ReLU()(x), x)))
    assert seen == []


def test_inputs_are_arrays_alone() -> None:
    for call in (
        lambda: nn.ReLU().forward(np.ones(2), True),
        lambda: nn.ReLU().forward(np.ones(2), training=True),
    ):
        seen, _ = watch(call)
        assert [len(inputs) for _, inputs, _ in seen] == [1]


def test_a_layer_of_ones_own_is_seen_once() -> None:
    """Whatever it calls of its parent's and its own methods."""

    class Doubled(nn.Linear):
        def forward(self, x, training=False):
            y, back = super().forward(x, training=training)
            return 2 * y, lambda dy: back(2 * dy)

        def infer(self, x):
            return 2 * super().infer(x)

    class Lazy(nn.Linear):
        def infer(self, x):
            return self.forward(x)[0]

    x = np.ones((1, 3), "float32")
    for layer in (Doubled(3, 2), Lazy(3, 2)):
        for call in (lambda: layer.forward(x)[0], lambda: layer(x)):  # noqa: B023
            seen, y = watch(call)
            assert len(seen) == 1
            assert seen[0][2] is y


def test_after_the_block_nothing_is_seen() -> None:
    seen, _ = watch(lambda: None)
    nn.ReLU()(np.ones(2))
    assert seen == []


def test_blocks_nest() -> None:
    outer, inner = [], []
    x = np.ones(2)
    with nn.observe(lambda module, inputs, output: outer.append(type(module))):
        nn.ReLU()(x)
        with nn.observe(lambda module, inputs, output: inner.append(type(module))):
            nn.Tanh()(x)
        nn.Sigmoid()(x)
    assert inner == [nn.Tanh]
    assert outer == [nn.ReLU, nn.Tanh, nn.Sigmoid]


def test_a_summary_in_a_block_is_complete() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    seen, table = watch(lambda: model.summary((3,)))
    assert len(table.rows) == 2
    assert len(seen) == 3


def test_an_exception_in_the_callback_comes_through_and_ends_the_block() -> None:
    def fail(module, inputs, output):
        raise RuntimeError("enough")

    model, x, seen = nn.Sequential(nn.ReLU(), nn.Tanh()), np.ones(2), []
    with (
        nn.observe(lambda module, inputs, output: seen.append(module)),
        pytest.raises(RuntimeError, match="enough"),
        nn.observe(fail),
    ):
        model(x)
    seen.clear()
    model(x)
    assert seen == []
    assert len(watch(lambda: model(x))[0]) == 3


def test_an_exception_in_a_layer_leaves_observing_intact() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(3, 2))
    seen = []
    with nn.observe(lambda module, inputs, output: seen.append(type(module))):
        with pytest.raises(ValueError, match="3"):
            model(np.ones((1, 4), "float32"))
        model(np.ones((1, 3), "float32"))
    assert seen == [nn.ReLU, nn.ReLU, nn.Linear, nn.Sequential]


def test_a_callback_may_run_other_layers() -> None:
    """As one does to compare: the other layer is seen, too, and nothing is mixed up."""
    probe, seen = nn.Tanh(), []

    def compare(module, inputs, output):
        seen.append(type(module))
        if module is not probe:
            probe(*inputs)

    with nn.observe(compare):
        nn.Sequential(nn.ReLU())(np.ones(2))
    assert seen == [nn.ReLU, nn.Tanh, nn.Sequential, nn.Tanh]


def test_other_threads_are_not_seen() -> None:
    import threading

    def work() -> None:
        nn.ReLU()(np.ones(2))

    def start() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert watch(start)[0] == []
