"""`conv1d`, `conv2d`, `conv3d` and `conv_output_size`."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given

from tests import reference
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

CONVS = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}


# --- by hand ---------------------------------------------------------------------------------


def test_the_worked_example(backend: Library) -> None:
    x = backend.array([[[[1, 6, 2], [5, 3, 1], [7, 0, 4]]]], "float64")
    weight = backend.array([[[[1, 2], [-1, 0]]]], "float64")
    bias = backend.array([10.0])
    y, pullback = ops.vjp(ops.conv2d, x, weight, bias)
    backend.assert_equal(y, np.array([[[[18.0, 17.0], [14.0, 15.0]]]]))
    dx, dweight, dbias = pullback(backend.array([[[[1.0, 0.0], [0.0, -1.0]]]]))
    backend.assert_equal(dx, np.array([[[[1.0, 2, 0], [-1, -1, -2], [0, 1, 0]]]]))
    backend.assert_equal(dweight, np.array([[[[-2.0, 5], [5, -1]]]]))
    backend.assert_equal(dbias, np.array([0.0]))


def test_it_is_correlation_and_not_convolution(backend: Library) -> None:
    x, weight = backend.array([[[0.0, 0.0, 1.0, 0.0, 0.0]]]), backend.array([[[1.0, 2.0, 3.0]]])
    backend.assert_equal(ops.conv1d(x, weight), np.array([[[3.0, 2.0, 1.0]]]))


def test_one_bias_per_output_channel(backend: Library) -> None:
    x, weight = backend.array(np.zeros((1, 1, 2, 2))), backend.array(np.zeros((2, 1, 1, 1)))
    y = ops.conv2d(x, weight, backend.array([1.0, -1.0]))
    backend.assert_equal(y, np.array([[[[1.0, 1], [1, 1]], [[-1, -1], [-1, -1]]]]))


def test_depthwise_by_hand(backend: Library) -> None:
    x = backend.array([[[1.0, 2.0], [3.0, 4.0]]])
    weight = backend.array([[[1.0]], [[10.0]], [[100.0]], [[1000.0]]])
    y = ops.conv1d(x, weight, groups=2)
    backend.assert_equal(y, np.array([[[1.0, 2], [10, 20], [300, 400], [3000, 4000]]]))


# --- the loop oracles ------------------------------------------------------------------------


def test_the_chapters_layer(backend: Library, rng: np.random.Generator) -> None:
    x, kernels, bias = rng.normal(size=(3, 6, 5)), rng.normal(size=(2, 3, 3, 2)), rng.normal(size=2)
    y, pullback = ops.vjp(
        ops.conv2d, backend.array(x[None]), backend.array(kernels), backend.array(bias)
    )
    backend.assert_close(y, reference.conv_layer(x, kernels, bias)[None])
    dy = rng.normal(size=y.shape[1:])
    dx, dkernels, dbias = reference.conv_layer_gradients(x, kernels, dy)
    ours = pullback(backend.array(dy[None]))
    for actual, desired in zip(ours, (dx[None], dkernels, dbias), strict=True):
        backend.assert_close(actual, desired)


@given(conv=strategies.convs(), seed=strategies.seeds)
def test_against_the_loops(backend: Library, conv: strategies.Conv, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=conv.x), rng.normal(size=conv.weight)
    bias = rng.normal(size=conv.weight[0])
    options = (conv.stride, conv.pairs, conv.dilation, conv.groups)
    y, pullback = ops.vjp(
        CONVS[conv.dims],
        *(backend.array(array) for array in (x, weight, bias)),
        **conv.options,
    )
    backend.assert_close(y, reference.conv(x, weight, bias, *options))
    dy = rng.normal(size=y.shape)
    desired = reference.conv_gradients(x, weight, dy, *options)
    for actual, gradient in zip(pullback(backend.array(dy)), desired, strict=True):
        backend.assert_close(actual, gradient)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_keeps_the_size(backend: Library, rng, kernel: int, dilation: int) -> None:
    x, weight = rng.normal(size=(2, 1, 5, 4)), rng.normal(size=(1, 1, kernel, 3))
    y = ops.conv2d(backend.array(x), backend.array(weight), padding="same", dilation=dilation)
    pairs = reference.same_pairs((kernel, 3), (dilation, dilation))
    steps = (dilation, dilation)
    backend.assert_close(y, reference.conv(x, weight, None, (1, 1), pairs, steps, 1))
    assert y.shape == x.shape


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (1, ((1, 1), (1, 1))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, 2], ((1, 1), (2, 2))),
        ("valid", ((0, 0), (0, 0))),
        (((0, 1), (2, 0)), ((0, 1), (2, 0))),
        ([[0, 1], [2, 0]], ((0, 1), (2, 0))),
        (((3, 3), (0, 0)), ((3, 3), (0, 0))),
    ],
    ids=str,
)
def test_ways_to_write_padding(backend: Library, rng, padding, pairs) -> None:
    x, weight = rng.normal(size=(1, 2, 4, 5)), rng.normal(size=(3, 2, 3, 2))
    y = ops.conv2d(backend.array(x), backend.array(weight), padding=padding)
    backend.assert_close(y, reference.conv(x, weight, None, (1, 1), pairs, (1, 1), 1))


def test_one_dimension_takes_one_pair(backend: Library) -> None:
    x, weight = backend.array([[[1.0, 2.0]]]), backend.array([[[1.0, 1.0]]])
    y = ops.conv1d(x, weight, padding=((1, 0),))
    backend.assert_equal(y, np.array([[[1.0, 3.0]]]))


# --- adjoint ---------------------------------------------------------------------------------


@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds)
def test_gradients_are_the_adjoint(backend: Library, conv: strategies.Conv, seed: int) -> None:
    """<dy, conv(x, w)> = <dx, x> = <dw, w>: the map is linear in x and in w."""
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=conv.x), rng.normal(size=conv.weight)
    y, pullback = ops.vjp(CONVS[conv.dims], backend.array(x), backend.array(weight), **conv.options)
    dy = rng.normal(size=y.shape)
    dx, dweight = pullback(backend.array(dy))
    scale = np.sum(np.abs(host(y) * dy)) + 1
    np.testing.assert_allclose(np.sum(host(dx) * x), np.sum(host(y) * dy), atol=1e-12 * scale)
    np.testing.assert_allclose(
        np.sum(host(dweight) * weight), np.sum(host(y) * dy), atol=1e-12 * scale
    )


# --- edges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_empty_batch(backend: Library, dims: int) -> None:
    x = backend.array(np.zeros((0, 2, *(4,) * dims)))
    weight = backend.array(np.ones((3, 2, *(3,) * dims)))
    y, pullback = ops.vjp(CONVS[dims], x, weight, backend.array(np.ones(3)))
    backend.assert_equal(y, np.zeros((0, 3, *(2,) * dims)))
    dx, dweight, dbias = pullback(y)
    backend.assert_equal(dx, host(x))
    backend.assert_equal(dweight, np.zeros(weight.shape))
    backend.assert_equal(dbias, np.zeros(3))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unbatched(backend: Library, rng: np.random.Generator, dims: int) -> None:
    x, weight = rng.normal(size=(2, *(4,) * dims)), rng.normal(size=(3, 2, *(3,) * dims))
    batched, batched_pullback = ops.vjp(CONVS[dims], backend.array(x[None]), backend.array(weight))
    y, pullback = ops.vjp(CONVS[dims], backend.array(x), backend.array(weight))
    backend.assert_equal(y, host(batched)[0])
    dx, dweight = pullback(y)
    other_dx, other_dweight = batched_pullback(batched)
    backend.assert_equal(dx, host(other_dx)[0])
    backend.assert_equal(dweight, host(other_dweight))


def test_nothing_is_lost_where_the_stride_skips_pixels(backend: Library) -> None:
    """Pixels that no window reads have gradient zero, and dx still has the shape of x."""
    x, weight = backend.array(np.ones((1, 1, 6))), backend.array(np.ones((1, 1, 2)))
    _, pullback = ops.vjp(ops.conv1d, x, weight, stride=3)
    dx, _ = pullback(backend.array([[[1.0, 2.0]]]))
    backend.assert_equal(dx, np.array([[[1.0, 1, 0, 2, 2, 0]]]))


def test_nan_spreads_no_further_than_its_windows(backend: Library) -> None:
    x = np.ones((1, 1, 6))
    x[0, 0, 0] = np.nan
    y = ops.conv1d(backend.array(x), backend.array(np.ones((1, 1, 2))), padding=1)
    np.testing.assert_array_equal(np.isnan(host(y))[0, 0], [True, True] + [False] * 5)


def test_result_lies_channels_last_in_memory() -> None:
    """Documented: the result is a view whose channels are innermost in memory."""
    y = ops.conv2d(np.ones((2, 3, 6, 6)), np.ones((4, 3, 3, 3)))
    assert np.moveaxis(y, 1, -1).flags.c_contiguous


# --- refusals --------------------------------------------------------------------------------

X, W = (2, 4, 6, 5), (6, 4, 3, 3)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "options", "words"),
    [
        ((4, 5), W, None, {}, ["3", "4", "(4, 5)"]),
        ((1, 2, 4, 6, 5), W, None, {}, ["(1, 2, 4, 6, 5)"]),
        (X, (6, 4, 3), None, {}, ["weight", "(6, 4, 3)"]),
        (X, (6, 3, 3, 3), None, {}, ["channels", "4", "3"]),
        (X, (6, 2, 3, 3), None, {"groups": 3}, ["groups", "3"]),
        (X, (5, 2, 3, 3), None, {"groups": 2}, ["groups", "5", "2"]),
        (X, W, None, {"groups": 0}, ["groups", "0"]),
        (X, W, None, {"groups": -1}, ["groups", "-1"]),
        (X, W, (5,), {}, ["bias", "6", "5"]),
        (X, W, (6, 1), {}, ["bias", "6"]),
        (X, W, None, {"stride": 0}, ["stride", "0"]),
        (X, W, None, {"stride": (1, -2)}, ["stride", "-2"]),
        (X, W, None, {"stride": (1, 1, 1)}, ["stride", "2", "(1, 1, 1)"]),
        (X, W, None, {"dilation": 0}, ["dilation", "0"]),
        (X, W, None, {"padding": -1}, ["padding", "-1"]),
        (X, W, None, {"padding": (1, 1, 1)}, ["padding", "(1, 1, 1)"]),
        (X, W, None, {"padding": ((1, 1),)}, ["padding", "((1, 1),)"]),
        (X, W, None, {"padding": ((1, 1, 1), (1, 1))}, ["padding"]),
        (X, W, None, {"padding": "full"}, ["padding", "full"]),
        (X, W, None, {"padding": "same", "stride": 2}, ["not supported for strided convolutions"]),
        (X, (6, 4, 7, 3), None, {}, ["7", "6", "too small"]),
        (X, W, None, {"dilation": 3}, ["7", "(4x6x5)", "too small"]),
        (X, (6, 4, 0, 3), None, {}, ["0"]),
    ],
    ids=lambda value: re.sub(r"\s", "", str(value)),
)
def test_bad_sizes_are_named(backend: Library, x, weight, bias, options, words) -> None:
    arrays = [
        None if shape is None else backend.array(np.ones(shape)) for shape in (x, weight, bias)
    ]
    with refused(*words):
        ops.conv2d(*arrays, **options)


@pytest.mark.parametrize("name", ["stride", "padding", "dilation", "groups"])
@pytest.mark.parametrize("value", [1.0, None, True])
def test_numbers_must_be_integers(backend: Library, name: str, value: object) -> None:
    x, weight = backend.array(np.ones(X)), backend.array(np.ones(W))
    with pytest.raises(TypeError, match=name):
        ops.conv2d(x, weight, **{name: value})


def test_numpy_integers_are_integers(backend: Library, rng: np.random.Generator) -> None:
    x, weight = backend.array(rng.normal(size=X)), backend.array(rng.normal(size=W))
    two = np.int64(2)
    backend.assert_equal(
        ops.conv2d(x, weight, stride=two, padding=(two, two)),
        host(ops.conv2d(x, weight, stride=2, padding=2)),
    )


def test_a_wrong_cotangent_is_refused(backend: Library) -> None:
    _, pullback = ops.vjp(ops.conv2d, backend.array(np.ones(X)), backend.array(np.ones(W)))
    with pytest.raises(ValueError, match=r"\(2, 6, 4, 3\)"):
        pullback(backend.array(np.ones((2, 6, 3, 3))))


# --- output size -----------------------------------------------------------------------------


def test_output_size_of_the_chapter() -> None:
    assert ops.conv_output_size(28, 5) == reference.output_size(28, 5) == 24
    assert ops.conv_output_size(28, 5, stride=1, padding=2, dilation=1) == 28
    assert ops.conv_output_size((28, 14), 3, stride=2) == (13, 6)
    assert ops.conv_output_size(8, (3, 1), padding=((1, 1), (0, 0))) == (8, 8)
    assert ops.conv_output_size(7, 4, padding="same") == 7


def test_output_size_by_counting() -> None:
    for size, kernel, stride, before, after, dilation in itertools.product(
        range(1, 8), range(1, 4), range(1, 4), range(3), range(2), range(1, 4)
    ):
        pair = (before, after)
        desired = reference.conv_output_size(size, kernel, stride, pair, dilation)
        if desired:
            assert ops.conv_output_size(size, kernel, stride, (pair,), dilation) == (desired,)
        else:
            with pytest.raises(ValueError, match="too small"):
                ops.conv_output_size(size, kernel, stride, (pair,), dilation)


# --- PyTorch ---------------------------------------------------------------------------------


@given(conv=strategies.convs(min_batch=1), seed=strategies.seeds, dtype=strategies.dtypes)
def test_as_pytorch(backend: Library, torch, conv, seed: int, dtype: str) -> None:
    functional = torch.nn.functional
    rng = np.random.default_rng(seed)
    flat = [amount for pair in reversed(conv.pairs) for amount in pair]
    theirs = getattr(functional, f"conv{conv.dims}d")
    assert_as_torch(
        backend,
        CONVS[conv.dims],
        lambda x, weight, bias: theirs(
            functional.pad(x, flat),
            weight,
            bias,
            stride=conv.stride,
            dilation=conv.dilation,
            groups=conv.groups,
        ),
        [
            rng.normal(size=conv.x),
            rng.normal(size=conv.weight),
            rng.normal(size=conv.weight[0]) if conv.bias else None,
        ],
        dtype=dtype,
        **conv.options,
    )


@pytest.mark.parametrize("stride", [(1, 1.0), (1, True), 1.0])
def test_what_equals_a_known_option_and_is_none_is_refused(stride) -> None:
    x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))
    for call in (lambda s: ops.conv2d(x, weight, None, s), lambda s: ops.max_pool2d(x, 2, s)):
        call((1, 1))
        with pytest.raises(TypeError, match="stride must be an integer"):
            call(stride)
