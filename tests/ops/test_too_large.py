"""Sizes that no memory holds are refused with words, before an array library is asked for them.

Asked for such an array, XLA ends the process; others fail from deep inside, or try.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from tests.backends import Library
from tests.refusals import refused
from xpconv import nn, ops

HUGE = 2**40
CASES: dict[str, tuple[Callable[[Any, Any], Any], tuple[str, ...]]] = {
    "conv2d padding": (
        lambda x, w: ops.conv2d(x, w, padding=HUGE),
        ("the padded input of shape (1, 1, 2199023255557, 2199023255557)", "too large"),
    ),
    "conv2d pairs": (
        lambda x, w: ops.conv2d(x, w, padding=((0, 2**43), (0, 3))),
        ("the padded input of shape (1, 1, 8796093022213, 8)",),
    ),
    "conv2d padding stepped over": (
        lambda x, w: ops.conv2d(x, w, padding=HUGE, stride=HUGE),
        ("the padded input of shape",),
    ),
    "conv2d stride": (lambda x, w: ops.conv2d(x, w, stride=2**62), ("stride", str(2**62))),
    "max_pool2d dilation": (lambda x, w: ops.max_pool2d(x, 1, dilation=2**70), ("dilation",)),
    "conv_transpose2d stride": (
        lambda x, w: ops.conv_transpose2d(x, w, stride=HUGE),
        ("the result of shape (1, 1, 4398046511107, 4398046511107)", "too large"),
    ),
    "conv_transpose2d stride of one pixel": (
        lambda x, w: ops.conv_transpose2d(x[:, :, :1, :1], w, stride=2**70),
        ("stride", str(2**70)),
    ),
    "conv_transpose2d dilation": (
        lambda x, w: ops.conv_transpose2d(x, w, dilation=HUGE),
        ("the result of shape",),
    ),
    "pad": (lambda x, w: ops.pad(x, (HUGE, HUGE, HUGE, HUGE)), ("the padded input of shape",)),
    "pad, beyond 64 bits": (lambda x, w: ops.pad(x, (2**64, 0)), ("the padded input of shape",)),
    "replicate": (
        lambda x, w: ops.pad(x, (HUGE, HUGE, HUGE, HUGE), mode="replicate"),
        ("the padded input of shape",),
    ),
    "unfold": (lambda x, w: ops.unfold(x, 3, padding=HUGE), ("the padded input of shape",)),
    "fold": (
        lambda x, w: ops.fold(ops.unfold(x, 3), (HUGE, HUGE), 3, stride=HUGE - 4),
        ("the padded input of shape (1099511627776, 1099511627776)",),
    ),
    "max_pool2d": (
        lambda x, w: ops.max_pool2d(x, HUGE, padding=HUGE // 2),
        ("the padded input of shape",),
    ),
    "adaptive_avg_pool2d": (
        lambda x, w: ops.adaptive_avg_pool2d(x, HUGE),
        ("the result of shape (1, 1, 1099511627776, 1099511627776)",),
    ),
    "interpolate": (
        lambda x, w: ops.interpolate(x, size=(HUGE, HUGE)),
        ("the result of shape (1, 1, 1099511627776, 1099511627776)",),
    ),
    "scale": (lambda x, w: ops.interpolate(x, scale_factor=1e30), ("the result of shape",)),
    "Upsample": (lambda x, w: nn.Upsample(HUGE)(x), ("the result of shape",)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_no_memory_holds(backend: Library, name: str) -> None:
    call, words = CASES[name]
    x, weight = backend.array(np.ones((1, 1, 5, 5))), backend.array(np.ones((1, 1, 3, 3)))
    with refused(*words):
        call(x, weight)


def test_unpooled(backend: Library) -> None:
    x = backend.array(np.ones((1, 1, 2, 2)))
    indices = backend.array([[[[0, 1], [2, 3]]]], dtype="int64")
    with refused("the result of shape", "too large"):
        ops.max_unpool2d(x, indices, HUGE)


def test_empty_arrays_of_absurd_sizes(backend: Library) -> None:
    x, weight = backend.array(np.ones((0, 1, 5, 5))), backend.array(np.ones((1, 1, 3, 3)))
    with refused("the padded input of shape (0, 1, 2199023255557, 2199023255557)"):
        ops.conv2d(x, weight, padding=HUGE)


def test_sizes_are_computed_of_images_that_are_not_made() -> None:
    assert ops.conv_output_size(10**8, 3, padding=1) == 10**8
    assert ops.conv_output_size((10**8, 10**8), 3) == (10**8 - 2, 10**8 - 2)


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed (the extra 'peers')")
def test_jax_goes_on() -> None:
    code = """
import jax.numpy as jnp
from xpconv import ops
try:
    ops.conv2d(jnp.ones((1, 1, 5, 5)), jnp.ones((1, 1, 3, 3)), padding=2**40)
except ValueError as error:
    print(error)
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "too large for any memory" in done.stdout


@pytest.mark.parametrize("stride", [5, 7, 10**9])
def test_steps_beyond_the_image(backend: Library, stride: int) -> None:
    """One window is left, whatever the step: nothing takes the longer for it."""
    image, kernel = np.arange(25.0).reshape(1, 1, 5, 5), np.arange(9.0).reshape(1, 1, 3, 3)
    x, weight = backend.array(image), backend.array(kernel)
    y, pullback = ops.vjp(ops.conv2d, x, weight, stride=stride)
    backend.assert_equal(y, np.array([[[[np.sum(image[..., :3, :3] * kernel)]]]]))
    dx, dweight = pullback(backend.array([[[[2.0]]]]))
    backend.assert_equal(dx, np.pad(2 * kernel, ((0, 0), (0, 0), (0, 2), (0, 2))))
    backend.assert_equal(dweight, 2 * image[..., :3, :3])
    y = ops.conv_transpose2d(backend.array([[[[2.0]]]]), weight, stride=stride)
    backend.assert_equal(y, 2 * kernel)
