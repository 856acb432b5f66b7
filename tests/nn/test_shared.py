"""A layer in several places of one network: one parameter, one key, the sum of its gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.gradients import assert_gradients
from tests.nn.layers import placed
from xpconv import nn, optim


def in_a_row() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.Tanh(), layer)


def across_rows() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(nn.Sequential(layer, nn.Tanh()), nn.Sequential(layer))


def by_branches() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Concat(layer, nn.Sequential(nn.Tanh(), layer))


def by_body_and_shortcut() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Residual(nn.Sequential(layer, nn.Tanh()), layer)


def twice_within_a_body() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Residual(nn.Sequential(layer, nn.Sequential(nn.Tanh(), layer)))


def in_a_graph() -> nn.Module:
    layer, row = nn.Linear(3, 3), nn.Sequential(nn.Tanh())
    x = nn.Input()
    return nn.Graph(x, nn.Add()(layer(row(layer(x))), x))


def by_a_graph_and_a_row_in_it() -> nn.Module:
    layer = nn.Linear(3, 3)
    x = nn.Input()
    return nn.Graph(x, nn.Sequential(nn.Tanh(), layer)(layer(x)))


def under_two_names_of_a_graph() -> nn.Module:
    layer = nn.Linear(3, 3)
    x = nn.Input()
    return nn.Graph(x, layer(nn.Tanh()(layer(x))), names={"one": layer, "two": layer})


def a_row_in_two_places() -> nn.Module:
    row = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    return nn.Sequential(row, nn.Residual(row), row)


def far_apart() -> nn.Module:
    layer = nn.Linear(3, 3)
    x = nn.Input()
    return nn.Sequential(
        nn.Residual(nn.Sequential(nn.Tanh(), layer)),
        nn.Graph(x, nn.Concat(nn.Tanh(), nn.Residual(layer), dim=0)(x)),
        nn.Residual(nn.Tanh(), nn.Concat({"deep": layer})),
    )


def shared_later() -> nn.Module:
    """The networks exist before a layer of one is put into the other."""
    first, second = nn.Residual(nn.Linear(3, 3)), nn.Residual(nn.Linear(3, 3))
    model = nn.Sequential(first, nn.Tanh(), second)
    second.body = first.body
    return model


EVERYWHERE = [
    in_a_row,
    across_rows,
    by_branches,
    by_body_and_shortcut,
    twice_within_a_body,
    in_a_graph,
    by_a_graph_and_a_row_in_it,
    under_two_names_of_a_graph,
    a_row_in_two_places,
    far_apart,
    shared_later,
]


@pytest.mark.parametrize("make", EVERYWHERE)
def test_gradients_are_summed_under_the_first_key(backend: Library, make) -> None:
    model = make()
    assert len(model.parameters()) == 2
    assert model.num_parameters == 12
    assert list(model.parameters()) == list(model.state_dict())[:2]
    assert_gradients(make, backend, (2, 3))


@pytest.mark.parametrize("make", EVERYWHERE)
def test_a_shared_layer_trains(make) -> None:
    """The optimiser finds every gradient's parameter, and every place sees the step."""
    model = make()
    (weight, bias) = model.parameters()
    before = model.parameters()[weight]
    y, backward = model.forward(np.ones((2, 3), "float32"), training=True)
    optim.SGD(lr=0.1).step(model, backward(y)[1])
    assert np.any(model.parameters()[weight] != before)
    for key, value in model.state_dict().items():
        assert value is model.parameters()[weight if key.endswith("weight") else bias]


def test_keys_and_steps_are_pytorchs(torch, rng: np.random.Generator) -> None:
    backend = Library("numpy")
    model = placed(across_rows(), backend)
    layer = torch.nn.Linear(3, 3)
    twin = torch.nn.Sequential(
        torch.nn.Sequential(layer, torch.nn.Tanh()), torch.nn.Sequential(layer)
    ).double()
    assert list(twin.state_dict()) == list(model.state_dict())
    assert [key for key, _ in twin.named_parameters()] == list(model.parameters())
    twin.load_state_dict({k: torch.tensor(v) for k, v in model.state_dict().items()})
    optimizer, theirs = optim.SGD(lr=0.1), torch.optim.SGD(twin.parameters(), lr=0.1)
    x = rng.normal(size=(4, 3))
    for _ in range(3):
        y, backward = model.forward(x, training=True)
        optimizer.step(model, backward(y)[1])
        theirs.zero_grad()
        (twin(torch.tensor(x)) ** 2 / 2).sum().backward()
        theirs.step()
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[key], value.numpy(), rtol=1e-12)


@pytest.mark.parametrize("make", EVERYWHERE)
def test_a_copy_shares_within_itself_alone(make) -> None:
    model = make()
    twin = copy.deepcopy(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    assert twin.num_parameters == 12
    key = next(iter(twin.parameters()))
    twin.update({key: twin.parameters()[key] + 1})
    assert len({id(value) for value in twin.state_dict().values()}) == 2
    assert np.all(model.parameters()[key] != twin.parameters()[key])


def test_a_shared_layer_moves_as_one(backend: Library) -> None:
    model = across_rows().to(backend.spec, "float64")
    assert len({id(value) for value in model.state_dict().values()}) == 2
    for value in model.state_dict().values():
        assert backend.owns(value)


def test_state_of_a_shared_layer_travels(backend: Library) -> None:
    source, target = across_rows(), across_rows().to(backend.spec)
    target.load_state_dict(source.state_dict())
    for key, value in source.state_dict().items():
        np.testing.assert_array_equal(host(target.state_dict()[key]), value)
    assert target.num_parameters == 12
