"""Convolutions, plain and transposed, of complex numbers, halves, integers and truth values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests import reference, reference_conv
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.strategies import seeds
from tests.ops.test_conv_transpose import Transposed, transposed
from tests.refusals import refused
from xpconv import ops

NAMES = pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
SHAPES = ((2, 4, 6, 5), (4, 4, 3, 2), (4,))  # x, weight and bias for both of them


def drawn(shapes: Any, dtype: str, seed: int = 0) -> list[np.ndarray]:
    """Complex numbers whose imaginary part does not vanish, if the dtype has one."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
        if dtype.startswith("complex")
        else rng.normal(size=shape).astype(dtype)
        for shape in shapes
    ]


def assert_as_torch_complex(
    backend: Library, torch: Any, name: str, theirs: Any, shapes: Any, seed: int, **options: Any
) -> None:
    arrays = drawn(shapes, "complex128", seed)
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    desired = theirs(*tensors)
    (dy,) = drawn([desired.shape], "complex128", seed + 1)
    desired.backward(torch.tensor(dy))
    y, pullback = ops.vjp(getattr(ops, name), *map(backend.array, arrays), **options)
    backend.assert_close(y, desired.detach().numpy())
    for gradient, tensor in zip(pullback(backend.array(dy)), tensors, strict=True):
        backend.assert_close(gradient, tensor.grad.numpy())


@given(conv=strategies.convs(min_batch=1), seed=seeds)
def test_complex_convolution(backend: Library, torch, conv: strategies.Conv, seed: int) -> None:
    """Gradients are PyTorch's: with the conjugate of the other factor."""
    name, functional = f"conv{conv.dims}d", torch.nn.functional
    flat = [amount for pair in reversed(conv.pairs) for amount in pair]
    unpadded = conv.options | {"padding": 0}
    assert_as_torch_complex(
        backend,
        torch,
        name,
        lambda x, *rest: getattr(functional, name)(functional.pad(x, flat), *rest, **unpadded),
        (conv.x, conv.weight, conv.weight[:1]),
        seed,
        **conv.options,
    )


@given(conv=transposed(min_batch=1, even=True), seed=seeds)
def test_complex_transposed_convolution(backend, torch, conv: Transposed, seed: int) -> None:
    name = f"conv_transpose{len(conv.stride)}d"
    assert_as_torch_complex(
        backend,
        torch,
        name,
        lambda *tensors: getattr(torch.nn.functional, name)(*tensors, **conv.options),
        (conv.x, conv.weight, (conv.out_channels,)),
        seed,
        **conv.options,
    )


@NAMES
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_in_complex_out(backend: Library, name: str, dtype: str) -> None:
    arrays = drawn(SHAPES, dtype)
    y, pullback = ops.vjp(getattr(ops, name), *map(backend.array, arrays), stride=2)
    exact = getattr(ops, name)(*(array.astype("complex128") for array in arrays), stride=2)
    backend.assert_close(y, exact, rtol=1e-5, dtype=dtype)
    for gradient, array in zip(pullback(y), arrays, strict=True):
        assert str(host(gradient).dtype) == dtype
        assert gradient.shape == array.shape


@NAMES
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("other", ["float32", "float64", "complex128", "int32"])
def test_dtypes_are_not_mixed(backend: Library, name: str, place: int, other: str) -> None:
    arrays = [backend.array(np.ones(shape), "complex64") for shape in SHAPES]
    arrays[place] = backend.array(np.ones(SHAPES[place]), other)
    with refused(("x", "weight", "bias")[place], "complex64", other, error=TypeError):
        getattr(ops, name)(*arrays)


@NAMES
def test_truth_values_are_refused(backend: Library, name: str) -> None:
    with refused("x", "bool", error=TypeError):
        getattr(ops, name)(*(backend.array(np.ones(shape), "bool") for shape in SHAPES))


@NAMES
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers_stay_integers(backend: Library, name: str, dtype: str) -> None:
    """Exact, and they wrap around as integers do."""
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.integers(0, 100, size=shape).astype(dtype) for shape in SHAPES)
    y, pullback = ops.vjp(
        getattr(ops, name), *map(backend.array, (x, weight, bias)), dilation=2, padding=1
    )
    wide = [array.astype("int64") for array in (x, weight, bias)]
    one, two, pads = (1, 1), (2, 2), ((1, 1), (1, 1))
    if name == "conv2d":
        desired = reference.conv(*wide, one, pads, two, 1).astype("int64")
    else:
        desired = reference_conv.conv_transpose(*wide, one, pads, (0, 0), 1, two)
    backend.assert_equal(y, desired.astype(dtype))
    assert pullback(y) == (None, None, None)


@NAMES
@pytest.mark.parametrize("groups", [1, 64])
def test_halves_are_rounded_once(backend: Library, name: str, groups: int) -> None:
    """Forward and back within half an ulp of the exact answer: the sums are made in single."""
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    shapes = ((2, 64, 9, 8), (64, 64 // groups, 3, 3), (64,))
    arrays = [array / 4 for array in drawn(shapes, "float16")]
    operation = getattr(ops, name)
    y, pullback = ops.vjp(operation, *map(backend.array, arrays), groups=groups, padding=1)
    exact, exact_pullback = ops.vjp(
        operation, *(array.astype("float64") for array in arrays), groups=groups, padding=1
    )
    (dy,) = drawn([exact.shape], "float16", 1)
    gradients = exact_pullback(dy.astype("float64"))
    for actual, desired in zip((y, *pullback(backend.array(dy))), (exact, *gradients), strict=True):
        backend.assert_close(actual, desired, rtol=2**-11, atol=2e-5, dtype="float16")


@NAMES
def test_bfloat16(torch, name: str) -> None:
    """A dtype that the standard does not know: computed in single, rounded once."""
    backend = Library("torch")
    arrays = [backend.array(array).to(torch.bfloat16) for array in drawn(SHAPES, "float32")]
    y, pullback = ops.vjp(getattr(ops, name), *arrays, stride=2)
    exact, exact_pullback = ops.vjp(
        getattr(ops, name), *(array.to(torch.float64) for array in arrays), stride=2
    )
    gradients = pullback(y), exact_pullback(y.to(torch.float64))
    for actual, desired in zip((y, *gradients[0]), (exact, *gradients[1]), strict=True):
        assert actual.dtype == torch.bfloat16
        torch.testing.assert_close(actual.to(torch.float64), desired, rtol=2**-8, atol=1e-5)


def test_no_channels_in_no_channels_out(backend: Library) -> None:
    """PyTorch's answer to an image without channels."""
    x, weight = backend.array(np.ones((2, 0, 4, 4))), backend.array(np.ones((3, 0, 2, 2)))
    y, pullback = ops.vjp(ops.conv2d, x, weight, backend.array(np.ones(3)))
    assert y.shape == (2, 0, 3, 3)
    for gradient, shape in zip(pullback(y), (x.shape, weight.shape, (3,)), strict=True):
        backend.assert_equal(gradient, np.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 4, 0, 0), (2, 4, 0, 5), (4, 5, 0)], ids=str)
def test_an_empty_image_is_refused_whatever_the_padding(backend: Library, shape) -> None:
    with refused("empty", "padding", str(shape[-2:])[1:-1]):
        ops.conv2d(backend.array(np.ones(shape)), backend.array(np.ones((6, 4, 3, 3))), padding=2)
