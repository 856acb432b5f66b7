"""`weight_norm` and `spectral_norm` of layers, against PyTorch over several steps of training."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn, optim

LAYERS = [
    ("Linear", (4, 3), (5, 4)),
    ("Conv1d", (4, 3, 2), (2, 4, 6)),
    ("Conv2d", (4, 6, (2, 3), 1, 1, 1, 2), (2, 4, 5, 4)),
    ("Conv3d", (2, 3, 2), (1, 2, 3, 3, 4)),
    ("ConvTranspose2d", (4, 3, 2, 2), (2, 4, 3, 2)),
]
each_layer = pytest.mark.parametrize(
    ("name", "arguments", "shape"), LAYERS, ids=[name for name, *_ in LAYERS]
)


def twins(
    torch: Any, backend: Library, function: str, name: str, arguments: Any, **options: Any
) -> tuple[nn.Module, Any]:
    """A wrapped layer here and there, with the same state."""
    there = getattr(torch.nn.utils.parametrizations, function)(
        getattr(torch.nn, name)(*arguments).double(), **options
    )
    here = getattr(nn, function)(getattr(nn, name)(*arguments), **options)
    here = placed(here, backend)
    assert list(here.state_dict()) == list(there.state_dict())
    assert list(here.parameters()) == [key for key, _ in there.named_parameters()]
    assert list(here.buffers()) == [key for key, _ in there.named_buffers()]
    here.load_state_dict({key: value.numpy() for key, value in there.state_dict().items()})
    return here, there


def train(torch: Any, backend: Library, here: nn.Module, there: Any, shape: Any) -> None:
    """Three steps, and an inference after each."""
    rng = np.random.default_rng(0)
    ours, theirs = optim.SGD(lr=0.1), torch.optim.SGD(there.parameters(), lr=0.1)
    for _ in range(3):
        x = rng.normal(size=shape)
        tensor = torch.tensor(x, requires_grad=True)
        desired = there.train()(tensor)
        dy = rng.normal(size=tuple(desired.shape))
        theirs.zero_grad()
        desired.backward(torch.tensor(dy))
        y, backward = here.forward(backend.array(x), training=True)
        backend.assert_close(y, desired.detach().numpy())
        dx, grads = backward(backend.array(dy))
        backend.assert_close(dx, tensor.grad.numpy())
        assert grads.keys() == dict(there.named_parameters()).keys()
        for key, parameter in there.named_parameters():
            backend.assert_close(grads[key], parameter.grad.numpy())
        theirs.step()
        ours.step(here, grads)
        for key, value in there.state_dict().items():
            backend.assert_close(here.state_dict()[key], value.numpy())
        backend.assert_close(here(backend.array(x)), there.eval()(tensor).detach().numpy())
        backend.assert_close(here.weight, there.weight.detach().numpy())


@each_layer
@pytest.mark.parametrize("dim", [0, 1, -1, None])
def test_weight_norm_trains_as_pytorchs(backend: Library, torch, name, arguments, shape, dim):
    train(torch, backend, *twins(torch, backend, "weight_norm", name, arguments, dim=dim), shape)


@each_layer
@pytest.mark.parametrize("options", [{}, {"n_power_iterations": 3, "eps": 1e-3}, {"dim": -1}])
def test_spectral_norm_trains_as_pytorchs(backend: Library, torch, name, arguments, shape, options):
    here, there = twins(torch, backend, "spectral_norm", name, arguments, **options)
    train(torch, backend, here, there, shape)


@pytest.mark.parametrize("function", ["weight_norm", "spectral_norm"])
def test_a_vector_of_weights(backend: Library, torch, function: str) -> None:
    """Each weight is its own slice; the spectral norm of a vector is its length."""
    here, there = twins(torch, backend, function, "BatchNorm1d", (4,))
    train(torch, backend, here, there, (5, 4))


@pytest.mark.filterwarnings("ignore:.*is deprecated in favor of:FutureWarning")
@pytest.mark.parametrize("function", ["weight_norm", "spectral_norm"])
def test_old_keys_are_taken_too(torch, function: str) -> None:
    """Those of torch.nn.utils, which most published weights have; also deep inside a model."""

    def model(layers: Any, wrap: Callable[..., Any]) -> Any:
        return layers.Sequential(wrap(layers.Conv1d(3, 4, 2)), wrap(layers.Conv1d(4, 2, 1)))

    old = model(torch.nn, getattr(torch.nn.utils, function)).eval()
    new = model(nn, getattr(nn, function))
    assert set(old.state_dict()).isdisjoint(set(new.state_dict()) - {"0.bias", "1.bias"})
    new.load_state_dict({key: value.numpy() for key, value in old.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32")
    np.testing.assert_allclose(new(x), old(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
    with refused("Missing key(s)", "0.parametrizations.weight.original", error=KeyError):
        new.load_state_dict({"0.bias": np.zeros(4)})


@pytest.mark.parametrize("wrap", [nn.weight_norm, nn.spectral_norm])
def test_there_and_back(backend: Library, rng: np.random.Generator, wrap: Any) -> None:
    """The layer that was wrapped stays as it was; the one that comes back has the new weight."""
    layer = placed(nn.Conv1d(3, 4, 2), backend)
    before = {key: host(value).copy() for key, value in layer.state_dict().items()}
    wrapped = wrap(layer)
    x = backend.array(rng.normal(size=(2, 3, 5)))
    wrapped.forward(x, training=True)
    wrapped.update({"bias": backend.array(np.ones(4))})
    for key, value in before.items():
        backend.assert_equal(layer.state_dict()[key], value)
    plain = nn.remove_parametrizations(wrapped)
    assert type(plain) is nn.Conv1d
    assert list(plain.state_dict()) == ["weight", "bias"]
    backend.assert_equal(plain(x), wrapped(x))
    backend.assert_equal(plain.bias, np.ones(4))
    with refused("Conv1d", error=TypeError):
        nn.remove_parametrizations(plain)


def test_at_first_nothing_changes(backend: Library, rng: np.random.Generator) -> None:
    """Lengths and directions of a weight give the weight again."""
    layer = placed(nn.Linear(4, 3), backend)
    backend.assert_close(nn.weight_norm(layer).weight, layer.weight)
    norm = np.linalg.norm(host(nn.spectral_norm(layer).weight), 2)
    assert 0.9 < norm < 1.1  # fifteen steps of power iteration


def test_training_replaces_the_vectors(backend: Library, rng: np.random.Generator) -> None:
    """Whoever holds the old ones keeps what they hold; inference turns nothing."""
    layer = placed(nn.spectral_norm(nn.Linear(4, 3)), backend)
    x = backend.array(rng.normal(size=(2, 4)))
    before = {key: (value, host(value).copy()) for key, value in layer.buffers().items()}
    layer(x)
    layer.forward(x)
    for key, (array, _) in before.items():
        assert layer.buffers()[key] is array
    layer.forward(x, training=True)
    for key, (array, values) in before.items():
        backend.assert_equal(array, values)
        assert layer.buffers()[key] is not array


def test_layers_keep_their_attributes_and_their_statistics(backend: Library, rng) -> None:
    layer = placed(nn.weight_norm(nn.BatchNorm1d(3)), backend)
    assert layer.num_features == 3
    layer.forward(backend.array(rng.normal(size=(5, 3))), training=True)
    assert int(layer.num_batches_tracked) == 1
    assert np.any(host(layer.running_mean) != 0)
    twin = copy.deepcopy(layer)
    backend.assert_equal(twin.weight, layer.weight)
    with pytest.raises(AttributeError):
        layer.nothing  # noqa: B018


@pytest.mark.parametrize("wrap", [nn.weight_norm, nn.spectral_norm])
def test_a_layer_used_twice(backend: Library, rng: np.random.Generator, wrap: Any) -> None:
    """Its gradients are summed under the names that it is trained by."""
    shared = wrap(nn.Linear(3, 3))
    model = placed(nn.Sequential(shared, nn.Tanh(), shared), backend)
    x = backend.array(rng.normal(size=(2, 3)))
    y, backward = model.forward(x)
    _, grads = backward(y)
    assert grads.keys() == model.parameters().keys()
    middle, first_back = shared.forward(x)
    _, second_back = shared.forward(backend.xp.tanh(middle))
    dh, second = second_back(y)
    _, first = first_back(dh * (1 - backend.xp.tanh(middle) ** 2))
    for key, gradient in first.items():
        backend.assert_close(grads[f"0.{key}"], host(gradient) + host(second[key]))


def test_a_summary_counts_what_is_trained_and_computed() -> None:
    plain = nn.Conv2d(3, 4, 2, bias=False)
    table = nn.Sequential(nn.weight_norm(plain)).summary((3, 5, 5))
    assert table.parameters == 4 * 3 * 2 * 2 + 4
    assert table.flops == nn.Sequential(plain).summary((3, 5, 5)).flops


@pytest.mark.parametrize(
    ("call", "words", "error"),
    [
        (lambda: nn.weight_norm(nn.ReLU()), ["ReLU", "'weight'"], ValueError),
        (lambda: nn.weight_norm(nn.Linear(2, 2), "gain"), ["Linear", "'gain'"], ValueError),
        (lambda: nn.weight_norm(nn.Linear(2, 2, False), "bias"), ["'bias'"], ValueError),
        (lambda: nn.weight_norm(nn.BatchNorm1d(2), "running_var"), ["running_var"], ValueError),
        (lambda: nn.weight_norm(nn.weight_norm(nn.Linear(2, 2))), ["'weight'"], ValueError),
        (lambda: nn.weight_norm(np.ones(3)), ["ndarray"], TypeError),
        (lambda: nn.weight_norm(nn.Linear(2, 2), dim=2), ["dim 2", "(2, 2)"], ValueError),
        (lambda: nn.spectral_norm(nn.Linear(2, 2), dim=-3), ["dim -3", "(2, 2)"], ValueError),
        (
            lambda: nn.spectral_norm(nn.Linear(2, 2), n_power_iterations=0),
            ["n_power_iterations", "positive", "0"],
            ValueError,
        ),
    ],
)
def test_what_cannot_be_wrapped(call: Callable[[], Any], words: list[str], error: Any) -> None:
    with refused(*words, error=error):
        call()
