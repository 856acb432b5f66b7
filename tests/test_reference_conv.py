"""The oracles of transposed convolution and padding, against NumPy, PyTorch and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests import reference, reference_conv


def test_transposed_convolution_by_hand() -> None:
    x, weight = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0, 100.0]]])
    y = reference_conv.conv_transpose(x, weight, None, [2], [(0, 0)], [0], 1, [1])
    np.testing.assert_array_equal(y, [[[1, 10, 102, 20, 200]]])
    y = reference_conv.conv_transpose(x, weight, np.array([0.5]), [2], [(1, 2)], [1], 1, [1])
    np.testing.assert_array_equal(y, [[[10.5, 102.5, 20.5]]])


def test_transposed_convolution_is_the_gradient_of_a_convolution(rng) -> None:
    weight, dy = rng.normal(size=(4, 3, 3, 2)), rng.normal(size=(2, 4, 3, 4))
    pairs, stride, dilation = [(1, 0), (0, 2)], [2, 1], [1, 2]
    x = np.zeros((2, 6, 6, 4))
    dx, _, _ = reference.conv_gradients(x, weight, dy, stride, pairs, dilation, 2)
    y = reference_conv.conv_transpose(dy, weight, None, stride, pairs, [0, 0], 2, dilation)
    np.testing.assert_allclose(y, dx)


def test_transposed_convolution_is_pytorchs(torch, rng) -> None:
    x, weight, bias = (rng.normal(size=shape) for shape in ((2, 4, 3, 2), (4, 3, 2, 3), (6,)))
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    desired = torch.nn.functional.conv_transpose2d(*tensors, (2, 1), (1, 0), (1, 0), 2, (1, 2))
    options = ([2, 1], [(1, 1), (0, 0)])
    y = reference_conv.conv_transpose(x, weight, bias, *options, [1, 0], 2, [1, 2])
    np.testing.assert_allclose(y, desired.detach().numpy())
    dy = rng.normal(size=y.shape)
    desired.backward(torch.tensor(dy))
    gradients = reference_conv.conv_transpose_gradients(x, weight, dy, *options, 2, [1, 2])
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy())


@pytest.mark.parametrize(
    ("mode", "numpys"),
    [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_padding_is_numpys(rng: np.random.Generator, mode: str, numpys) -> None:
    x, pairs = rng.normal(size=(3, 4)), [(2, 0), (1, 3)]
    np.testing.assert_array_equal(reference_conv.padded(x, pairs, mode), np.pad(x, pairs, numpys))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_and_its_gradient_are_adjoint(rng: np.random.Generator, mode: str) -> None:
    x, pairs = rng.normal(size=(3, 4)), [(2, -1), (-2, 2)]
    y = reference_conv.padded(x, pairs, mode)
    dy = rng.normal(size=y.shape)
    dx = reference_conv.padded_gradient(dy, x.shape, pairs, mode)
    np.testing.assert_allclose(np.sum(dx * x), np.sum(dy * y))
