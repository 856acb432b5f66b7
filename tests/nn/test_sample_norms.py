"""Norms of each sample: running statistics of instances, odd inputs, half precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.backends import Library, dtype_name
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn


@given(
    dimensions=st.integers(1, 3),
    momentum=st.sampled_from([0.0, 0.1, 1.0, None]),
    affine=st.booleans(),
    tracked=st.booleans(),
    turns=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_as_pytorch_over_many_batches(
    backend: Library, torch, dimensions, momentum, affine, tracked, turns, seed
) -> None:
    """Training and inference in any order, a size of 0 standing for no batch axis."""
    rng = np.random.default_rng(seed)
    kind = f"InstanceNorm{dimensions}d"
    twin = getattr(torch.nn, kind)(3, 1e-3, momentum, affine, tracked).double()
    layer = placed(getattr(nn, kind)(3, 1e-3, momentum, affine, tracked), backend)
    assert list(layer.state_dict()) == list(twin.state_dict())
    for size, training in turns:
        x = rng.normal(2, 3, size=(*([size] if size else []), 3, *[2] * dimensions))
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
        for key, buffer in twin.named_buffers():
            backend.assert_close(layer.buffers()[key], buffer.numpy())
        if not training:
            backend.assert_equal(layer(backend.array(x)), y)


def test_without_parameters_any_number_of_channels_will_do(backend: Library, rng) -> None:
    """As in PyTorch, which warns."""
    x = backend.array(rng.normal(size=(2, 5, 4)))
    assert nn.InstanceNorm1d(3)(x).shape == (2, 5, 4)
    for layer in (
        nn.InstanceNorm1d(3, affine=True),
        nn.InstanceNorm1d(3, track_running_stats=True),
    ):
        with refused("num_features (3)", "dim=1", "5"):
            layer(x)
        with refused("num_features (3)", "dim=0", "5"):
            layer.forward(x[0, ...], training=True)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: nn.InstanceNorm1d(3), (2, 3, 4, 5), ["expected 2D or 3D input (got 4D"]),
        (lambda: nn.InstanceNorm2d(3), (3, 4), ["expected 3D or 4D input (got 2D"]),
        (lambda: nn.InstanceNorm3d(3), (3, 4, 5), ["expected 4D or 5D input (got 3D"]),
        (lambda: nn.InstanceNorm2d(3), (2, 3, 1, 1), ["more than 1 spatial element"]),
        (lambda: nn.GroupNorm(2, 4), (4,), ["at least 2 dimensions"]),
        (lambda: nn.GroupNorm(2, 4), (2, 3, 5), ["divisible", "(2, 3, 5)"]),
        (lambda: nn.LayerNorm((3, 4)), (2, 4, 3), ["[3, 4]", "(2, 4, 3)"]),
        (lambda: nn.RMSNorm(3), (2, 4), ["[3]", "(2, 4)"]),
        (lambda: nn.LocalResponseNorm(2), (2, 4), ["3D or higher"]),
    ],
)
def test_inputs_that_do_not_fit(make, shape, words) -> None:
    layer, x = make(), np.ones(shape, "float32")
    for call in (layer, layer.forward, lambda x: layer.forward(x, training=True)):
        with refused(*words):
            call(x)


@pytest.mark.parametrize(
    ("make", "words", "error"),
    [
        (lambda: nn.GroupNorm(3, 4), ["num_channels (4)", "num_groups (3)"], ValueError),
        (lambda: nn.GroupNorm(0, 4), ["num_groups", "positive"], ValueError),
        (lambda: nn.LayerNorm(2.5), ["normalized_shape", "2.5"], TypeError),
        (lambda: nn.InstanceNorm1d(0), ["num_features", "positive"], ValueError),
        (lambda: nn.Unflatten(1, 3), ["unflattened_size", "3"], TypeError),
        (lambda: nn.Unflatten(1, (2, 2.0)), ["unflattened_size", "2.0"], TypeError),
        (lambda: nn.StochasticDepth(0.5, "column"), ["'batch' or 'row'", "column"], ValueError),
        (lambda: nn.StochasticDepth(1.5, "row"), ["between 0 and 1", "1.5"], ValueError),
        (lambda: nn.AlphaDropout(-0.5), ["between 0 and 1", "-0.5"], ValueError),
    ],
)
def test_bad_arguments_are_named(make, words, error) -> None:
    with refused(*words, error=error):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm1d(4),
        lambda: nn.BatchNorm1d(4, momentum=None),
        lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
        lambda: nn.GroupNorm(2, 4),
        lambda: nn.LayerNorm(3),
        lambda: nn.RMSNorm(3),
    ],
)
def test_half_inputs_with_parameters_in_single(backend: Library, rng, make) -> None:
    """Mixed precision: what is trained, and what is tracked, stays in float32 and moves in it."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # not in the standard
        return
    x = rng.normal(size=(5, 4, 3)).astype("float16")
    layer, exact = placed(make(), backend, "float32"), placed(make(), backend, "float64")
    y, backward = layer.forward(backend.array(x), training=True)
    desired, exact_backward = exact.forward(backend.array(x, "float64"), training=True)
    backend.assert_close(y, desired, rtol=2e-3, dtype="float16")
    dx, grads = backward(backend.xp.ones_like(y))
    assert dtype_name(dx) == "float16"
    _, exact_grads = exact_backward(backend.xp.ones_like(desired))
    for key, gradient in grads.items():
        backend.assert_close(gradient, exact_grads[key], rtol=1e-4, atol=1e-4, dtype="float32")
    for key, value in exact.buffers().items():
        if key != "num_batches_tracked":
            backend.assert_close(layer.buffers()[key], value, rtol=1e-5, dtype="float32")
    assert dtype_name(layer(backend.array(x))) == "float16"
