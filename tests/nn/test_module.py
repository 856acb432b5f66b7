"""`Module`: a layer of one's own, its structure, its looks, its copies."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.gradients import assert_gradients
from tests.nn.layers import placed
from tests.nn.networks import KEYS, Scaled, scaled_twin, small
from tests.refusals import refused
from xpconv import get_backend, nn, optim, use_backend


def test_parameters_and_buffers_are_apart() -> None:
    model = small()
    buffers = [key for key in KEYS if "running" in key or "tracked" in key]
    assert list(model.state_dict()) == KEYS
    assert list(model.buffers()) == buffers
    assert list(model.parameters()) == [key for key in KEYS if key not in buffers]
    assert model.num_parameters == 18 + 2 + 4 + 24 + 3
    assert type(model.num_parameters) is int
    for key, value in [*model.parameters().items(), *model.buffers().items()]:
        assert model.state_dict()[key] is value


def test_a_layer_of_ones_own_has_pytorchs_keys(torch) -> None:
    for model, twin in (
        (Scaled(), scaled_twin(torch)),
        (
            nn.Sequential({"a": Scaled(), "b": nn.Residual(Scaled())}),
            torch.nn.ModuleDict(
                {"a": scaled_twin(torch), "b": torch.nn.ModuleDict({"body": scaled_twin(torch)})}
            ),
        ),
    ):
        assert list(model.state_dict()) == list(twin.state_dict())
        assert list(model.parameters()) == [key for key, _ in twin.named_parameters()]
        assert list(model.buffers()) == [key for key, _ in twin.named_buffers()]
        assert model.num_parameters == sum(p.numel() for p in twin.parameters())


def test_a_layer_of_ones_own_computes_as_its_twin(backend: Library, torch, rng) -> None:
    model, twin = placed(Scaled(), backend), scaled_twin(torch).double()
    twin.load_state_dict({k: torch.tensor(host(v)) for k, v in model.state_dict().items()})
    x, dy = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    for training in (True, False, True):
        desired = twin.train(training)(torch.tensor(x))
        twin.zero_grad()
        desired.backward(torch.tensor(dy))
        y, backward = model.forward(backend.array(x), training=training)
        backend.assert_close(y, desired.detach().numpy())
        _, grads = backward(backend.array(dy))
        for key, parameter in twin.named_parameters():
            backend.assert_close(grads[key], parameter.grad.numpy())
        for key, value in twin.state_dict().items():
            backend.assert_close(model.state_dict()[key], value.numpy())
    backend.assert_equal(model(backend.array(x)), model.forward(backend.array(x))[0])


def test_a_layer_of_ones_own_in_a_network(backend: Library) -> None:
    def make() -> nn.Module:
        x = nn.Input()
        return nn.Sequential(nn.Residual(Scaled()), nn.Graph(x, nn.Add()(Scaled()(x), x)))

    assert_gradients(make, backend, (4, 3))


def test_structure() -> None:
    model = Scaled()
    assert list(model.children()) == ["blocks.0", "blocks.1", "norm", "pair.0", "pair.1"]
    assert [name for name, _ in model.named_modules()] == [
        "",
        "blocks.0",
        "blocks.1",
        "blocks.1.0",
        "blocks.1.1",
        "norm",
        "pair.0",
        "pair.1",
    ]
    assert next(iter(model.named_modules()))[1] is model
    assert [name for name, _ in nn.Residual(nn.ReLU()).named_modules("net")] == ["net", "net.body"]


def test_layers_in_lists_of_lists_and_in_dicts_are_found_or_refused() -> None:
    """Never silently left out: their parameters would not be trained."""

    class Grid(nn.Module):
        def __init__(self, **attributes) -> None:
            vars(self).update(attributes)

    for attributes, key in (
        ({"rows": [[nn.Linear(1, 1)]]}, "rows.0.0.weight"),
        ({"heads": {"a": nn.Linear(1, 1)}}, "heads.a.weight"),
    ):
        try:
            state = Grid(**attributes).state_dict()
        except TypeError:
            continue
        assert key in state


@pytest.mark.parametrize("number", [np.float64(0.5), np.int64(3), np.float32(2.0)])
def test_numbers_of_numpy_are_options_and_no_parameters(number) -> None:
    layer = nn.ReLU()
    layer.number = number
    assert layer.state_dict() == {}
    for model in (
        nn.Linear(np.prod((2, 3)), np.int64(2)),
        nn.Conv2d(np.int64(2), np.int64(3), np.int64(3), groups=np.int64(1)),
        nn.Dropout(np.float64(0.5)),
        nn.LeakyReLU(np.float32(0.5)),
        nn.BatchNorm2d(np.int64(3), eps=np.float64(0.1), momentum=np.float64(0.1)),
    ):
        assert model.state_dict().keys() <= {"weight", "bias", *nn.BatchNorm1d.buffer_names}


class Temperature(nn.Module):
    """One learned number."""

    def __init__(self) -> None:
        self.scale = get_backend().asarray(2.0, dtype="float32")

    def forward(self, x, training=False):
        return x * self.scale, lambda dy: (dy * self.scale, {"scale": (dy * x).sum()})


def test_a_single_number_may_be_a_parameter() -> None:
    """NumPy's arithmetic makes scalars of arrays without axes; they stay state all the same."""
    model = nn.Sequential(Temperature())
    optimizer = optim.SGD(lr=0.5, momentum=0.5)
    for _ in range(2):
        _, backward = model.forward(np.ones(1, "float32"), training=True)
        optimizer.step(model, backward(np.ones(1, "float32"))[1])
        assert list(model.parameters()) == ["0.scale"]
        assert model.state_dict()["0.scale"].shape == ()
        assert model.state_dict()["0.scale"].dtype == np.float32
    assert float(model.state_dict()["0.scale"]) == 2 - 0.5 - 0.5 * 1.5


def test_a_single_number_may_be_updated(backend: Library) -> None:
    with use_backend(backend.spec):
        model = Temperature()
    for value in (np.float64(3.0), backend.array(3.0, "float32")):
        model.update({"scale": value})
        backend.assert_equal(model.parameters()["scale"], np.float32(3.0))


def test_a_layer_without_a_forward_says_so() -> None:
    class Nothing(nn.Module):
        pass

    for call in (Nothing(), Nothing().forward):
        with refused("Nothing defines no forward", error=TypeError):
            call(np.ones(2))


def test_where_a_model_lives() -> None:
    assert nn.Sequential(nn.ReLU(), nn.Flatten()).backend is None
    assert nn.ReLU().num_parameters == 0
    assert nn.Sequential(nn.ReLU(), nn.Linear(2, 2)).backend == get_backend("numpy")
    assert nn.BatchNorm1d(2, affine=False).backend == get_backend("numpy")


def test_a_model_is_born_where_the_block_says(backend: Library) -> None:
    with use_backend(backend.spec):
        model = small()
    assert model.backend == backend.backend
    for value in model.state_dict().values():
        assert backend.owns(value)


def test_update_replaces_by_name(backend: Library) -> None:
    model = placed(small(), backend)
    before = model.state_dict()
    bias = backend.array(np.full(2, 3.0))
    model.update({"0.bias": bias, "1.running_mean": bias})
    assert model[0].bias is bias
    assert model[1].running_mean is bias
    for key, value in model.state_dict().items():
        assert key in ("0.bias", "1.running_mean") or value is before[key]
    with refused("9.bias", "Sequential", error=KeyError):
        model.update({"0.weight": bias, "9.bias": bias})
    assert model.state_dict()["0.weight"] is before["0.weight"]


def test_the_dicts_are_the_callers_own() -> None:
    model = small()
    for mine in (model.state_dict(), model.parameters(), model.buffers(), model.children()):
        mine.clear()
    assert list(model.state_dict()) == KEYS


# --- looks -----------------------------------------------------------------------------------


def test_repr_shows_the_tree() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Residual(nn.Sequential({"act": nn.ReLU(), "drop": nn.Dropout(0.25)})),
        nn.Linear(4, 2, bias=False),
    )
    assert repr(model).splitlines() == [
        "Sequential(",
        "  (0): Conv2d(1, 2, kernel_size=(3, 3), padding=1)",
        "  (1): Residual(",
        "    (body): Sequential(",
        "      (act): ReLU()",
        "      (drop): Dropout(p=0.25)",
        "    )",
        "  )",
        "  (2): Linear(4, 2, bias=False)",
        ")",
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: nn.Conv1d(4, 2, 3, 2, groups=2, bias=False),
            ["4, 2", "(3,)", "groups=2", "bias=False"],
        ),
        (lambda: nn.Conv2d(4, 2, 3, dilation=2), ["dilation=(2, 2)"]),
        (lambda: nn.MaxPool2d(3, 2), ["kernel_size=3", "stride=2"]),
        (lambda: nn.AvgPool2d(3, ceil_mode=True), ["kernel_size=3", "ceil_mode=True"]),
        (lambda: nn.BatchNorm2d(7, eps=0.5, momentum=None), ["7", "eps=0.5", "momentum=None"]),
        (lambda: nn.LeakyReLU(0.3), ["negative_slope=0.3"]),
        (lambda: nn.Softmax(1), ["dim=1"]),
    ],
)
def test_repr_shows_the_options(make, words) -> None:
    for word in words:
        assert word in repr(make())


# --- copies ----------------------------------------------------------------------------------


def test_copies_have_state_of_their_own(backend: Library, rng: np.random.Generator) -> None:
    x = nn.Input()
    layer = nn.Linear(3, 3)
    model = placed(
        nn.Sequential(Scaled(), nn.Residual(nn.Linear(3, 3)), nn.Graph(x, layer(layer(x)))),
        backend,
    )
    values = backend.array(rng.normal(size=(4, 3)))
    expected, before = model(values), model.state_dict()
    twin = copy.deepcopy(model)
    assert list(twin.state_dict()) == list(before)
    assert twin.backend == backend.backend
    backend.assert_equal(twin(values), expected)
    twin.forward(values, training=True)
    twin.update({key: value + 1 for key, value in twin.parameters().items()})
    for key, value in model.state_dict().items():
        assert value is before[key]
        assert np.any(host(twin.state_dict()[key]) != host(value))
    backend.assert_equal(model(values), expected)


def test_update_takes_arrays_of_the_right_shape_alone() -> None:
    layer = nn.Linear(2, 2)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"bias has shape \(2,\), got an array of \(7,\)"):
        layer.update({"weight": layer.weight * 0, "bias": np.ones(7, "float32")})
    with pytest.raises(TypeError, match="bias must be an array, got str"):
        layer.update({"bias": "x"})
    assert all(after is before[key] for key, after in layer.state_dict().items())


def test_a_real_parameter_takes_no_complex_numbers() -> None:
    state = {"weight": np.ones((2, 2)) * 1j, "bias": np.zeros(2)}
    with pytest.raises(TypeError, match="weight is float32 and cannot take complex128"):
        nn.Linear(2, 2).load_state_dict(state)


@pytest.mark.parametrize("forgotten", [lambda x: x * 2, lambda x: (x, x), lambda x: (x, None, x)])
def test_a_forward_without_a_way_back_is_refused(forgotten) -> None:
    """An array of two samples would unpack like (y, backward)."""

    class Double(nn.Module):
        def forward(self, x, training=False):
            return forgotten(x)

    x = np.ones((2, 3), "float32")
    for call in (Double(), Double().forward, nn.Sequential(nn.Identity(), Double()).forward):
        with refused("Double.forward must return", "(y, backward)", error=TypeError):
            call(x)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.Dropout, nn.Identity])
def test_a_subclass_that_changes_forward_infers_by_it(kind: type[nn.Module]) -> None:
    class Negated(kind):
        def forward(self, x, training=False):
            y, backward = super().forward(x, training=training)
            return -y, lambda dy: backward(-dy)

    x = np.array([[1.0, 2.0]], "float32")
    np.testing.assert_array_equal(Negated()(x), -x)
    np.testing.assert_array_equal(nn.Sequential(Negated())(x), -x)
    np.testing.assert_array_equal(nn.Sequential(Negated()).fuse()(x), -x)
    np.testing.assert_array_equal(nn.Sequential(Negated()).compile_for(x.shape)(x), -x)
