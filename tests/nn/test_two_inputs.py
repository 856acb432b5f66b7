"""`Bilinear`, `CosineSimilarity` and `PairwiseDistance` against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from tests.nn.layers import placed
from tests.refusals import refused
from xpconv import nn


@pytest.mark.parametrize(
    ("make", "name", "shapes"),
    [
        (lambda kind: kind(3, 4, 5), "Bilinear", ((2, 3), (2, 4))),
        (lambda kind: kind(3, 4, 5, False), "Bilinear", ((2, 6, 3), (2, 6, 4))),
        (lambda kind: kind(), "CosineSimilarity", ((2, 3, 4), (2, 3, 4))),
        (lambda kind: kind(-1, 0.1), "CosineSimilarity", ((2, 3), (1, 3))),
        (lambda kind: kind(), "PairwiseDistance", ((2, 3), (2, 3))),
        (lambda kind: kind(1.0, 0.1, True), "PairwiseDistance", ((2, 3), (3,))),
    ],
)
def test_layers_of_two_inputs_as_pytorch(backend: Library, torch, rng, make, name, shapes) -> None:
    twin = make(getattr(torch.nn, name)).double()
    layer = placed(make(getattr(nn, name)), backend)
    layer.load_state_dict({key: value.numpy() for key, value in twin.state_dict().items()})
    arrays = [rng.normal(size=shape) for shape in shapes]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    desired = twin(*tensors)
    dy = rng.normal(size=tuple(desired.shape))
    desired.backward(torch.tensor(dy))
    y, backward = layer.forward(*map(backend.array, arrays), training=True)
    backend.assert_close(y, desired.detach().numpy())
    gradients, grads = backward(backend.array(dy))
    for gradient, tensor in zip(gradients, tensors, strict=True):
        backend.assert_close(gradient, tensor.grad.numpy())
    assert grads.keys() == dict(twin.named_parameters()).keys()
    for key, parameter in twin.named_parameters():
        backend.assert_close(grads[key], parameter.grad.numpy())
    np.testing.assert_array_equal(host(layer(*map(backend.array, arrays))), host(y))


def test_first_weights_of_bilinear_are_spread_as_pytorchs(torch) -> None:
    layer, twin = nn.Bilinear(50, 40, 30), torch.nn.Bilinear(50, 40, 30)
    for key, parameter in twin.named_parameters():
        values = host(layer.state_dict()[key])
        assert values.shape == tuple(parameter.shape)
        assert np.abs(values).max() <= np.float32(50**-0.5)
        assert np.abs(values).max() > 0.9 * 50**-0.5


def test_bad_sizes_are_named() -> None:
    with refused("in1_features", "positive"):
        nn.Bilinear(0, 1, 1)
    with refused("x2", "(2, 4)", "(3,)"):
        nn.CosineSimilarity()(np.ones((2, 4)), np.ones(3))
