"""Max unpooling layers, which take indices beside their input."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends import Library, host
from xpconv import nn


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pooled_and_put_back(backend: Library, torch, dims: int) -> None:
    rng = np.random.default_rng(dims)
    x = rng.normal(size=(2, 3, *(5,) * dims))
    pool = getattr(nn, f"MaxPool{dims}d")(2, 2, return_indices=True)
    layer = getattr(nn, f"MaxUnpool{dims}d")(2)
    twin = getattr(torch.nn, f"MaxUnpool{dims}d")(2)
    values, places = pool(backend.array(x))
    size = x.shape[2:]
    y, backward = layer.forward(values, places, size, training=True)
    tensor = torch.tensor(host(values), requires_grad=True)
    desired = twin(tensor, torch.tensor(host(places)), output_size=size)
    backend.assert_equal(y, desired.detach().numpy())
    backend.assert_equal(layer(values, places, output_size=size), host(y))

    dy = rng.normal(size=y.shape)
    desired.backward(torch.tensor(dy))
    (dx, nothing), grads = backward(backend.array(dy))
    backend.assert_equal(dx, tensor.grad.numpy())
    assert nothing is None
    assert grads == {}


def test_options_and_words() -> None:
    layer = nn.MaxUnpool2d((3, 2), padding=1)
    assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 2), (3, 2), 1)
    assert repr(layer) == "MaxUnpool2d(kernel_size=(3, 2), stride=(3, 2), padding=1)"


def test_without_a_size_the_windows_say_it(backend: Library) -> None:
    x, places = backend.array(np.ones((1, 2, 2, 3))), backend.array(np.zeros((1, 2, 2, 3), "int64"))
    assert nn.MaxUnpool2d(2)(x, places).shape == (1, 2, 4, 6)
