"""`Sequential`, `Residual`, `Concat`, `Graph`: they compose their layers' ways back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn


def gradients_by_differences(model: nn.Module, inputs: list, dy: np.ndarray, backend: Library):
    """Every derivative of sum(dy * model(x)), one number at a time."""
    state = model.state_dict()
    step = 1e-5

    def loss(there) -> float:
        return float(np.sum(dy * host(model(*there))))

    def each(value: np.ndarray, probe) -> np.ndarray:
        gradient = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            two = []
            for sign in (1, -1):
                moved = value.copy()
                moved[place] += sign * step
                two.append(probe(moved))
            gradient[place] = (two[0] - two[1]) / (2 * step)
        return gradient

    def parameter(key: str):
        def probe(moved: np.ndarray) -> float:
            model.update({key: backend.array(moved)})
            result = loss(inputs)
            model.update({key: state[key]})
            return result

        return each(host(state[key]), probe)

    def entry(i: int):
        return each(
            host(inputs[i]),
            lambda moved: loss([*inputs[:i], backend.array(moved), *inputs[i + 1 :]]),
        )

    return [entry(i) for i in range(len(inputs))], {
        key: parameter(key) for key in model.parameters()
    }


def assert_gradients(model: nn.Module, backend: Library, *shapes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    placed(model, backend)
    inputs = [backend.array(rng.normal(size=shape)) for shape in shapes]
    y, backward = model.forward(*inputs, training=True)
    dy = rng.normal(size=y.shape)
    dx, grads = backward(backend.array(dy))
    desired_dx, desired_grads = gradients_by_differences(model, inputs, dy, backend)
    for actual, desired in zip(dx if len(shapes) > 1 else (dx,), desired_dx, strict=True):
        backend.assert_close(actual, desired, rtol=1e-7)
    assert set(grads) == set(desired_grads)
    for key, desired in desired_grads.items():
        backend.assert_close(grads[key], desired, rtol=1e-7)


def tanh_linear(size: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(size, size), nn.Tanh())


# --- a layer in several places ---------------------------------------------------------------


def shared_in_a_row() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.Tanh(), layer)


def shared_across_rows() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Sequential(nn.Sequential(layer, nn.Tanh()), nn.Sequential(layer))


def shared_by_branches() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Concat(layer, nn.Sequential(nn.Tanh(), layer))


def shared_by_body_and_shortcut() -> nn.Module:
    layer = nn.Linear(3, 3)
    return nn.Residual(nn.Sequential(layer, nn.Tanh()), layer)


def shared_in_a_graph() -> nn.Module:
    layer, row = nn.Linear(3, 3), nn.Sequential(nn.Tanh())
    x = nn.Input()
    return nn.Graph(x, nn.Add()(layer(row(layer(x))), x))


def shared_by_a_graph_and_a_row_in_it() -> nn.Module:
    layer = nn.Linear(3, 3)
    x = nn.Input()
    return nn.Graph(x, nn.Sequential(nn.Tanh(), layer)(layer(x)))


@pytest.mark.parametrize(
    "make",
    [
        shared_in_a_row,
        shared_across_rows,
        shared_by_branches,
        shared_by_body_and_shortcut,
        shared_in_a_graph,
        shared_by_a_graph_and_a_row_in_it,
    ],
)
def test_a_layer_in_two_places_gets_the_sum_of_its_gradients(backend: Library, make) -> None:
    model = make()
    assert len(model.parameters()) == 2
    assert model.num_parameters == 12
    assert_gradients(model, backend, (2, 3))


def test_a_shared_layer_trains_as_in_pytorch(torch, rng: np.random.Generator) -> None:
    from xpconv import optim

    backend = Library("numpy")
    model = placed(shared_across_rows(), backend)
    layer = torch.nn.Linear(3, 3)
    twin = torch.nn.Sequential(
        torch.nn.Sequential(layer, torch.nn.Tanh()), torch.nn.Sequential(layer)
    ).double()
    assert list(twin.state_dict()) == list(model.state_dict())
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


# --- sequences, residuals, branches ----------------------------------------------------------


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
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    assert list(model.state_dict()) == ["2.weight", "2.bias"]
    with pytest.raises(IndexError):
        model[3]


def test_a_part_of_a_sequential_is_one() -> None:
    layers = [nn.ReLU(), nn.Tanh(), nn.Linear(2, 3)]
    part = nn.Sequential(*layers)[1:]
    assert isinstance(part, nn.Sequential)
    assert list(part) == layers[1:]


def test_named_layers() -> None:
    model = nn.Sequential({"conv": nn.Conv2d(1, 2, 3), "head": nn.Sequential(nn.Linear(2, 2))})
    assert list(model.state_dict()) == ["conv.weight", "conv.bias", "head.0.weight", "head.0.bias"]
    assert list(model.children()) == ["conv", "head"]
    assert [name for name, _ in model.named_modules()] == ["", "conv", "head", "head.0"]


def test_an_empty_sequential_passes_on(backend: Library) -> None:
    x = backend.array([[1.0]])
    y, backward = nn.Sequential().forward(x)
    backend.assert_equal(y, x)
    backend.assert_equal(backward(y)[0], x)


@pytest.mark.parametrize("what", ["relu", None, 3, nn.ReLU])
def test_what_is_no_layer_is_refused(what: object) -> None:
    for container in (nn.Sequential, nn.Concat):
        with pytest.raises(TypeError, match="must be a Module"):
            container(nn.ReLU(), what)


@pytest.mark.parametrize("name", ["", "a.b"])
def test_names_without_dots(name: str) -> None:
    with refused(repr(name)):
        nn.Sequential({name: nn.ReLU()})


def test_residual_by_hand(backend: Library) -> None:
    y, backward = nn.Residual(nn.ReLU()).forward(backend.array([-1.0, 2.0]))
    backend.assert_equal(y, np.array([-1.0, 4.0]))
    backend.assert_equal(backward(backend.array([1.0, 1.0]))[0], np.array([1.0, 2.0]))


def test_residual_names_its_parts() -> None:
    model = nn.Residual(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    assert list(model.state_dict()) == ["body.weight", "body.bias", "shortcut.weight"]


def test_residual_shapes_must_meet() -> None:
    with refused("(2, 4)", "(2, 3)"):
        nn.Residual(nn.Linear(3, 4))(np.zeros((2, 3), "float32"))


def test_concat_by_hand(backend: Library) -> None:
    model = nn.Concat(nn.Identity(), nn.ReLU())
    y, backward = model.forward(backend.array([[-1.0, 2.0]]))
    backend.assert_equal(y, np.array([[-1.0, 2.0, 0.0, 2.0]]))
    backend.assert_equal(backward(backend.array([[1.0, 2, 3, 4]]))[0], np.array([[1.0, 6.0]]))


def test_nested_containers(backend: Library) -> None:
    model = nn.Sequential(
        nn.Residual(tanh_linear()),
        nn.Concat(tanh_linear(), nn.Residual(tanh_linear(), nn.Linear(3, 3)), dim=-1),
        nn.Linear(6, 2),
    )
    assert_gradients(model, backend, (2, 3))


# --- graphs ----------------------------------------------------------------------------------


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


def deep() -> nn.Module:
    x = h = nn.Input()
    for _ in range(3):
        h = nn.Add()(nn.Tanh()(nn.Linear(2, 2)(h)), h)
    return nn.Graph(x, h)


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (diamond, [(2, 3)]),
        (dense, [(2, 2)]),
        (two_inputs, [(2, 3), (2, 2)]),
        (deep, [(2, 2)]),
    ],
)
def test_graphs_have_right_gradients(backend: Library, make, shapes) -> None:
    assert_gradients(make(), backend, *shapes)


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


def test_graphs_name_their_layers() -> None:
    conv, bn = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    x = nn.Input()
    out = nn.ReLU()(bn(conv(x)))
    assert list(nn.Graph(x, out).children()) == ["0", "1", "2"]
    named = nn.Graph(x, out, names={"conv": conv, "bn": bn})
    assert list(named.parameters()) == ["conv.weight", "conv.bias", "bn.weight", "bn.bias"]


def test_a_graph_is_a_layer_in_another(backend: Library) -> None:
    inner = diamond()
    x = nn.Input()
    assert_gradients(nn.Graph(x, nn.Tanh()(inner(inner(x)))), backend, (2, 3))


def test_a_very_deep_graph() -> None:
    """No recursion: a thousand layers and more."""
    x = h = nn.Input()
    layer = nn.Identity()
    for _ in range(3000):
        h = layer(h)
    model = nn.Graph(x, h)
    y, backward = model.forward(np.ones(2))
    np.testing.assert_array_equal(backward(y)[0], np.ones(2))


def test_graph_refusals() -> None:
    x, z = nn.Input(), nn.Input()
    h = nn.ReLU()(x)
    with refused("not among the inputs"):
        nn.Graph(z, h)
    with refused("input 1"):
        nn.Graph((x, z), h)
    with refused("'tanh'"):
        nn.Graph(x, h, names={"tanh": nn.Tanh()})
    with pytest.raises(TypeError, match="symbolic"):
        nn.Graph(np.ones(2), h)
    with pytest.raises(TypeError, match="input 1"):
        nn.Add()(x, np.ones(2))
    with refused("1", "2"):
        nn.Graph(x, h)(np.ones(2), np.ones(2))
    with refused("1", "0"):
        nn.Graph(x, h).forward()


def test_a_graph_frees_what_it_no_longer_needs_in_inference() -> None:
    """Values are let go after their last use: memory of two layers, not of all."""
    import tracemalloc

    x = h = nn.Input()
    for _ in range(20):
        h = nn.Sigmoid()(h)
    model, values = nn.Graph(x, h), np.ones(100_000)
    model(values)
    tracemalloc.start()
    try:
        model(values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * values.nbytes
