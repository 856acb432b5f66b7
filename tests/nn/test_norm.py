"""Running statistics of `BatchNorm1d/2d/3d`: what moves them, how far, and what does not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.backends import Library, dtype_name, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn

STATISTICS = ["running_mean", "running_var", "num_batches_tracked"]


def test_one_step_by_hand(backend: Library) -> None:
    """Mean 3, variance 8/3 without its bias: a quarter of the way from 0 and from 1."""
    layer = placed(nn.BatchNorm1d(1, eps=2.0, momentum=0.25), backend)
    y, _ = layer.forward(backend.array([[1.0], [3.0], [5.0], [3.0]]), training=True)
    backend.assert_close(y, np.array([[-1.0], [0.0], [1.0], [0.0]]))
    backend.assert_close(layer.running_mean, np.array([0.75]))
    backend.assert_close(layer.running_var, np.array([0.75 + 8 / 3 / 4]))
    backend.assert_equal(layer.num_batches_tracked, np.array(1))
    backend.assert_close(
        layer(backend.array([[1.75]])), np.array([[1 / (0.75 + 8 / 3 / 4 + 2) ** 0.5]])
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        partial(nn.BatchNorm2d, 4),
        partial(nn.InstanceNorm2d, 4, affine=True),
        partial(nn.GroupNorm, 2, 4),
    ],
)
def test_without_a_shift(backend: Library, rng, make, training: bool) -> None:
    """``bias=False`` is a shift that stays zero: no entry in the state, no gradient."""
    x, dy = (backend.array(rng.normal(size=(2, 4, 3, 3))) for _ in range(2))
    layer, shifted = (placed(make(bias=bias), backend) for bias in (False, True))
    assert [key for key in shifted.state_dict() if key not in layer.state_dict()] == ["bias"]
    (y, backward), (desired, desired_backward) = (
        each.forward(x, training=training) for each in (layer, shifted)
    )
    backend.assert_close(y, host(desired))
    dx, grads = backward(dy)
    desired_dx, desired_grads = desired_backward(dy)
    backend.assert_close(dx, host(desired_dx))
    assert list(grads) == ["weight"]
    backend.assert_close(grads["weight"], host(desired_grads["weight"]))
    assert make(affine=False, bias=True).bias is None


def test_without_momentum_all_batches_count_the_same(backend: Library, rng) -> None:
    layer = placed(nn.BatchNorm2d(3, momentum=None), backend)
    batches = [rng.normal(size=(size, 3, 2, 2)) for size in (4, 2, 5)]
    for batch in batches:
        layer.forward(backend.array(batch), training=True)
    backend.assert_close(layer.running_mean, np.mean([b.mean((0, 2, 3)) for b in batches], 0))
    backend.assert_close(layer.running_var, np.mean([b.var((0, 2, 3), ddof=1) for b in batches], 0))
    backend.assert_equal(layer.num_batches_tracked, np.array(3))


@given(
    dimensions=st.sampled_from([0, 1, 2, 3]),
    momentum=st.sampled_from([0.0, 0.1, 0.7, 1.0, None]),
    affine=st.booleans(),
    tracked=st.booleans(),
    turns=st.lists(st.tuples(st.integers(2, 4), st.booleans()), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_as_pytorch_over_many_batches(
    backend: Library, torch, dimensions, momentum, affine, tracked, turns, seed
) -> None:
    """Training and inference in any order: the same results, gradients and statistics."""
    rng = np.random.default_rng(seed)
    kind = f"BatchNorm{max(dimensions, 1)}d"
    twin = getattr(torch.nn, kind)(3, 1e-3, momentum, affine, tracked).double()
    layer = placed(getattr(nn, kind)(3, 1e-3, momentum, affine, tracked), backend)
    if affine:
        scale = {"weight": rng.normal(size=3), "bias": rng.normal(size=3)}
        layer.update({key: backend.array(value) for key, value in scale.items()})
        twin.load_state_dict({k: torch.tensor(v) for k, v in scale.items()}, strict=False)
    for size, training in turns:
        x = rng.normal(2, 3, size=(size, 3, *[2] * dimensions))
        dy = rng.normal(size=x.shape)
        tensor = torch.tensor(x, requires_grad=True)
        desired = twin.train(training)(tensor)
        twin.zero_grad()
        desired.backward(torch.tensor(dy))
        y, backward = layer.forward(backend.array(x), training=training)
        dx, grads = backward(backend.array(dy))
        backend.assert_close(y, desired.detach().numpy())
        backend.assert_close(dx, tensor.grad.numpy())
        for key, parameter in twin.named_parameters():
            backend.assert_close(grads[key], parameter.grad.numpy())
        if not training:
            backend.assert_equal(layer(backend.array(x)), y)
        assert layer.buffers().keys() == dict(twin.named_buffers()).keys()
        for key, buffer in twin.named_buffers():
            backend.assert_close(layer.buffers()[key], buffer.numpy())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_state(torch, affine: bool, tracked: bool) -> None:
    layer = nn.BatchNorm2d(3, affine=affine, track_running_stats=tracked)
    twin = torch.nn.BatchNorm2d(3, affine=affine, track_running_stats=tracked)
    assert list(layer.state_dict()) == list(twin.state_dict())
    assert list(layer.parameters()) == (["weight", "bias"] if affine else [])
    assert list(layer.buffers()) == (STATISTICS if tracked else [])
    for name in ["weight", "bias", *STATISTICS]:
        assert (getattr(layer, name) is None) == (getattr(twin, name) is None)


def test_statistics_are_replaced_and_not_written_to(backend: Library, rng) -> None:
    """Whoever holds the old arrays, as a checkpoint that is being written, keeps what they hold."""
    layer = placed(nn.BatchNorm1d(3), backend)
    before = {key: (value, host(value).copy()) for key, value in layer.buffers().items()}
    layer.forward(backend.array(rng.normal(size=(5, 3))), training=True)
    for key, (array, values) in before.items():
        backend.assert_equal(array, values)
        assert layer.buffers()[key] is not array
        assert np.any(host(layer.buffers()[key]) != values)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_statistics_stay_arrays_of_their_kind(backend: Library, rng, dtype, momentum) -> None:
    layer = placed(nn.BatchNorm1d(3, momentum=momentum), backend, dtype)
    kinds = {key: type(value) for key, value in layer.state_dict().items()}
    for _ in range(2):
        layer.forward(backend.array(rng.normal(size=(5, 3)), dtype), training=True)
    assert {key: type(value) for key, value in layer.state_dict().items()} == kinds
    for key, value in layer.buffers().items():
        assert backend.owns(value)
        assert dtype_name(value) == ("int64" if key == "num_batches_tracked" else dtype)
        assert value.shape == (() if key == "num_batches_tracked" else (3,))


def test_a_frozen_norm_has_a_way_back(backend: Library, rng) -> None:
    """Inference mode is an affine map: its gradient, and nothing moves."""
    layer = placed(nn.BatchNorm1d(2, eps=0.5), backend)
    layer.update(
        {
            "running_mean": backend.array([1.0, 0.0]),
            "running_var": backend.array([3.5, 0.5]),
            "weight": backend.array([3.0, 1.0]),
        }
    )
    y, backward = layer.forward(backend.array([[3.0, 2.0]]))
    backend.assert_close(y, np.array([[3.0, 2.0]]))
    layer.forward(backend.array(rng.normal(size=(4, 2))), training=True)  # does not disturb it
    dx, grads = backward(backend.array([[2.0, 5.0]]))
    backend.assert_close(dx, np.array([[3.0, 5.0]]))
    backend.assert_close(grads["weight"], np.array([2.0, 10.0]))
    backend.assert_close(grads["bias"], np.array([2.0, 5.0]))


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_an_empty_batch_is_counted_and_moves_nothing(
    backend: Library, torch, shape, momentum
) -> None:
    layer = placed(nn.BatchNorm1d(3, momentum=momentum), backend)
    twin = torch.nn.BatchNorm1d(3, momentum=momentum).double()
    for x in (np.ones((2, 3, 2)), np.zeros(shape), np.full((2, 3, 2), 5.0)):
        tensor = torch.tensor(x, requires_grad=True)
        twin(tensor).sum().backward()
        y, backward = layer.forward(backend.array(x), training=True)
        assert y.shape == x.shape
        dx, grads = backward(y)
        assert dx.shape == x.shape
        assert set(grads) == {"weight", "bias"}
        for key, buffer in twin.named_buffers():
            backend.assert_close(layer.buffers()[key], buffer.numpy())


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
def test_a_single_value_has_no_variance(backend: Library, shape) -> None:
    layer = placed(nn.BatchNorm1d(3), backend)
    before = {key: host(value).copy() for key, value in layer.state_dict().items()}
    x = backend.array(np.ones(shape))
    with refused("Expected more than 1 value per channel when training", str(shape)):
        layer.forward(x, training=True)
    for key, value in layer.state_dict().items():
        backend.assert_equal(value, before[key])
    assert layer(x).shape == shape  # inference takes it
    untracked = placed(nn.BatchNorm1d(3, track_running_stats=False), backend)
    with refused("Expected more than 1 value per channel"):
        untracked(x)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: nn.BatchNorm1d(3), (3,), ["expected 2D or 3D input (got 1D input"]),
        (lambda: nn.BatchNorm1d(3), (2, 3, 4, 5), ["expected 2D or 3D input (got 4D input"]),
        (lambda: nn.BatchNorm2d(3), (2, 3, 4), ["expected 4D input (got 3D input"]),
        (lambda: nn.BatchNorm3d(3), (2, 3, 4, 5), ["expected 5D input (got 4D input"]),
        (lambda: nn.BatchNorm2d(3), (2, 4, 5, 5), ["3", "4", "(2, 4, 5, 5)"]),
        (lambda: nn.BatchNorm1d(3, affine=False), (2, 4), ["3", "4", "(2, 4)"]),
    ],
)
def test_inputs_that_do_not_fit(make, shape, words) -> None:
    layer, x = make(), np.zeros(shape, "float32")
    for call in (layer, layer.forward, lambda x: layer.forward(x, training=True)):
        with refused(*words):
            call(x)
    assert int(layer.num_batches_tracked) == 0


def test_a_norm_used_twice_counts_twice(backend: Library, rng) -> None:
    norm = nn.BatchNorm1d(3)
    model = placed(nn.Sequential(norm, nn.Tanh(), norm), backend)
    model.forward(backend.array(rng.normal(size=(5, 3))), training=True)
    backend.assert_equal(norm.num_batches_tracked, np.array(2))
