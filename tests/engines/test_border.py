"""Weights that are not finite: the way back reaches what windows touch, and nothing else."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from xpconv import engine, ops

LOOKED_AT = ("numpy", "readonly")
SIZE = 15


def spread(dy: np.ndarray, weight: np.ndarray, size: int, options: dict[str, Any]) -> np.ndarray:
    """Add what every output sends back through every tap that lies inside the image."""
    stride, padding, dilation = (options[name] for name in ("stride", "padding", "dilation"))
    groups = options["groups"]
    out, inner = weight.shape[0] // groups, weight.shape[1]
    dx = np.zeros((len(dy), inner * groups, size, size))
    taps = list(product(range(weight.shape[2]), range(weight.shape[3])))
    for (i, j), (p, q) in product(np.ndindex(*dy.shape[2:]), taps):
        h, w = i * stride - padding + p * dilation, j * stride - padding + q * dilation
        if not (0 <= h < size and 0 <= w < size):
            continue
        for g in range(groups):
            rows = slice(g * out, (g + 1) * out)
            share = dy[:, rows, i, j] @ weight[rows, :, p, q]
            dx[:, g * inner : (g + 1) * inner, h, w] += share
    return dx


OPTIONS = [
    {"stride": 1, "padding": 1, "dilation": 1, "groups": 1},
    {"stride": 1, "padding": 0, "dilation": 2, "groups": 2},
    {"stride": 2, "padding": 1, "dilation": 1, "groups": 1},
    {"stride": 3, "padding": 2, "dilation": 2, "groups": 4},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("tap", [(0, 0), (2, 2), (0, 2), (1, 2)])
@pytest.mark.parametrize("worst", [np.inf, np.nan])
def test_an_infinite_tap(
    backend: Library, options: dict[str, Any], tap: tuple[int, int], worst: float
) -> None:
    # On other libraries nothing looks at values: what the zeros around dy touch may be NaN there.
    edge = 0 if backend.label in LOOKED_AT else 4
    inner = (..., slice(edge, SIZE - edge), slice(edge, SIZE - edge))
    rng = np.random.default_rng(5)
    weight = rng.uniform(0.5, 1.0, (4, 4 // options["groups"], 3, 3))
    weight[1, 0, *tap] = worst
    x = rng.uniform(0.5, 1.0, (2, 4, SIZE, SIZE))
    y, pullback = ops.vjp(ops.conv2d, backend.array(x), backend.array(weight), **options)
    dy = rng.uniform(0.5, 1.0, y.shape)
    dx, dweight = pullback(backend.array(dy))
    desired = spread(dy, weight, SIZE, options)[inner]
    assert 0 < np.isfinite(desired).mean() < 1
    backend.assert_close(dx[inner], desired)
    assert np.isfinite(host(dweight)).all()
    extra = SIZE - (host(y).shape[2] - 1) * options["stride"] + 2 * options["padding"]
    extra -= 2 * options["dilation"] + 1
    turned = ops.conv_transpose2d(
        backend.array(dy), backend.array(weight), output_padding=extra, **options
    )
    backend.assert_close(turned[inner], desired)


@pytest.mark.parametrize("name", ["im2col", "winograd", "exact", "auto"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_on_every_engine(name: str, dtype: str) -> None:
    weight = np.full((16, 32, 3, 3), 0.5, dtype=dtype)
    weight[3, 5, 0, 1] = -np.inf
    x, dy = np.ones((1, 32, 12, 12), dtype=dtype), np.ones((1, 16, 12, 12), dtype=dtype)
    _, pullback = ops.vjp(ops.conv2d, x, weight, padding=1)
    with engine(name):
        dx, _ = pullback(dy)
    assert dx.dtype == dtype
    options = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    desired = spread(dy.astype("float64"), weight.astype("float64"), 12, options)
    np.testing.assert_array_equal(dx, desired)


def test_what_comes_in_infinite_goes_on_so(backend: Library) -> None:
    """Weights that are finite are no reason to compute twice, and the result is the same."""
    dy = np.ones((1, 2, 6, 6))
    dy[0, 0, 0, 0], dy[0, 1, 5, 5] = np.inf, np.nan
    x, weight = np.ones((1, 3, 6, 6)), np.full((2, 3, 3, 3), 0.5)
    _, pullback = ops.vjp(ops.conv2d, backend.array(x), backend.array(weight), padding=1)
    dx, _ = pullback(backend.array(dy))
    options = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    backend.assert_close(dx, spread(dy, weight, 6, options))
