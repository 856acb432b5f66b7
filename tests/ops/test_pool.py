"""Max, average and global pooling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from tests import reference
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

MAX = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
AVG = {1: ops.avg_pool1d, 2: ops.avg_pool2d, 3: ops.avg_pool3d}
EITHER = pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])

divisors = st.sampled_from([None, None, 1, 3, -2])


def max_options(pool: strategies.Pool) -> dict[str, object]:
    return {
        "kernel_size": pool.kernel_size,
        "stride": pool.stride,
        "padding": pool.padding,
        "dilation": pool.dilation,
        "ceil_mode": pool.ceil_mode,
    }


def avg_options(pool: strategies.Pool, include: bool, divisor: int | None) -> dict[str, object]:
    # PyTorch forgets the padding when it asks whether a window fits into a volume
    assume(pool.dims < 3 or all(n >= k for n, k in zip(pool.x[2:], pool.kernel_size, strict=True)))
    options = {
        "kernel_size": pool.kernel_size,
        "stride": pool.stride,
        "padding": pool.padding,
        "ceil_mode": pool.ceil_mode,
        "count_include_pad": include,
    }
    return options if pool.dims == 1 else {**options, "divisor_override": divisor}


def image(pool: strategies.Pool, seed: int, kind: str) -> np.ndarray:
    """Ties (small integers), NaN or infinities among them, or plain numbers."""
    rng = np.random.default_rng(seed)
    if kind == "plain":
        return rng.normal(size=pool.x)
    x = rng.integers(-2, 3, size=pool.x).astype(float)
    odd = {"ties": [], "nan": [np.nan], "infinite": [-np.inf, -np.inf, -np.inf, np.inf]}[kind]
    for value in odd:
        x[rng.uniform(size=pool.x) < 0.15] = value
    return x


kinds = st.sampled_from(["plain", "ties", "nan", "infinite"])


# --- by hand ---------------------------------------------------------------------------------


def test_max_by_hand(backend: Library) -> None:
    x = backend.array([[[[1.0, 2, 5, 3], [4, 0, 1, 1], [0, 7, 2, 2], [1, 6, 2, 8]]]])
    y, pullback = ops.vjp(ops.max_pool2d, x, 2)
    backend.assert_equal(y, np.array([[[[4.0, 5], [7, 8]]]]))
    dx = np.array([[[[0.0, 0, 2, 0], [1, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 4]]]])
    backend.assert_equal(pullback(backend.array([[[[1.0, 2], [3, 4]]]]))[0], dx)


def test_average_by_hand(backend: Library) -> None:
    x = backend.array([[[1.0, 3, 5, 7]]])
    y, pullback = ops.vjp(ops.avg_pool1d, x, 2)
    backend.assert_equal(y, np.array([[[2.0, 6.0]]]))
    backend.assert_equal(pullback(backend.array([[[2.0, 4.0]]]))[0], np.array([[[1.0, 1, 2, 2]]]))


def test_padding_of_max_is_minus_infinity(backend: Library) -> None:
    """All -1 in, all -1 out."""
    x = backend.array(np.full((1, 1, 3, 3), -1.0))
    y = ops.max_pool2d(x, 3, stride=2, padding=1)
    backend.assert_equal(y, np.full((1, 1, 2, 2), -1.0))


def test_the_first_of_tied_maxima_takes_the_gradient(backend: Library) -> None:
    x = backend.array(np.zeros((1, 1, 2, 4)))
    y, pullback = ops.vjp(ops.max_pool2d, x, 2)
    dx = np.array([[[[1.0, 0, 1, 0], [0, 0, 0, 0]]]])
    backend.assert_equal(pullback(backend.array(np.ones(y.shape)))[0], dx)


def test_the_gradient_lands_right_under_padding(backend: Library) -> None:
    x = backend.array([[[5.0, 1, 2, 9]]])
    y, pullback = ops.vjp(ops.max_pool1d, x, 2, padding=1)
    backend.assert_equal(y, np.array([[[5.0, 2, 9]]]))
    (dx,) = pullback(backend.array([[[1.0, 10, 100]]]))
    backend.assert_equal(dx, np.array([[[1.0, 0, 10, 100]]]))


def test_overlapping_windows_add_up(backend: Library) -> None:
    x = backend.array([[[0.0, 9, 0]]])
    _, pullback = ops.vjp(ops.max_pool1d, x, 2, stride=1)
    (dx,) = pullback(backend.array([[[1.0, 10]]]))
    backend.assert_equal(dx, np.array([[[0.0, 11, 0]]]))


def test_nan_wins(backend: Library) -> None:
    x = backend.array([[[1.0, np.nan, 3, 4, 5, np.inf]]])
    y, pullback = ops.vjp(ops.max_pool1d, x, 3)
    backend.assert_equal(y, np.array([[[np.nan, np.inf]]]))
    (dx,) = pullback(backend.array([[[1.0, 2.0]]]))
    backend.assert_equal(dx, np.array([[[0.0, 1, 0, 0, 0, 2]]]))


def test_minus_infinity_everywhere(backend: Library) -> None:
    x = backend.array(np.full((1, 1, 4), -np.inf))
    y, pullback = ops.vjp(ops.max_pool1d, x, 2)
    backend.assert_equal(y, np.full((1, 1, 2), -np.inf))
    backend.assert_equal(pullback(backend.array([[[1.0, 2.0]]]))[0], np.array([[[1.0, 0, 2, 0]]]))


def test_minus_infinity_beside_the_padding(backend: Library) -> None:
    """A window that holds nothing but padding and -inf gives its gradient to the -inf."""
    x = backend.array([[[-np.inf, 3.0]]])
    y, pullback = ops.vjp(ops.max_pool1d, x, 2, padding=1)
    backend.assert_equal(y, np.array([[[-np.inf, 3.0]]]))
    backend.assert_equal(pullback(backend.array([[[1.0, 2.0]]]))[0], np.array([[[1.0, 2.0]]]))


def test_remainders_are_dropped_or_kept(backend: Library) -> None:
    x = backend.array([[[1.0, 2, 3, 4, 5]]])
    backend.assert_equal(ops.max_pool1d(x, 2), np.array([[[2.0, 4]]]))
    backend.assert_equal(ops.max_pool1d(x, 2, ceil_mode=True), np.array([[[2.0, 4, 5]]]))
    backend.assert_equal(ops.avg_pool1d(x, 2, ceil_mode=True), np.array([[[1.5, 3.5, 5]]]))


def test_ceil_mode_drops_a_window_that_starts_in_the_right_padding(backend: Library) -> None:
    x = backend.array([[[1.0, 2, 3]]])
    assert ops.max_pool1d(x, 2, stride=2, padding=1, ceil_mode=True).shape == (1, 1, 2)
    assert ops.max_pool1d(x, 1, stride=3, ceil_mode=True).shape == (1, 1, 1)


def test_count_include_pad_by_hand(backend: Library) -> None:
    x = backend.array([[[2.0, 4, 6]]])
    y = ops.avg_pool1d(x, 2, padding=1)
    backend.assert_equal(y, np.array([[[1.0, 5]]]))
    y = ops.avg_pool1d(x, 2, padding=1, count_include_pad=False)
    backend.assert_equal(y, np.array([[[2.0, 5]]]))


def test_a_one_by_two_kernel_averages_there_and_back(backend: Library) -> None:
    x = backend.array([[[[1.0, 3], [5, 7]]]])
    y, pullback = ops.vjp(ops.avg_pool2d, x, (1, 2))
    backend.assert_equal(y, np.array([[[[2.0], [6]]]]))
    (dx,) = pullback(backend.array([[[[2.0], [4]]]]))
    backend.assert_equal(dx, np.array([[[[1.0, 1], [2, 2]]]]))


def test_indices_by_hand(backend: Library) -> None:
    x = backend.array([[[[1.0, 2, 5], [4, 0, 1]]], [[[9.0, 2, 5], [4, 0, 1]]]])
    y, indices = ops.max_pool2d(x, 2, stride=1, return_indices=True)
    backend.assert_equal(y, np.array([[[[4.0, 5]]], [[[9.0, 5]]]]))
    backend.assert_equal(indices, np.array([[[[3, 2]]], [[[0, 2]]]]))


def test_global_by_hand(backend: Library) -> None:
    x = backend.array([[[[1.0, 2], [3, 6]], [[0, 0], [0, -4]]]])
    backend.assert_equal(ops.global_avg_pool(x), np.array([[[[3.0]], [[-1.0]]]]))
    y, pullback = ops.vjp(ops.global_max_pool, x)
    backend.assert_equal(y, np.array([[[[6.0]], [[0.0]]]]))
    (dx,) = pullback(backend.array([[[[1.0]], [[2.0]]]]))
    backend.assert_equal(dx, np.array([[[[0.0, 0], [0, 1]], [[2, 0], [0, 0]]]]))


# --- the loop oracles ------------------------------------------------------------------------


def test_the_chapters_layers(backend: Library, rng: np.random.Generator) -> None:
    x = rng.integers(0, 9, size=(2, 6, 4)).astype(float)
    for operation, forward, backward in (
        (ops.max_pool2d, reference.max_pool_layer, reference.max_pool_layer_gradient),
        (ops.avg_pool2d, reference.average_pool_layer, reference.average_pool_layer_gradient),
    ):
        y, pullback = ops.vjp(operation, backend.array(x[None]), 2)
        backend.assert_close(y, forward(x, 2)[None])
        dy = rng.normal(size=y.shape[1:])
        backend.assert_close(pullback(backend.array(dy[None]))[0], backward(x, dy, 2)[None])


@given(pool=strategies.pools(dilated=True), seed=strategies.seeds, kind=kinds)
def test_max_against_the_loops(backend: Library, pool, seed: int, kind: str) -> None:
    x = image(pool, seed, kind)
    options = max_options(pool)
    desired, indices = reference.max_pool(x, *options.values())
    y, pullback = ops.vjp(MAX[pool.dims], backend.array(x), **options)
    backend.assert_equal(y, desired)
    dy = np.random.default_rng(seed).normal(size=y.shape)
    backend.assert_close(
        pullback(backend.array(dy))[0], reference.max_pool_gradient(x, indices, dy)
    )


@given(pool=strategies.pools(dilated=True), seed=strategies.seeds, kind=kinds)
def test_indices_against_the_loops(backend: Library, pool, seed: int, kind: str) -> None:
    x = image(pool, seed, kind)
    options = max_options(pool)
    desired = reference.max_pool(x, *options.values())
    forward = MAX[pool.dims](backend.array(x), **options, return_indices=True)
    (y, indices), pullback = ops.vjp(
        MAX[pool.dims], backend.array(x), **options, return_indices=True
    )
    for values, places in (forward, (y, indices)):
        backend.assert_equal(values, desired[0])
        backend.assert_equal(places, desired[1])
    dy = np.random.default_rng(seed).normal(size=y.shape)
    backend.assert_close(
        pullback(backend.array(dy))[0], reference.max_pool_gradient(x, desired[1], dy)
    )


@given(pool=strategies.pools(), include=st.booleans(), divisor=divisors, seed=strategies.seeds)
def test_average_against_the_loops(backend: Library, pool, include, divisor, seed: int) -> None:
    x = image(pool, seed, "plain")
    options = avg_options(pool, include, divisor)
    y, pullback = ops.vjp(AVG[pool.dims], backend.array(x), **options)
    backend.assert_close(y, reference.avg_pool(x, *options.values()))
    dy = np.random.default_rng(seed).normal(size=y.shape)
    backend.assert_close(
        pullback(backend.array(dy))[0], reference.avg_pool_gradient(x, dy, *options.values())
    )


@given(pool=strategies.pools(min_batch=1), include=st.booleans(), seed=strategies.seeds)
def test_average_is_linear_and_its_gradient_the_adjoint(backend, pool, include, seed) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=pool.x)
    y, pullback = ops.vjp(AVG[pool.dims], backend.array(x), **avg_options(pool, include, None))
    dy = rng.normal(size=y.shape)
    (dx,) = pullback(backend.array(dy))
    np.testing.assert_allclose(np.sum(host(dx) * x), np.sum(dy * host(y)), atol=1e-11)


@pytest.mark.parametrize("spatial", [(5,), (4, 3), (2, 3, 2)])
def test_global_against_numpy(backend: Library, rng, spatial) -> None:
    x = rng.normal(size=(2, 3, *spatial))
    axes = tuple(range(2, x.ndim))
    backend.assert_close(ops.global_avg_pool(backend.array(x)), x.mean(axes, keepdims=True))
    backend.assert_equal(ops.global_max_pool(backend.array(x)), x.max(axes, keepdims=True))


# --- edges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pools", [MAX, AVG])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_empty_and_unbatched(backend: Library, rng, pools, dims: int) -> None:
    empty = backend.array(np.zeros((0, 2, *(4,) * dims)))
    y, pullback = ops.vjp(pools[dims], empty, 2)
    assert y.shape == (0, 2, *(2,) * dims)
    assert pullback(y)[0].shape == empty.shape

    x = rng.normal(size=(2, *(5,) * dims))
    options = {"kernel_size": 3, "stride": 2, "padding": 1}
    batched, batched_pullback = ops.vjp(pools[dims], backend.array(x[None]), **options)
    y, pullback = ops.vjp(pools[dims], backend.array(x), **options)
    backend.assert_equal(y, host(batched)[0])
    backend.assert_equal(pullback(y)[0], host(batched_pullback(batched)[0])[0])


def test_unbatched_indices(backend: Library, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 5, 4))
    y, indices = ops.max_pool2d(backend.array(x), 2, return_indices=True)
    desired = reference.max_pool(x[None], (2, 2), (2, 2), (0, 0), (1, 1))
    backend.assert_equal(y, desired[0][0])
    backend.assert_equal(indices, desired[1][0])


def test_dilated_windows_that_miss_a_tiny_image(backend: Library) -> None:
    """Nothing under the window: -inf, and a gradient that goes nowhere."""
    x = backend.array([[[1.0, 2.0]]])
    y, pullback = ops.vjp(ops.max_pool1d, x, 2, padding=1, dilation=3)
    backend.assert_equal(y, np.array([[[-np.inf]]]))
    backend.assert_equal(pullback(backend.array([[[1.0]]]))[0], np.zeros((1, 1, 2)))


@pytest.mark.parametrize("stride", [None, 2])
def test_stride_defaults_to_the_kernel(backend: Library, rng, stride) -> None:
    x = backend.array(rng.normal(size=(1, 1, 7, 6)))
    backend.assert_equal(
        ops.max_pool2d(x, 2, stride), host(ops.max_pool2d(x, (2, 2), stride=(2, 2)))
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_large_windows(backend: Library, rng: np.random.Generator, dims: int) -> None:
    """More elements than a byte counts, and than the loops of a window of that size would bear."""
    size = {1: 700, 2: 300, 3: 40}[dims]
    x = rng.integers(0, 5, size=(1, 2, *(size,) * dims)).astype(float)
    kernel = size - 2
    windows = np.lib.stride_tricks.sliding_window_view(
        x, (kernel,) * dims, tuple(range(2, 2 + dims))
    )
    flat = windows.reshape(*windows.shape[: 2 + dims], -1)
    backend.assert_close(AVG[dims](backend.array(x), kernel, 1), flat.mean(-1))
    (y, places), pullback = ops.vjp(MAX[dims], backend.array(x), kernel, 1, return_indices=True)
    backend.assert_equal(y, flat.max(-1))
    within = np.unravel_index(flat.argmax(-1), (kernel,) * dims)  # the first of ties
    start = np.indices(y.shape)[2:]
    desired = np.ravel_multi_index([s + w for s, w in zip(start, within)], (size,) * dims)
    backend.assert_equal(places, desired)
    (dx,) = pullback(backend.array(np.ones(y.shape)))
    assert host(dx).sum() == np.prod(y.shape)
    np.testing.assert_array_equal(np.flatnonzero(host(dx)[0, 0]), np.unique(desired[0, 0]))


def test_gradients_of_half_are_added_in_single(backend: Library) -> None:
    if not hasattr(backend.xp, "float16"):
        assert backend.label == "strict"  # the standard has no float16
        return
    x = np.zeros((1, 1, 4), "float16")
    x[..., 2] = 1
    _, pullback = ops.vjp(ops.max_pool1d, backend.array(x), 3, 1, 1)
    dy = np.array([[[9, 1, 2**-11, 2**-11]]], "float16")  # each alone too small to add to 1
    desired = np.array([[[0, 9, 1 + 2**-10, 0]]], "float16")
    desired[..., 0], desired[..., 1] = 9, 0
    backend.assert_equal(pullback(backend.array(dy))[0], desired)


def test_averages_of_int64_are_cut_off(backend: Library, torch) -> None:
    """Towards zero, as in C; PyTorch averages no other integers."""
    x = np.random.default_rng(0).integers(-50, 50, size=(2, 3, 6, 5))
    pools = torch.nn.functional
    for options in (
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1, "padding": 1},
        {"kernel_size": 3, "padding": 1, "count_include_pad": False, "ceil_mode": True},
        {"kernel_size": 2, "divisor_override": -3},
    ):
        desired = pools.avg_pool2d(torch.tensor(x), **options).numpy()
        backend.assert_equal(ops.avg_pool2d(backend.array(x), **options), desired)
    for dtype in ("int32", "uint8", "bool", "complex128"):
        with refused("x must have a", dtype, error=TypeError):
            ops.avg_pool2d(backend.array(x.astype(dtype)), 2)


def test_an_empty_stride_is_none(backend: Library, rng: np.random.Generator) -> None:
    """PyTorch's C++ writes it so, and exported models do."""
    x = backend.array(rng.normal(size=(1, 2, 6, 6)))
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        backend.assert_equal(pool(x, 3, stride=[]), host(pool(x, 3)))


# --- refusals --------------------------------------------------------------------------------


@EITHER
@pytest.mark.parametrize("shape", [(2, 0, 4, 5), (2, 3, 0, 5), (0, 4, 5)])
def test_only_a_batch_may_be_empty(backend: Library, name: str, shape) -> None:
    with refused(str(shape)[1:-1]):
        getattr(ops, name)(backend.array(np.ones(shape)), 2)


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_what_has_no_order_has_no_maximum(backend: Library, dtype: str) -> None:
    x = backend.array(np.ones((1, 1, 4, 4)), dtype)
    for operation in (lambda x: ops.max_pool2d(x, 2), ops.global_max_pool):
        with refused("x must have a real dtype", dtype, error=TypeError):
            operation(x)


def test_volumes_smaller_than_the_window_are_refused(backend: Library) -> None:
    with refused("(1, 4, 4)", "(2, 2, 2)"):
        ops.avg_pool3d(backend.array(np.ones((1, 1, 1, 4, 4))), 2, padding=1)


@EITHER
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel_size": 0}, ["kernel_size", "0"]),
        ({"kernel_size": (2, -1)}, ["kernel_size", "-1"]),
        ({"kernel_size": (2, 2, 2)}, ["kernel_size", "(2, 2, 2)"]),
        ({"kernel_size": 2, "stride": 0}, ["stride", "0"]),
        ({"kernel_size": 2, "padding": -1}, ["padding", "-1"]),
        ({"kernel_size": 3, "padding": 2}, ["half", "2", "3"]),
        ({"kernel_size": (4, 2), "padding": (2, 2)}, ["half", "2"]),
        ({"kernel_size": 7}, ["(4x6x5)", "too small"]),
    ],
    ids=str,
)
def test_bad_windows_are_named(backend: Library, name: str, options, words) -> None:
    with refused(*words):
        getattr(ops, name)(backend.array(np.ones((2, 4, 6, 5))), **options)


@EITHER
@pytest.mark.parametrize("shape", [(), (4,), (4, 5), (1, 1, 1, 4, 5)])
def test_bad_ranks_are_named(backend: Library, name: str, shape) -> None:
    with refused(str(shape)):
        getattr(ops, name)(backend.array(np.ones(shape)), 1)


def test_max_pool_refuses_a_dilation_of_zero(backend: Library) -> None:
    with pytest.raises(ValueError, match="dilation"):
        ops.max_pool2d(backend.array(np.ones((1, 1, 4, 4))), 2, dilation=0)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_dilation_does_not_widen_what_padding_may_be(backend: Library, dims: int) -> None:
    with refused("half", "2"):
        MAX[dims](backend.array(np.ones((1, 1, *(6,) * dims))), 2, padding=2, dilation=3)


def test_average_pool_refuses_to_divide_by_zero(backend: Library) -> None:
    with pytest.raises(ValueError, match="divisor"):
        ops.avg_pool2d(backend.array(np.ones((1, 1, 4, 4))), 2, divisor_override=0)


@pytest.mark.parametrize("name", ["global_avg_pool", "global_max_pool"])
def test_global_pooling_needs_pixels(backend: Library, name: str) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        getattr(ops, name)(backend.array(np.ones((2, 3))))


# --- PyTorch ---------------------------------------------------------------------------------


@given(
    pool=strategies.pools(dilated=True, min_batch=1),
    seed=strategies.seeds,
    kind=kinds,
    dtype=strategies.dtypes,
)
def test_max_as_pytorch(backend: Library, torch, pool, seed, kind, dtype) -> None:
    options = max_options(pool)
    theirs = getattr(torch.nn.functional, f"max_pool{pool.dims}d")
    x = image(pool, seed, kind)
    assert_as_torch(
        backend, MAX[pool.dims], lambda x: theirs(x, **options), [x], dtype=dtype, **options
    )
    _, places = theirs(torch.tensor(x), **options, return_indices=True)
    _, indices = MAX[pool.dims](backend.array(x), **options, return_indices=True)
    backend.assert_equal(indices, places.numpy())


@given(
    pool=strategies.pools(min_batch=1),
    include=st.booleans(),
    divisor=divisors,
    seed=strategies.seeds,
    dtype=strategies.dtypes,
)
def test_average_as_pytorch(backend, torch, pool, include, divisor, seed, dtype) -> None:
    options = avg_options(pool, include, divisor)
    theirs = getattr(torch.nn.functional, f"avg_pool{pool.dims}d")
    assert_as_torch(
        backend,
        AVG[pool.dims],
        lambda x: theirs(x, **options),
        [image(pool, seed, "plain")],
        dtype=dtype,
        **options,
    )


@given(pool=strategies.pools(min_batch=1), seed=strategies.seeds, kind=kinds)
def test_global_as_pytorch(backend: Library, torch, pool, seed: int, kind: str) -> None:
    functional = torch.nn.functional
    x = image(pool, seed, kind)
    adaptive = getattr(functional, f"adaptive_max_pool{pool.dims}d")
    assert_as_torch(backend, ops.global_max_pool, lambda x: adaptive(x, 1), [x])
    adaptive = getattr(functional, f"adaptive_avg_pool{pool.dims}d")
    x = image(pool, seed, "plain")
    assert_as_torch(backend, ops.global_avg_pool, lambda x: adaptive(x, 1), [x])


def test_indices_stay_in_the_plane(backend: Library) -> None:
    """Even of a window that sees nothing but padding, and of one that sees only -inf."""
    column = backend.array(np.arange(3.0).reshape(1, 3, 1))
    nothing = backend.array(np.full((1, 2, 6), -np.inf))
    overhanging = {"padding": (0, 1), "dilation": 2, "ceil_mode": True}
    for x, kernel_size, options in (
        (column, 3, overhanging),
        (nothing, 2, {"padding": 1, "dilation": 3}),
    ):
        y, indices = ops.max_pool2d(x, kernel_size, return_indices=True, **options)
        assert y.shape == indices.shape
        assert host(indices).min() >= 0
        assert host(indices).max() < x.shape[1] * x.shape[2]
