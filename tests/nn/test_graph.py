"""`Graph`: any directed acyclic network, its way back in reverse order, sums where paths meet."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.gradients import assert_gradients
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn


def diamond() -> nn.Module:
    x = nn.Input()
    first = nn.Linear(3, 3)(x)
    left, right = nn.Tanh()(first), nn.Sigmoid()(first)
    return nn.Graph(x, nn.Add()(nn.Linear(3, 3)(left), right))


def dense() -> nn.Module:
    """Every layer sees all that came before, as in DenseNet."""
    x = nn.Input()
    a = nn.Tanh()(nn.Linear(2, 2)(x))
    b = nn.Tanh()(nn.Linear(4, 2)(nn.Concat()(x, a)))
    return nn.Graph(x, nn.Linear(6, 1)(nn.Concat()(x, a, b)))


def two_inputs() -> nn.Module:
    x, z = nn.Input(), nn.Input()
    return nn.Graph((x, z), nn.Add()(nn.Linear(3, 2)(x), nn.Tanh()(z)))


def two_outputs() -> nn.Module:
    """One head ends where the other goes on."""
    x = nn.Input()
    body = nn.Tanh()(nn.Linear(3, 3)(x))
    first = nn.Linear(3, 2)(body)
    return nn.Graph(x, (first, nn.Linear(2, 1)(nn.Tanh()(first))))


def many_to_many() -> nn.Module:
    x, z = nn.Input(), nn.Input()
    layer = nn.Linear(3, 3)
    a, b = nn.Tanh()(layer(x)), nn.Sigmoid()(layer(z))
    return nn.Graph((x, z), (nn.Add()(a, b, x), nn.Concat(dim=0)(b, a), z))


def used_twice() -> nn.Module:
    """A layer, a value and a whole graph, each used twice."""
    x = nn.Input()
    layer, inner = nn.Linear(3, 3), diamond()
    h = nn.Tanh()(layer(x))
    return nn.Graph(x, nn.Add()(inner(layer(h)), inner(h), h, h))


def deep() -> nn.Module:
    x = h = nn.Input()
    for _ in range(3):
        h = nn.Add()(nn.Tanh()(nn.Linear(2, 2)(h)), h)
    return nn.Graph(x, h)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (diamond, [(2, 3)]),
        (dense, [(2, 2)]),
        (two_inputs, [(2, 3), (2, 2)]),
        (two_outputs, [(2, 3)]),
        (many_to_many, [(2, 3), (2, 3)]),
        (used_twice, [(2, 3)]),
        (deep, [(2, 2)]),
    ],
)
def test_gradients(backend: Library, make, shapes, training: bool) -> None:
    assert_gradients(make, backend, *shapes, training=training)


def test_a_value_used_twice_sums_its_gradients(backend: Library) -> None:
    x = nn.Input()
    model = nn.Graph(x, nn.Add()(x, x))
    y, backward = model.forward(backend.array([1.0, 2.0]))
    backend.assert_equal(y, np.array([2.0, 4.0]))
    backend.assert_equal(backward(backend.array([1.0, 3.0]))[0], np.array([2.0, 6.0]))


def test_several_outputs(backend: Library) -> None:
    x = nn.Input()
    h = nn.ReLU()(x)
    model = nn.Graph(x, (h, nn.Flatten(0)(h), x))
    (a, b, c), backward = model.forward(backend.array([[-1.0, 2.0]]))
    backend.assert_equal(a, np.array([[0.0, 2.0]]))
    backend.assert_equal(b, np.array([0.0, 2.0]))
    backend.assert_equal(c, np.array([[-1.0, 2.0]]))
    dx, _ = backward((a + 1, b + 10, c))
    backend.assert_equal(dx, np.array([[-1.0, 17.0]]))
    assert [y.shape for y in model(backend.array([[-1.0, 2.0]]))] == [(1, 2), (2,), (1, 2)]


def test_one_output_in_a_tuple_is_a_tuple(backend: Library) -> None:
    x = nn.Input()
    model = nn.Graph((x,), (nn.ReLU()(x),))
    (y,), backward = model.forward(backend.array([-1.0, 2.0]))
    backend.assert_equal(y, np.array([0.0, 2.0]))
    assert len(model(backend.array([1.0]))) == 1
    backend.assert_equal(backward((y,))[0], np.array([0.0, 2.0]))


def test_inputs_may_be_outputs_and_outputs_may_repeat(backend: Library) -> None:
    x = nn.Input()
    one = backend.array([1.0, -1.0])
    y, backward = nn.Graph(x, x).forward(one)
    backend.assert_equal(y, one)
    backend.assert_equal(backward(one)[0], one)
    h = nn.ReLU()(x)
    (y, z), backward = nn.Graph(x, (h, h)).forward(one)
    backend.assert_equal(y, z)
    backend.assert_equal(backward((one, 2 * one))[0], np.array([3.0, 0.0]))


def test_a_graph_may_begin_and_end_in_the_middle_of_another(backend: Library) -> None:
    """A part of a network is a network, with the same layers."""
    layer, head = nn.Linear(3, 2), nn.Linear(2, 1)
    x = nn.Input()
    h = nn.Tanh()(layer(x))
    y = head(h)
    whole, front, back = nn.Graph(x, y), nn.Graph(x, h), nn.Graph(h, y)
    placed(whole, backend)
    values = backend.array([[1.0, 2.0, 3.0]])
    backend.assert_equal(back(front(values)), whole(values))
    assert list(back.parameters().values()) == [head.weight, head.bias]


def test_names_and_their_order() -> None:
    conv, bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    x = nn.Input()
    out = nn.ReLU()(bn(conv(x)))
    assert list(nn.Graph(x, out).children()) == ["0", "1", "2"]
    assert list(nn.Graph(x, out).state_dict())[:4] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    named = nn.Graph(x, out, names={"bn": bn, "conv": conv})
    assert list(named.parameters()) == ["bn.weight", "bn.bias", "conv.weight", "conv.bias"]
    assert [*named.children()][:2] == ["bn", "conv"]
    mixed = nn.Graph(x, out, names={"0": bn})
    assert mixed.children()["0"] is bn
    assert len(mixed.children()) == 3
    assert len(set(map(id, mixed.children().values()))) == 3


def test_layers_are_numbered_in_the_order_of_computation() -> None:
    """However the user wrote them down: every layer after what it needs."""
    x = nn.Input()
    a, b, c = nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(3, 1)
    right = b(x)
    left = a(x)
    model = nn.Graph(x, c(nn.Add()(left, right)))
    children = list(model.children().values())
    assert children.index(c) == 3
    assert {id(child) for child in children[:2]} == {id(a), id(b)}


def test_what_is_beside_the_way_is_left_out() -> None:
    x = nn.Input()
    h = nn.Linear(2, 2)(x)
    nn.Linear(2, 7)(h)
    assert len(nn.Graph(x, h).children()) == 1


@pytest.mark.parametrize("branches", [1, 2])
def test_two_thousand_layers(backend: Library, branches: int) -> None:
    """No recursion, neither there nor back, neither in state nor in copies."""
    x = h = nn.Input()
    layer = nn.LeakyReLU(0.5)
    for _ in range(2000 // branches):
        h = layer(h) if branches == 1 else nn.Add()(h, layer(h))
    model = copy.deepcopy(nn.Graph(x, h))
    one = backend.array([1.0])
    y, backward = model.forward(one)
    backend.assert_equal(y, np.array([float(branches) ** (2000 // branches)]))
    backend.assert_equal(backward(one)[0], y)
    backend.assert_equal(model(one), y)
    assert model.state_dict() == {}
    assert model.to(backend.spec).backend is None


def test_two_thousand_different_layers() -> None:
    x = h = nn.Input()
    for _ in range(2000):
        h = nn.Linear(1, 1, bias=False)(h)
    model = nn.Graph(x, h)
    assert model.num_parameters == 2000
    model.update({key: np.ones((1, 1), "float32") for key in model.parameters()})
    y, backward = model.forward(np.full((1, 1), 3.0, "float32"))
    _, grads = backward(y)
    assert list(model.parameters())[-1] == "1999.weight"
    assert {float(gradient[0, 0]) for gradient in grads.values()} == {9.0}
    assert len(repr(model).splitlines()) == 2002


def test_the_graph_lets_go_of_what_it_no_longer_needs() -> None:
    """Inference holds the values of two layers, not of all; going back frees what it used."""
    x = h = nn.Input()
    for _ in range(20):
        h = nn.Sigmoid()(h)
    model, values = nn.Graph(x, h), np.ones(100_000)
    model(values)
    tracemalloc.start()
    try:
        model(values)
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 8 * values.nbytes
        y, backward = model.forward(values)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        backward(y)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - kept < 8 * values.nbytes
    finally:
        tracemalloc.stop()


def test_an_arrays_place_in_the_graph_is_named() -> None:
    """Symbolic inputs and arrays do not mix, and nodes are no arrays."""
    x = nn.Input()
    with refused("Add", "input 1", "ndarray", error=TypeError):
        nn.Add()(x, np.ones(2))
    with refused("Add", "input 0", error=TypeError):
        nn.Add()(3.0, x)
    with refused("x", "Node", error=TypeError):
        nn.Linear(2, 2).forward(x)


def test_graphs_that_make_no_sense() -> None:
    x, z = nn.Input(), nn.Input()
    relu = nn.ReLU()
    h = relu(x)
    with refused("not among the inputs"):
        nn.Graph(z, h)
    with refused("not among the inputs"):
        nn.Graph(x, nn.Add()(h, z))
    with refused("input 1"):
        nn.Graph((x, z), h)
    with refused("twice"):
        nn.Graph((x, x), h)
    with refused("'tanh'", "no layer of the graph"):
        nn.Graph(x, h, names={"tanh": nn.Tanh()})
    for name in ("", "a.b"):
        with refused(repr(name)):
            nn.Graph(x, h, names={name: relu})
    for inputs, outputs in ((np.ones(2), h), (x, np.ones(2)), (x, ()), ((), h), ((x, 3), h)):
        with refused("symbolic", error=TypeError):
            nn.Graph(inputs, outputs)
    with refused("symbolic", error=TypeError):
        nn.Graph(x, nn.ReLU())


def test_calls_that_do_not_fit() -> None:
    x = nn.Input()
    model, one = nn.Graph(x, nn.ReLU()(x)), np.ones(2)
    for call in (model, model.forward):
        with refused("1", "2"):
            call(one, one)
        with refused("1", "0"):
            call()
    (y, z), backward = nn.Graph(x, (nn.ReLU()(x), nn.Tanh()(x))).forward(one)
    with refused("2 output", "1"):
        backward((y,))
    with refused("2 output", "3"):
        backward((y, z, z))
    with pytest.raises((TypeError, ValueError), match="2 output"):
        backward(y)


# --- outputs that only training has -----------------------------------------------------------


def with_head() -> nn.Graph:
    """A second output that leaves the network half way, as in Inception."""
    x = nn.Input()
    body, head, last = nn.Linear(3, 3), nn.Linear(3, 1), nn.Linear(3, 2)
    h = nn.Tanh()(body(x))
    return nn.Graph(x, last(h), names={"body": body, "head": head, "last": last}, auxiliary=head(h))


def test_auxiliary_outputs_have_right_gradients(backend: Library) -> None:
    assert_gradients(with_head, backend, (2, 3), training=True)


def test_auxiliary_outputs_come_in_training_only(backend: Library) -> None:
    model = placed(with_head(), backend)
    assert [*model.parameters()][2:4] == ["head.weight", "head.bias"]
    x = backend.array([[1.0, 2.0, 3.0]])
    (y, aux), backward = model.forward(x, training=True)
    assert (y.shape, aux.shape) == ((1, 2), (1, 1))
    backend.assert_equal(model(x), y)
    _, grads = backward((y, aux))
    assert set(grads) == set(model.parameters())

    y_alone, backward_alone = model.forward(x)
    backend.assert_equal(y_alone, y)
    dx, grads = backward_alone(y)
    assert set(grads) == {key for key in model.parameters() if not key.startswith("head")}
    backend.assert_equal(dx, backward((y, 0 * aux))[0])
    with refused("2 outputs"):
        backward(y)


def test_several_auxiliary_outputs_follow_the_outputs(backend: Library) -> None:
    x = nn.Input()
    h = nn.ReLU()(x)
    model = nn.Graph(x, (h, x), auxiliary=(nn.Flatten(0)(h), nn.Tanh()(x)))
    one = backend.array([[-1.0, 2.0]])
    assert [y.shape for y in model.forward(one, training=True)[0]] == [(1, 2), (1, 2), (2,), (1, 2)]
    assert [y.shape for y in model.forward(one)[0]] == [(1, 2), (1, 2)]


def test_auxiliary_outputs_are_of_the_graph() -> None:
    x, z = nn.Input(), nn.Input()
    with refused("not among the inputs"):
        nn.Graph(x, nn.ReLU()(x), auxiliary=nn.Tanh()(z))
    with refused("input 1", "none of its outputs"):  # inference would not use it
        nn.Graph((x, z), nn.ReLU()(x), auxiliary=nn.Tanh()(z))
    with refused("auxiliary", "symbolic", error=TypeError):
        nn.Graph(x, nn.ReLU()(x), auxiliary=nn.Tanh())
