"""A layer is a thin shell: it computes what its operation computes with its public attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from tests.nn.cases import CASES
from tests.nn.layers import Case, placed, run
from xpconv import nn, ops
from xpconv.random import Stream

CONV = (("weight", "bias"), ("stride", "padding", "dilation", "groups"))
TRANSPOSE = (CONV[0], (*CONV[1], "output_padding"))
MAX_POOL = ((), ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"))
AVG_POOL = ((), ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"))
AVG_POOL_ND = ((), (*AVG_POOL[1], "divisor_override"))

# layer -> operation, its arrays on the layer, its options on the layer
OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...], tuple[str, ...]]] = {
    "Conv1d": (ops.conv1d, *CONV),
    "Conv2d": (ops.conv2d, *CONV),
    "Conv3d": (ops.conv3d, *CONV),
    "ConvTranspose1d": (ops.conv_transpose1d, *TRANSPOSE),
    "ConvTranspose2d": (ops.conv_transpose2d, *TRANSPOSE),
    "ConvTranspose3d": (ops.conv_transpose3d, *TRANSPOSE),
    "MaxPool1d": (ops.max_pool1d, *MAX_POOL),
    "MaxPool2d": (ops.max_pool2d, *MAX_POOL),
    "MaxPool3d": (ops.max_pool3d, *MAX_POOL),
    "AvgPool1d": (ops.avg_pool1d, *AVG_POOL),
    "AvgPool2d": (ops.avg_pool2d, *AVG_POOL_ND),
    "AvgPool3d": (ops.avg_pool3d, *AVG_POOL_ND),
    "GlobalAvgPool": (ops.global_avg_pool, (), ()),
    "GlobalMaxPool": (ops.global_max_pool, (), ()),
    "Linear": (ops.linear, ("weight", "bias"), ()),
    "BatchNorm1d": (ops.batch_norm, ("running_mean", "running_var", "weight", "bias"), ("eps",)),
    "BatchNorm2d": (ops.batch_norm, ("running_mean", "running_var", "weight", "bias"), ("eps",)),
    "BatchNorm3d": (ops.batch_norm, ("running_mean", "running_var", "weight", "bias"), ("eps",)),
    "Dropout": (ops.dropout, (), ("p",)),
    "ReLU": (ops.relu, (), ()),
    "LeakyReLU": (ops.leaky_relu, (), ("negative_slope",)),
    "Sigmoid": (ops.sigmoid, (), ()),
    "Tanh": (ops.tanh, (), ()),
    "GELU": (ops.gelu, (), ("approximate",)),
    "SiLU": (ops.silu, (), ()),
    "Softmax": (ops.softmax, (), ("dim",)),
    "LogSoftmax": (ops.log_softmax, (), ("dim",)),
    "Flatten": (ops.flatten, (), ("start_dim", "end_dim")),
    "Unfold": (ops.unfold, (), ("kernel_size", "dilation", "padding", "stride")),
    "Fold": (ops.fold, (), ("output_size", "kernel_size", "dilation", "padding", "stride")),
}
SHELLS = [
    case
    for case in CASES
    if case.kind in OPERATIONS and "padding_mode" not in str(case)  # padding_mode: two operations
]


def test_every_operation_with_options_has_a_shell() -> None:
    assert {case.kind for case in SHELLS} == OPERATIONS.keys()


@pytest.mark.parametrize("case", SHELLS, ids=str)
def test_a_layer_computes_what_its_operation_computes(backend: Library, case: Case) -> None:
    layer = placed(case.make_seeded(), backend)
    operation, arrays, names = OPERATIONS[type(layer).__name__]
    (x,) = (backend.array(x) for x in case.inputs())
    options = {name: getattr(layer, name) for name in names}
    if operation is ops.batch_norm:
        options["training"] = case.training or not layer.track_running_stats
    if operation is ops.dropout:
        options |= {"training": case.training, "key": Stream(1).next_key()}
    given = [getattr(layer, name) for name in arrays]
    expected, pullback = ops.vjp(operation, x, *given, **options)

    y, backward = run(layer, x, training=case.training, seed=1)
    backend.assert_equal(y, expected)
    dy = backend.array(np.random.default_rng(0).normal(size=y.shape))
    dx, grads = backward(dy)
    expected_dx, *rest = pullback(dy)
    backend.assert_equal(dx, expected_dx)
    desired = {
        name: gradient for name, gradient in zip(arrays, rest, strict=False) if gradient is not None
    }
    assert grads.keys() == desired.keys()
    for name, gradient in desired.items():
        backend.assert_equal(grads[name], gradient)


@pytest.mark.parametrize(
    ("kind", "arguments", "name", "value"),
    [
        (nn.MaxPool2d, (2,), "stride", 1),
        (nn.AvgPool2d, (2,), "padding", 1),
        (nn.LeakyReLU, (), "negative_slope", 0.5),
        (nn.GELU, (), "approximate", "tanh"),
        (nn.Softmax, (), "dim", 1),
        (nn.Flatten, (), "start_dim", 2),
        (nn.Unfold, (2,), "stride", 2),
        (nn.Dropout, (), "p", 0.9),
    ],
)
def test_an_option_may_be_changed_later(kind, arguments, name: str, value, rng) -> None:
    """As in PyTorch, the attribute is the option, not a note about it."""
    x = rng.normal(size=(2, 3, 4, 4))
    layer, twin = kind(*arguments), kind(*arguments, **{name: value})
    setattr(layer, name, value)
    for training in (False, True):
        y, backward = run(layer, x, training=training)
        expected, twin_backward = run(twin, x, training=training)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(backward(y)[0], twin_backward(y)[0])
    np.testing.assert_array_equal(layer(x), twin(x))
    assert repr(layer) == repr(twin)


@pytest.mark.parametrize("kind", [nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d])
def test_pools_may_say_where_the_maxima_stood(backend: Library, torch, kind) -> None:
    shape = (2, 2, *[5] * int(kind.__name__[-2]))
    x = np.random.default_rng(3).permutation(int(np.prod(shape))).reshape(shape) / 8.0
    layer = kind(3, 2, 1, return_indices=True)
    twin = getattr(torch.nn, kind.__name__)(3, 2, 1, return_indices=True)
    tensor = torch.tensor(x, requires_grad=True)
    desired, places = twin(tensor)
    desired.sum().backward()
    (y, indices), backward = layer.forward(backend.array(x))
    backend.assert_equal(y, desired.detach().numpy())
    backend.assert_equal(indices, places.numpy())
    backend.assert_equal(backward(backend.xp.ones_like(y))[0], tensor.grad.numpy())
    again = layer(backend.array(x))
    assert len(again) == 2
    backend.assert_equal(again[1], places.numpy())
