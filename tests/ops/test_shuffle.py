"""Pixel and channel shuffles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests import reference_pool
from tests.backends import Library
from tests.ops.peer import assert_as_torch
from tests.refusals import refused
from xpconv import ops


def test_by_hand(backend: Library) -> None:
    x = np.arange(8).reshape(4, 1, 2)
    y = ops.pixel_shuffle(backend.array(x), 2)
    backend.assert_equal(y, np.array([[[0, 2, 1, 3], [4, 6, 5, 7]]]))
    backend.assert_equal(ops.pixel_unshuffle(y, 2), x)
    y = ops.channel_shuffle(backend.array(np.arange(6).reshape(1, 6, 1)), 3)
    backend.assert_equal(y, np.array([[[0], [2], [4], [1], [3], [5]]]))


@given(
    r=st.integers(1, 3),
    channels=st.integers(1, 3),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    lead=st.sampled_from([(), (2,), (2, 3)]),
)
def test_pixels_against_the_loops_and_pytorch(backend, torch, r, channels, size, lead) -> None:
    functional = torch.nn.functional
    x = np.random.default_rng(r).normal(size=(*lead, channels * r * r, *size))
    y = ops.pixel_shuffle(backend.array(x), r)
    images = [reference_pool.pixel_shuffle(image, r) for image in x.reshape(-1, *x.shape[-3:])]
    desired = np.array(images).reshape(y.shape)
    backend.assert_equal(y, desired)
    backend.assert_equal(ops.pixel_unshuffle(y, r), x)
    shuffle, unshuffle = functional.pixel_shuffle, functional.pixel_unshuffle
    assert_as_torch(backend, ops.pixel_shuffle, lambda x: shuffle(x, r), [x], upscale_factor=r)
    assert_as_torch(
        backend, ops.pixel_unshuffle, lambda x: unshuffle(x, r), [desired], downscale_factor=r
    )


@given(
    groups=st.integers(1, 4),
    each=st.integers(1, 3),
    spatial=st.sampled_from([(2,), (2, 3), (2, 1, 2)]),
)
def test_channels_as_pytorch(backend: Library, torch, groups: int, each: int, spatial) -> None:
    theirs = torch.nn.functional.channel_shuffle
    x = np.random.default_rng(0).normal(size=(2, groups * each, *spatial))
    assert_as_torch(backend, ops.channel_shuffle, lambda x: theirs(x, groups), [x], groups=groups)


@pytest.mark.parametrize("shape", [(0, 4, 2, 2), (2, 0, 2, 2), (1, 4, 0, 2)])
def test_empty(backend: Library, shape: tuple[int, ...]) -> None:
    """Nothing is moved, to where it belongs."""
    n, channels, height, width = shape
    for operation, expected in (
        (ops.pixel_shuffle, (n, channels // 4, 2 * height, 2 * width)),
        (ops.pixel_unshuffle, (n, 4 * channels, height // 2, width // 2)),
        (ops.channel_shuffle, shape),
    ):
        y, pullback = ops.vjp(operation, backend.array(np.ones(shape)), 2)
        assert y.shape == expected
        assert pullback(y)[0].shape == shape


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex64"])
def test_every_dtype(backend: Library, dtype: str) -> None:
    x = np.arange(16).reshape(1, 4, 2, 2).astype(dtype)
    for name in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"):
        assert getattr(ops, name)(backend.array(x), 2).dtype == backend.array(x).dtype


def test_refusals(backend: Library) -> None:
    x = backend.array(np.ones((1, 4, 3, 2)))
    for operation, factor, words, error in (
        (ops.pixel_shuffle, 3, ["upscale_factor", "4", "9"], ValueError),
        (ops.pixel_shuffle, 0, ["upscale_factor", "positive", "0"], ValueError),
        (ops.pixel_shuffle, 2.0, ["upscale_factor", "2.0"], TypeError),
        (ops.pixel_unshuffle, 2, ["downscale_factor", "3 x 2"], ValueError),
        (ops.pixel_unshuffle, -1, ["downscale_factor", "-1"], ValueError),
        (ops.channel_shuffle, 3, ["4 channels", "3 groups"], ValueError),
        (ops.channel_shuffle, 0, ["groups", "0"], ValueError),
        (ops.channel_shuffle, True, ["groups"], TypeError),
    ):
        with refused(*words, error=error):
            operation(x, factor)
        with refused("(3, 2)"):
            operation(x[0, 0, ...], 1)
