"""`conv_transpose1d`, `conv_transpose2d` and `conv_transpose3d`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from tests import reference_conv
from tests.backends import Library, host
from tests.ops.peer import assert_as_torch
from tests.ops.strategies import KERNELS, dtypes, ints, seeds, span
from tests.refusals import refused
from xpconv import ops

TRANSPOSED = {1: ops.conv_transpose1d, 2: ops.conv_transpose2d, 3: ops.conv_transpose3d}
CONVS = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}


@dataclass(frozen=True)
class Transposed:
    """Shapes of x (N, C, *spatial) and weight (C, O / groups, *kernel), and the options."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    bias: bool
    stride: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    extra: tuple[int, ...]
    groups: int
    dilation: tuple[int, ...]

    @property
    def options(self) -> dict[str, Any]:
        even = all(before == after for before, after in self.pairs)
        return {
            "stride": self.stride,
            "padding": tuple(before for before, _ in self.pairs) if even else self.pairs,
            "output_padding": self.extra,
            "groups": self.groups,
            "dilation": self.dilation,
        }

    @property
    def out_channels(self) -> int:
        return self.weight[1] * self.groups


@st.composite
def transposed(draw: st.DrawFn, min_batch: int = 0, even: bool = False) -> Transposed:
    dims = draw(st.sampled_from([1, 2, 2, 3]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    n_in, n_out = ints(draw, 2, 1, 2)
    kernel, dilation = ints(draw, dims, 1, KERNELS[dims]), ints(draw, dims, 1, 3)
    stride = ints(draw, dims, 1, 3)
    extra = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    spatial = ints(draw, dims, 1, 4)
    pairs = []
    for n, s, size, e in zip(spatial, stride, span(kernel, dilation), extra, strict=True):
        room = (n - 1) * s + size + e - 1  # one element at least is left
        before = draw(st.integers(0, min(2, room // 2)))
        after = before if even else draw(st.integers(0, min(2, room - before)))
        pairs.append((before, after))
    return Transposed(
        x=(draw(st.integers(min_batch, 2)), n_in * groups, *spatial),
        weight=(n_in * groups, n_out, *kernel),
        bias=draw(st.booleans()),
        stride=stride,
        pairs=tuple(pairs),
        extra=extra,
        groups=groups,
        dilation=dilation,
    )


# --- by hand ---------------------------------------------------------------------------------


def test_by_hand(backend: Library) -> None:
    x = backend.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    weight = backend.array([[[[1.0, 10.0], [100.0, 0.0]]]])
    y, pullback = ops.vjp(ops.conv_transpose2d, x, weight, backend.array([0.5]))
    backend.assert_equal(y, np.array([[[[1.0, 12, 20], [103, 234, 40], [300, 400, 0]]]]) + 0.5)
    dx, dweight, dbias = pullback(backend.array(np.arange(9.0).reshape(1, 1, 3, 3)))
    backend.assert_equal(dx, np.array([[[[310.0, 421], [643, 754]]]]))
    backend.assert_equal(dweight, np.array([[[[27.0, 37], [57, 67]]]]))
    backend.assert_equal(dbias, np.array([36.0]))


def test_output_padding_is_added_after_the_end(backend: Library) -> None:
    """Where the kernel reaches, products stand there; elsewhere nothing but the bias."""
    x, weight = backend.array([[[1.0, 2.0]]]), backend.array([[[1.0, 1.0, 1.0]]])
    options: dict[str, Any] = {"stride": 3, "output_padding": 2}
    y = ops.conv_transpose1d(x, weight, backend.array([10.0]), **options)
    backend.assert_equal(y, np.array([[[11.0, 11, 11, 12, 12, 12, 10, 10]]]))
    y = ops.conv_transpose1d(x, weight, None, padding=2, **options)
    backend.assert_equal(y, np.array([[[1.0, 2, 2, 2]]]))


def test_output_padding_may_reach_a_stride_where_the_kernel_is_dilated(backend: Library) -> None:
    x, weight = backend.array([[[1.0, 2.0]]]), backend.array([[[1.0, 1.0]]])
    y, pullback = ops.vjp(
        ops.conv_transpose1d, x, weight, stride=1, output_padding=2, dilation=3, padding=1
    )
    backend.assert_equal(y, np.array([[[2.0, 0, 1, 2, 0]]]))
    dx, dweight = pullback(backend.array([[[1.0, 2, 4, 8, 16]]]))
    backend.assert_equal(dx, np.array([[[4.0, 9.0]]]))
    backend.assert_equal(dweight, np.array([[[2.0, 20.0]]]))


def test_what_lies_behind_the_input_reaches_no_weight(backend: Library) -> None:
    x, weight = backend.array([[[1.0, 2.0]]]), backend.array([[[1.0, 1.0]]])
    _, pullback = ops.vjp(ops.conv_transpose1d, x, weight, output_padding=2, dilation=3)
    dx, dweight = pullback(backend.array([[[1.0, 2, 4, 8, 16, np.inf, np.nan]]]))
    backend.assert_equal(dx, np.array([[[9.0, 18.0]]]))
    backend.assert_equal(dweight, np.array([[[5.0, 40.0]]]))


def test_padding_may_cut_off_all_that_the_input_reaches(backend: Library) -> None:
    x, weight, bias = backend.array([[[3.0]]]), backend.array([[[2.0]]]), backend.array([0.5])
    y, pullback = ops.vjp(
        ops.conv_transpose1d, x, weight, bias, padding=1, output_padding=2, dilation=3
    )
    backend.assert_equal(y, np.array([[[0.5]]]))
    dx, dweight, dbias = pullback(backend.array([[[np.inf]]]))
    backend.assert_equal(dx, np.array([[[0.0]]]))
    backend.assert_equal(dweight, np.array([[[0.0]]]))
    backend.assert_equal(dbias, np.array([np.inf]))


# --- the loop oracle, and what it transposes -----------------------------------------------------


@given(conv=transposed(), seed=seeds)
def test_against_the_loops(backend: Library, conv: Transposed, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=conv.x), rng.normal(size=conv.weight)
    bias = rng.normal(size=conv.out_channels)
    y, pullback = ops.vjp(
        TRANSPOSED[len(conv.stride)],
        *(backend.array(array) for array in (x, weight, bias)),
        **conv.options,
    )
    desired = reference_conv.conv_transpose(
        x, weight, bias, conv.stride, conv.pairs, conv.extra, conv.groups, conv.dilation
    )
    backend.assert_close(y, desired)
    dy = rng.normal(size=y.shape)
    gradients = reference_conv.conv_transpose_gradients(
        x, weight, dy, conv.stride, conv.pairs, conv.groups, conv.dilation
    )
    for actual, gradient in zip(pullback(backend.array(dy)), gradients, strict=True):
        backend.assert_close(actual, gradient)


@given(conv=transposed(min_batch=1), seed=seeds)
def test_it_is_the_way_back_of_a_convolution(backend: Library, conv: Transposed, seed) -> None:
    """<conv_transpose(x, w), z> = <x, conv(z, w)>."""
    assume(all(e < s for e, s in zip(conv.extra, conv.stride, strict=True)))  # else: more places
    rng = np.random.default_rng(seed)
    x, weight, dims = rng.normal(size=conv.x), rng.normal(size=conv.weight), len(conv.stride)
    y = host(TRANSPOSED[dims](backend.array(x), backend.array(weight), **conv.options))
    z = rng.normal(size=y.shape)
    options = {name: v for name, v in conv.options.items() if name != "output_padding"}
    there = host(CONVS[dims](backend.array(z), backend.array(weight), **options))
    assert there.shape == x.shape
    np.testing.assert_allclose(np.sum(y * z), np.sum(x * there), atol=1e-11 * (1 + y.size))


@given(conv=transposed(min_batch=1, even=True), seed=seeds, dtype=dtypes)
def test_as_pytorch(backend: Library, torch, conv: Transposed, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    name = f"conv_transpose{len(conv.stride)}d"
    theirs = getattr(torch.nn.functional, name)
    arrays = [
        rng.normal(size=conv.x),
        rng.normal(size=conv.weight),
        rng.normal(size=conv.out_channels) if conv.bias else None,
    ]
    assert_as_torch(
        backend,
        getattr(ops, name),
        lambda x, weight, bias: theirs(x, weight, bias, **conv.options),
        arrays,
        dtype=dtype,
        **conv.options,
    )


# --- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unbatched(backend: Library, rng: np.random.Generator, dims: int) -> None:
    x, weight = rng.normal(size=(4, *(3,) * dims)), rng.normal(size=(4, 2, *(2,) * dims))
    options: dict[str, Any] = {"stride": 2, "output_padding": 1, "groups": 2}
    batched, batched_pullback = ops.vjp(
        TRANSPOSED[dims], backend.array(x[None]), backend.array(weight), **options
    )
    y, pullback = ops.vjp(TRANSPOSED[dims], backend.array(x), backend.array(weight), **options)
    backend.assert_equal(y, host(batched)[0])
    dx, dweight = pullback(y)
    other_dx, other_dweight = batched_pullback(batched)
    backend.assert_equal(dx, host(other_dx)[0])
    backend.assert_equal(dweight, host(other_dweight))


def test_sizes_of_the_halves_come_back(backend: Library) -> None:
    """The output padding chooses among the images that a strided convolution halves alike."""
    weight = backend.array(np.ones((3, 2, 3, 3)))
    for size in (7, 8):
        half = ops.conv2d(backend.array(np.ones((1, 2, size, size))), weight, stride=2, padding=1)
        assert half.shape == (1, 3, 4, 4)
        back = ops.conv_transpose2d(
            half, weight, stride=2, padding=1, output_padding=(size - 1) % 2
        )
        assert back.shape == (1, 2, size, size)


def test_integers(backend: Library, rng: np.random.Generator) -> None:
    x, weight = rng.integers(-9, 9, size=(2, 4, 3, 2)), rng.integers(-9, 9, size=(4, 3, 2, 3))
    bias, two = rng.integers(-9, 9, size=6), (2, 2)
    y, pullback = ops.vjp(
        ops.conv_transpose2d, *map(backend.array, (x, weight, bias)), stride=2, groups=2
    )
    none = ((0, 0), (0, 0))
    desired = reference_conv.conv_transpose(x, weight, bias, two, none, (0, 0), 2, (1, 1))
    backend.assert_equal(y, desired)
    assert pullback(y) == (None, None, None)


# --- refusals ------------------------------------------------------------------------------------

X, W = (2, 4, 6, 5), (4, 6, 3, 3)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "options", "words"),
    [
        ((4, 5), W, None, {}, ["x", "(4, 5)"]),
        ((1, 2, 4, 6, 5), W, None, {}, ["(1, 2, 4, 6, 5)"]),
        (X, (4, 6, 3), None, {}, ["weight", "(C, O/groups, KH, KW)", "(4, 6, 3)"]),
        (X, (3, 6, 3, 3), None, {}, ["channels", "4", "3"]),
        (X, W, None, {"groups": 3}, ["groups", "3", "4"]),
        (X, W, None, {"groups": 0}, ["groups", "0"]),
        (X, W, None, {"groups": -2}, ["groups", "-2"]),
        (X, (4, 0, 3, 3), None, {}, ["(4, 0, 3, 3)"]),
        (X, (4, 6, 0, 3), None, {}, ["kernel", "0"]),
        ((2, 0, 6, 5), (0, 6, 3, 3), None, {}, ["(2, 0, 6, 5)"]),
        ((2, 4, 0, 5), W, None, {}, ["(2, 4, 0, 5)"]),
        (X, W, (4,), {}, ["bias", "6", "4"]),
        (X, W, (6,), {"groups": 2}, ["bias", "12", "6"]),
        (X, W, (1, 6), {}, ["bias", "(1, 6)"]),
        (X, W, None, {"stride": 0}, ["stride", "0"]),
        (X, W, None, {"stride": (1, -2)}, ["stride", "-2"]),
        (X, W, None, {"stride": (1, 1, 1)}, ["stride", "(1, 1, 1)"]),
        (X, W, None, {"dilation": 0}, ["dilation", "0"]),
        (X, W, None, {"padding": -1}, ["padding", "-1"]),
        (X, W, None, {"padding": ((1, 1),)}, ["padding", "((1, 1),)"]),
        (X, W, None, {"output_padding": -1}, ["output_padding", "-1"]),
        (X, W, None, {"output_padding": 1}, ["smaller than either stride or dilation", "(1, 1)"]),
        (X, W, None, {"output_padding": (0, 3), "stride": 2, "dilation": (1, 3)}, ["(0, 3)"]),
        (X, W, None, {"padding": (4, 0)}, ["(4x6x5)", "(6x0x7)", "too small"]),
        (X, W, None, {"padding": 5}, ["(6x-2x-3)", "too small"]),
    ],
    ids=str,
)
def test_bad_sizes_are_named(backend: Library, x, weight, bias, options, words) -> None:
    arrays = [
        None if shape is None else backend.array(np.ones(shape)) for shape in (x, weight, bias)
    ]
    with refused(*words):
        ops.conv_transpose2d(*arrays, **options)


@pytest.mark.parametrize("name", ["stride", "padding", "output_padding", "dilation", "groups"])
@pytest.mark.parametrize("value", [1.0, None, True, "same"])
def test_numbers_must_be_integers(backend: Library, name: str, value: object) -> None:
    x, weight = backend.array(np.ones(X)), backend.array(np.ones(W))
    with refused(name, repr(value), error=TypeError):
        ops.conv_transpose2d(x, weight, **{name: value})


def test_truth_values_are_refused(backend: Library) -> None:
    x, weight = backend.array(np.ones(X), "bool"), backend.array(np.ones(W), "bool")
    with refused("bool", error=TypeError):
        ops.conv_transpose2d(x, weight)


odd = st.sampled_from([1, 1, 1, 2, 2, 3, 0, -1])


@given(
    x=st.one_of(
        st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
        st.lists(st.integers(0, 4), max_size=5).map(tuple),
    ),
    weight=st.tuples(*[st.integers(1, 4)] * 4),
    bias=st.one_of(st.none(), st.integers(1, 4)),
    stride=st.one_of(odd, st.tuples(odd, odd)),
    padding=st.one_of(odd, st.tuples(odd, odd)),
    output_padding=st.sampled_from([0, 0, 1, 2, (1, 0), (0, 2), -1]),
    groups=st.sampled_from([1, 1, 1, 2, 3, 0, -1]),
    dilation=st.one_of(odd, st.tuples(odd, odd)),
)
def test_what_pytorch_refuses(backend: Library, torch, x, weight, bias, **options) -> None:
    """And nothing else. In float64: some of its other kernels return an output of size 0."""
    shapes = [x, weight, None if bias is None else (bias,)]
    arrays = [None if shape is None else np.ones(shape) for shape in shapes]
    tensors = [None if array is None else torch.tensor(array) for array in arrays]
    try:
        desired = tuple(torch.nn.functional.conv_transpose2d(*tensors, **options).shape)
    except (RuntimeError, ValueError, TypeError, IndexError):
        desired = None
    if desired is not None and 0 in x:
        return  # it looks at the options of an empty batch less closely
    here = [None if array is None else backend.array(array) for array in arrays]
    try:
        actual = tuple(ops.conv_transpose2d(*here, **options).shape)
    except (ValueError, TypeError):
        actual = None
    assert actual == desired
