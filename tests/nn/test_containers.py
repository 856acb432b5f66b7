"""`Sequential`, `Residual`, `Concat`: they compose their layers' ways back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.gradients import assert_gradients
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn

# --- Sequential ------------------------------------------------------------------------------


def test_sequential_runs_in_order(backend: Library) -> None:
    model = nn.Sequential(nn.Flatten(), nn.ReLU())
    y, backward = model.forward(backend.array([[[-1.0, 2.0]]]))
    backend.assert_equal(y, np.array([[0.0, 2.0]]))
    dx, grads = backward(backend.array([[3.0, 4.0]]))
    backend.assert_equal(dx, np.array([[[0.0, 4.0]]]))
    assert grads == {}


def test_sequential_is_a_sequence() -> None:
    layers = [nn.ReLU(), nn.Tanh(), nn.Linear(2, 3)]
    model = nn.Sequential(*layers)
    assert len(model) == 3
    assert list(model) == layers
    assert [model[i] for i in (0, 1, 2, -1, -3)] == [*layers, layers[2], layers[0]]
    assert list(model.state_dict()) == ["2.weight", "2.bias"]
    for index in (3, -4):
        with pytest.raises(IndexError):
            model[index]


def test_a_part_of_a_sequential_is_one(torch) -> None:
    layers = [nn.ReLU(), nn.Linear(3, 2), nn.Linear(2, 3)]
    part = nn.Sequential(*layers)[1:]
    assert isinstance(part, nn.Sequential)
    assert list(part) == layers[1:]
    twin = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2), torch.nn.Linear(2, 3))
    assert list(part.state_dict()) == list(twin[1:].state_dict())


@pytest.mark.parametrize("container", [nn.Sequential, nn.Concat])
def test_named_layers(container) -> None:
    model = container({"conv": nn.Conv2d(1, 2, 3), "head": nn.Sequential(nn.Linear(2, 2))})
    assert list(model.state_dict()) == ["conv.weight", "conv.bias", "head.0.weight", "head.0.bias"]
    assert list(model.children()) == ["conv", "head"]
    assert [name for name, _ in model.named_modules()] == ["", "conv", "head", "head.0"]
    assert model[0] is model.children()["conv"]


def test_an_empty_sequential_passes_on(backend: Library) -> None:
    x = backend.array([[1.0]])
    model = nn.Sequential()
    y, backward = model.forward(x)
    backend.assert_equal(y, x)
    backend.assert_equal(model(x), x)
    dx, grads = backward(y)
    backend.assert_equal(dx, x)
    assert grads == model.state_dict() == {}
    assert len(model) == len(nn.Sequential({})) == 0


@pytest.mark.parametrize("what", ["relu", None, 3, nn.ReLU, [nn.ReLU()]])
def test_what_is_no_layer_is_refused(what: object) -> None:
    for container in (nn.Sequential, nn.Concat):
        with refused("'1'", "must be a Module", error=TypeError):
            container(nn.ReLU(), what)
        with refused("'tail'", "must be a Module", error=TypeError):
            container({"tail": what})


@pytest.mark.parametrize("name", ["", "a.b", 1, None])
def test_names_are_texts_without_dots(name) -> None:
    with pytest.raises((TypeError, ValueError), match="name") as caught:
        nn.Sequential({name: nn.ReLU()})
    assert repr(name) in str(caught.value)


def test_a_mapping_is_copied() -> None:
    layers = {"a": nn.ReLU()}
    model = nn.Sequential(layers)
    layers["b"] = nn.Tanh()
    model.children()["c"] = nn.Tanh()
    assert list(model.children()) == ["a"]


# --- Residual --------------------------------------------------------------------------------


def test_residual_by_hand(backend: Library) -> None:
    model = nn.Residual(nn.ReLU())
    y, backward = model.forward(backend.array([-1.0, 2.0]))
    backend.assert_equal(y, np.array([-1.0, 4.0]))
    backend.assert_equal(model(backend.array([-1.0, 2.0])), y)
    backend.assert_equal(backward(backend.array([1.0, 1.0]))[0], np.array([1.0, 2.0]))


def test_residual_with_a_shortcut_by_hand(backend: Library) -> None:
    model = nn.Residual(nn.ReLU(), nn.LeakyReLU(0.5))
    y, backward = model.forward(backend.array([-2.0, 2.0]))
    backend.assert_equal(y, np.array([-1.0, 4.0]))
    backend.assert_equal(backward(backend.array([1.0, 3.0]))[0], np.array([0.5, 6.0]))


def test_residual_names_its_parts() -> None:
    model = nn.Residual(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    assert list(model.state_dict()) == ["body.weight", "body.bias", "shortcut.weight"]
    assert list(nn.Residual(nn.Linear(2, 2)).state_dict()) == ["body.weight", "body.bias"]


def test_residual_shapes_must_meet() -> None:
    x = np.zeros((2, 3), "float32")
    model = nn.Residual(nn.Linear(3, 4))
    for call in (model, model.forward):
        with refused("(2, 4)", "(2, 3)"):
            call(x)


# --- Concat ----------------------------------------------------------------------------------


def test_concat_by_hand(backend: Library) -> None:
    model = nn.Concat(nn.Identity(), nn.ReLU())
    y, backward = model.forward(backend.array([[-1.0, 2.0]]))
    backend.assert_equal(y, np.array([[-1.0, 2.0, 0.0, 2.0]]))
    backend.assert_equal(model(backend.array([[-1.0, 2.0]])), y)
    backend.assert_equal(backward(backend.array([[1.0, 2, 3, 4]]))[0], np.array([[1.0, 6.0]]))


def test_concat_without_branches_joins_its_inputs(backend: Library) -> None:
    model = nn.Concat(dim=0)
    arrays = [backend.array(values) for values in ([1.0], [2.0, 3.0], [4.0])]
    y, backward = model.forward(*arrays)
    backend.assert_equal(y, np.array([1.0, 2.0, 3.0, 4.0]))
    backend.assert_equal(model(*arrays), y)
    parts, grads = backward(backend.array([5.0, 6.0, 7.0, 8.0]))
    for part, expected in zip(parts, ([5.0], [6.0, 7.0], [8.0]), strict=True):
        backend.assert_equal(part, np.array(expected))
    assert grads == {}
    one, backward = model.forward(arrays[1])
    backend.assert_equal(backward(one)[0], one)


def test_concat_joins_along_any_axis(backend: Library) -> None:
    x = backend.array(np.ones((2, 3, 4)))
    for dim, shape in ((0, (4, 3, 4)), (1, (2, 6, 4)), (-1, (2, 3, 8))):
        assert nn.Concat(nn.Identity(), nn.ReLU(), dim=dim)(x).shape == shape


def test_concat_refusals() -> None:
    x = np.ones((2, 3), "float32")
    branches = nn.Concat(nn.ReLU(), nn.Tanh())
    for call in (branches, branches.forward):
        with refused("one input", "2"):
            call(x, x)
    with refused("at least one"):
        nn.Concat()()
    with refused("(2, 3)", "(3, 3)"):
        nn.Concat()(x, np.ones((3, 3), "float32"))


# --- all together ----------------------------------------------------------------------------


def tanh_linear(size: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(size, size), nn.Tanh())


def nested() -> nn.Module:
    return nn.Sequential(
        nn.Residual(tanh_linear()),
        nn.Concat(tanh_linear(), nn.Residual(tanh_linear(), nn.Linear(3, 3)), dim=-1),
        nn.Linear(6, 2),
    )


def network() -> nn.Module:
    """A bit of everything, as in a real network, and smooth."""
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh())
    return nn.Sequential(
        {
            "stem": nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), nn.AvgPool2d(2)),
            "block": nn.Residual(block, nn.Conv2d(4, 4, 1, bias=False)),
            "inception": nn.Concat(
                {
                    "small": nn.Conv2d(4, 2, 1),
                    "large": nn.Sequential(nn.Conv2d(4, 3, 3, padding="same"), nn.SiLU()),
                    "pooled": nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Dropout(0.3)),
                }
            ),
            "pool": nn.GlobalAvgPool(),
            "flat": nn.Flatten(),
            "head": nn.Linear(9, 3),
        }
    )


@pytest.mark.parametrize("training", [True, False])
def test_nested_containers_have_right_gradients(backend: Library, training: bool) -> None:
    assert_gradients(nested, backend, (2, 3), training=training)
    assert_gradients(network, backend, (3, 2, 6, 6), training=training)


def test_training_reaches_every_layer(backend: Library, rng) -> None:
    """Through every container, and without it no buffer moves."""

    def norm() -> nn.Module:
        return nn.BatchNorm1d(2)

    x = nn.Input()
    model = placed(
        nn.Sequential(
            norm(),
            nn.Residual(norm(), norm()),
            nn.Graph(x, nn.Add()(norm()(x), nn.Sequential(norm())(x))),
            nn.Concat(norm(), nn.Residual(norm())),
        ),
        backend,
    )
    values = backend.array(rng.normal(size=(5, 2)))
    before = model.state_dict()
    assert len(model.buffers()) == 7 * 3
    model.forward(values)
    model.forward(values, training=False)
    model(values)
    for key, value in model.state_dict().items():
        assert value is before[key]
    model.forward(values, training=True)
    for key, value in model.buffers().items():
        assert value is not before[key], key  # of normalised numbers the mean may be 0 again
        if key.endswith("num_batches_tracked"):
            backend.assert_equal(value, np.array(1))
    for key, value in model.parameters().items():
        assert value is before[key]
