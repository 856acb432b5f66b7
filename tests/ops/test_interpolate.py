"""Resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_pool
from tests.backends import Library, host
from tests.ops import strategies
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops

DIMS = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
MODES = ["nearest", "nearest-exact", "area", *DIMS]


@st.composite
def cases(draw: st.DrawFn, antialias: bool = False) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The shape of x, and options.

    PyTorch's ways there and back disagree where a scale is given and a size stays the same or, with
    the nearest neighbour in one or three dimensions, doubles; its antialiasing goes wrong with an
    output one pixel wide. Neither is drawn.
    """
    mode = draw(st.sampled_from(["bilinear", "bicubic"] if antialias else MODES))
    dims = DIMS.get(mode) or draw(st.integers(1, 3))
    high = 5 if dims == 3 else 9
    spatial = strategies.ints(draw, dims, 1, high)
    options: dict[str, Any] = {"mode": mode}
    if draw(st.booleans()):
        options["size"] = strategies.ints(draw, dims, 2 if antialias else 1, 2 * high)
    else:
        scales = []
        for n in spatial:
            scale = draw(st.sampled_from([0.3, 0.5, 0.75, 1.25, 1.3, 1.7, 2.0, 2.6, 3.1]))
            while int(n * scale) in (0, n) or int(n * scale) == 2 * n != scale * n:
                scale += 1.4
            scales.append(scale + (antialias and int(n * scale) < 2))
        options["scale_factor"] = tuple(scales)
        options["recompute_scale_factor"] = draw(st.sampled_from([None, False, True]))
    if mode in DIMS:
        options["align_corners"] = draw(st.sampled_from([None, False, True]))
    if antialias:
        options["antialias"] = True
    return (2, 2, *spatial), options


def test_by_hand(backend: Library) -> None:
    x = backend.array([[[1.0, 5.0, 3.0]]])
    for options, desired in (
        ({"size": 6}, [1, 1, 5, 5, 3, 3]),
        ({"size": 2}, [1, 5]),
        ({"size": 2, "mode": "nearest-exact"}, [1, 3]),
        ({"scale_factor": 2, "mode": "linear"}, [1, 2, 4, 4.5, 3.5, 3]),
        ({"size": 5, "mode": "linear", "align_corners": True}, [1, 3, 5, 4, 3]),
        ({"size": 2, "mode": "area"}, [3, 4]),
    ):
        backend.assert_close(ops.interpolate(x, **options), np.array([[desired]], dtype=float))
    _, pullback = ops.vjp(ops.interpolate, x, 6)
    (dx,) = pullback(backend.array([[[1.0, 2, 3, 4, 5, 6]]]))
    backend.assert_equal(dx, np.array([[[3.0, 7, 11]]]))


@given(case=cases(), seed=strategies.seeds)
def test_against_the_matrices(backend: Library, case, seed: int) -> None:
    shape, options = case
    x = np.random.default_rng(seed).normal(size=shape)
    y, pullback = ops.vjp(ops.interpolate, backend.array(x), **options)
    given_scales = options.get("scale_factor") or (None,) * len(shape[2:])
    if options.get("recompute_scale_factor") or options["mode"] == "area":
        given_scales = (None,) * len(shape[2:])
    kind = "linear" if options["mode"].endswith("linear") else options["mode"]
    matrices = [
        reference_pool.resampling(kind, n, out, scale, bool(options.get("align_corners")))
        for n, out, scale in zip(shape[2:], y.shape[2:], given_scales, strict=True)
    ]
    backend.assert_close(y, reference_pool.interpolate(x, matrices), rtol=1e-9)
    dy = np.random.default_rng(seed).normal(size=y.shape)
    back = [matrix.T for matrix in matrices]
    (dx,) = pullback(backend.array(dy))
    backend.assert_close(dx, reference_pool.interpolate(dy, back), rtol=1e-9)


@given(
    case=st.one_of(cases(), cases(antialias=True)), seed=strategies.seeds, dtype=strategies.dtypes
)
def test_as_pytorch(backend: Library, torch, case, seed: int, dtype: str) -> None:
    shape, options = case
    assert_as_torch(
        backend,
        ops.interpolate,
        lambda x: torch.nn.functional.interpolate(x, **options),
        [np.random.default_rng(seed).normal(size=shape)],
        dtype=dtype,
        **options,
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_are_pytorchs(backend: Library, torch, dims: int, dtype: str) -> None:
    """The same element at every rounding: many sizes, and scales that are no fractions."""
    rng = np.random.default_rng(dims)
    for n, scale in zip(rng.integers(1, 60, size=150), rng.uniform(0.1, 3, size=150), strict=True):
        x = np.arange(n, dtype=dtype).reshape(1, 1, *(1,) * (dims - 1), n)
        size = max(1, int(n * scale))
        for options in (
            {"size": (1,) * (dims - 1) + (size,)},
            {"scale_factor": (1.0,) * (dims - 1) + (max(1 / n, round(scale, 2)),)},
        ):
            if "scale_factor" in options and int(n * options["scale_factor"][-1]) < 1:
                continue
            for mode in ("nearest", "nearest-exact"):
                desired = torch.nn.functional.interpolate(torch.tensor(x), mode=mode, **options)
                y = ops.interpolate(backend.array(x), mode=mode, **options)
                backend.assert_equal(y, desired.numpy())


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_bytes_as_pytorch(backend: Library, torch, mode: str, antialias: bool) -> None:
    """Bit by bit, also where weights are rounded."""
    if antialias and mode not in DIMS:
        return
    rng = np.random.default_rng(3)
    for channels, size, out in (
        (1, (5, 7), (9, 4)),
        (3, (13, 8), (5, 8)),
        (5, (6, 6), (17, 13)),
        (3, (4, 9), (4, 31)),
        (2, (1, 5), (7, 2)),
    ):
        x = rng.integers(0, 256, size=(2, channels, *size)).astype("uint8")
        x[0] = rng.choice([0, 255], size=x[0].shape)  # bicubic goes out of range
        for corners in (None, False, True) if mode in DIMS else (None,):
            options = {"size": out, "mode": mode, "align_corners": corners, "antialias": antialias}
            desired = torch.nn.functional.interpolate(torch.tensor(x), **options)
            backend.assert_equal(ops.interpolate(backend.array(x), **options), desired.numpy())


def test_infinity_and_nan_stay_where_they_are(backend: Library, torch) -> None:
    x = np.arange(20.0).reshape(1, 1, 4, 5)
    x[0, 0, 1, 1], x[0, 0, 3, 4] = np.nan, np.inf
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        desired = torch.nn.functional.interpolate(torch.tensor(x), size=(6, 9), mode=mode)
        backend.assert_close(ops.interpolate(backend.array(x), (6, 9), mode=mode), desired.numpy())


@pytest.mark.parametrize("mode", MODES)
def test_empty_batches_and_single_pixels(backend: Library, mode: str) -> None:
    dims = DIMS.get(mode, 2)
    empty = backend.array(np.ones((0, 2, *(3,) * dims)))
    y, pullback = ops.vjp(ops.interpolate, empty, 4, mode=mode)
    assert y.shape == (0, 2, *(4,) * dims)
    assert pullback(y)[0].shape == empty.shape
    pixel = backend.array(np.full((1, 2, *(1,) * dims), 3.0))
    y, pullback = ops.vjp(ops.interpolate, pixel, 4, mode=mode)
    backend.assert_close(y, np.full((1, 2, *(4,) * dims), 3.0))
    backend.assert_close(pullback(y)[0], np.full(pixel.shape, 3.0 * 4**dims))


def test_the_same_size_is_a_copy(backend: Library) -> None:
    x = backend.array(np.ones((1, 2, 3, 4)))
    for mode in ("nearest", "bilinear"):
        y, pullback = ops.vjp(ops.interpolate, x, (3, 4), mode=mode)
        assert y is not x
        backend.assert_equal(y, host(x))
        backend.assert_equal(pullback(x)[0], host(x))
    if backend.label == "numpy":
        assert not np.shares_memory(y, x)


@pytest.mark.parametrize(
    ("options", "words", "error"),
    [
        ({}, ["size", "scale_factor"], ValueError),
        ({"size": 3, "scale_factor": 2}, ["only one of size or scale_factor"], ValueError),
        ({"size": (3,)}, ["size", "(3,)", "2"], ValueError),
        ({"size": 3.0}, ["size", "3.0"], TypeError),
        ({"size": (True, 3)}, ["size", "True"], TypeError),
        ({"size": 0}, ["greater than 0", "(0, 0)"], ValueError),
        ({"size": (3, -1)}, ["greater than 0", "(3, -1)"], ValueError),
        ({"scale_factor": 0.1}, ["greater than 0", "(0, 0)"], ValueError),
        ({"scale_factor": -1}, ["greater than 0"], ValueError),
        ({"scale_factor": (2, 2, 2)}, ["scale_factor", "(2, 2, 2)"], ValueError),
        ({"scale_factor": "2"}, ["scale_factor", "'2'"], TypeError),
        ({"scale_factor": float("nan")}, ["scale_factor", "finite"], ValueError),
        ({"size": 3, "recompute_scale_factor": True}, ["recompute_scale_factor"], ValueError),
        ({"size": 3, "align_corners": False}, ["align_corners", "nearest"], ValueError),
        ({"size": 3, "mode": "area", "align_corners": True}, ["align_corners"], ValueError),
        ({"size": 3, "mode": "bilinear", "align_corners": 1}, ["align_corners"], TypeError),
        ({"size": 3, "mode": "linear"}, ["linear", "3-D", "(2, 2, 5, 6)"], ValueError),
        ({"size": 3, "mode": "trilinear"}, ["trilinear", "5-D"], ValueError),
        ({"size": 3, "mode": "cubic"}, ["mode", "'cubic'", "bicubic"], ValueError),
        ({"size": 3, "antialias": True}, ["antialias", "nearest"], ValueError),
        ({"size": 3, "mode": "area", "antialias": True}, ["antialias", "area"], ValueError),
    ],
    ids=str,
)
def test_bad_options_are_named(backend: Library, options, words, error) -> None:
    with refused(*words, error=error):
        ops.interpolate(backend.array(np.ones((2, 2, 5, 6))), **options)


def test_bad_inputs_are_named(backend: Library) -> None:
    for shape in ((2, 3), (1, 1, 1, 1, 1, 1)):
        with refused("3-D, 4-D or 5-D", str(shape)):
            ops.interpolate(backend.array(np.ones(shape)), 3)
    for shape in ((2, 0, 3), (2, 2, 0)):
        with refused(str(shape)):
            ops.interpolate(backend.array(np.ones(shape)), 3)
    for dtype, mode in (
        ("int32", "nearest"),
        ("bool", "nearest"),
        ("complex128", "bilinear"),
        ("uint8", "area"),
    ):
        with refused("x must have a real floating dtype", mode, dtype, error=TypeError):
            ops.interpolate(backend.array(np.ones((1, 1, 3, 3)), dtype), 2, mode=mode)
    with refused("linear", "uint8", error=TypeError):
        ops.interpolate(backend.array(np.ones((1, 1, 3)), "uint8"), 2, mode="linear")
