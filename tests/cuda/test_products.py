"""Convolutions and linear layers whose products are our own calls, on the stand-ins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda.calls import DTYPES, normal, portable
from tests.ops import strategies
from xpconv import conv_workspace, engine, engines, ops

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPES = {"float16": 2, "bfloat16": 14, "float32": 0, "float64": 1}  # cudaDataType
UNITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}


def assert_rounded(mine: np.ndarray, exact: np.ndarray, size: np.ndarray, terms: int) -> None:
    """Off by a sum in float32, or float64, and one rounding of the result."""
    sums = UNITS["float64" if mine.dtype == np.float64 else "float32"]
    within = 2 * (terms + 4) * sums * size + 1.01 * UNITS[str(mine.dtype)] * np.abs(exact) + 1e-30
    if mine.dtype == np.float16:
        within += 2.0**-25
    assert (np.abs(mine.astype(np.float64) - exact) <= within).all()


def both(operation: Any, *arrays: Any, **options: Any) -> list[Any]:
    """What an operation returns, and its gradients for a cotangent of its own dtype."""
    y, pullback = ops.vjp(operation, *arrays, **options)
    dy = normal(y.shape, "float64", 5).astype(arrays[0].dtype)
    return [y, *pullback(dy.astype(y.dtype))]


def assert_as_exact(operation: Any, *arrays: Any, **options: Any) -> None:
    """Against the portable code in float64, with sizes of sums from the absolute values."""
    mine = both(operation, *arrays, **options)
    wide = [None if x is None else x.astype(np.float64) for x in arrays]
    dy = normal(mine[0].shape, "float64", 5).astype(arrays[0].dtype).astype(np.float64)
    with portable():
        y, pullback = ops.vjp(operation, *wide, **options)
        exact = [y, *pullback(dy)]
        y, pullback = ops.vjp(
            operation, *(None if x is None else np.abs(x) for x in wide), **options
        )
        sizes = [y, *pullback(np.abs(dy))]
    terms = max(np.prod(x.shape) for x in (*arrays, mine[0]) if x is not None)
    for a, b, size in zip(mine, exact, sizes):
        assert (a is None) == (b is None)
        if a is not None:
            assert (a.shape, a.dtype) == (b.shape, arrays[0].dtype)
            assert_rounded(a, b, size, int(terms))


@same_fixture
@given(
    conv=strategies.convs(min_batch=1),
    dtype=st.sampled_from(DTYPES),
    bias=st.booleans(),
    budget=st.sampled_from(["1KB", "1GB"]),
    seed=strategies.seeds,
)
def test_convolutions(fused, conv, dtype, bias: bool, budget: str, seed: int) -> None:
    x, weight = normal(conv.x, dtype, seed), normal(conv.weight, dtype, seed + 1)
    last = normal(conv.weight[:1], dtype, seed + 2) if bias else None
    operation = getattr(ops, f"conv{len(conv.stride)}d")
    options = {
        "stride": conv.stride,
        "padding": conv.pairs,
        "dilation": conv.dilation,
        "groups": conv.groups,
    }
    calls = fused.products
    with conv_workspace(budget), engine("pointwise", "im2col"):
        assert_as_exact(operation, x, weight, last, **options)
    assert fused.products > calls
    assert fused.type == TYPES[str(x.dtype)]  # halves are not widened


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_one_product_with_its_bias(fused, dtype, groups: int, kernel: int) -> None:
    x = normal((2, 4, 5, 6), dtype)
    weight, bias = normal((6, 4 // groups, kernel, kernel), dtype), normal((6,), dtype)
    with engine("pointwise", "im2col"):
        y = ops.conv2d(x, weight, bias, groups=groups)
    assert y.dtype == x.dtype
    assert (fused.products, fused.epilogue, fused.batch) == (1, 4, groups)


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_comes_after_it_and_keeps_nan(fused, dtype) -> None:
    """cuBLASLt has an epilogue for it, which makes 0 of NaN."""
    x, weight = normal((1, 2, 5, 5), dtype), normal((3, 2, 3, 3), dtype)
    x[0, 0, 0, 0] = np.nan
    bias = normal((3,), dtype)
    problem = engines.Problem(1, 2, 3, (5, 5), (3, 3), (1, 1), ((0, 0),) * 2, (1, 1))
    y = engines.forward(problem, np.moveaxis(x, 1, -1), weight, bias, "relu")
    plain = np.moveaxis(ops.conv2d(x, weight, bias), 1, -1).astype(np.float32)
    np.testing.assert_array_equal(y.astype(np.float32), np.maximum(plain, 0))
    assert np.isnan(y[0, 0, 0].astype(np.float32)).all()


@pytest.mark.parametrize("name", ["0", "1"])
def test_depthwise_halves_are_summed_in_float32(fused, monkeypatch, name: str) -> None:
    monkeypatch.setenv("XPCONV_CUDA_BLAS", name)
    x, weight = np.full((1, 4, 40, 40), 0.75, "f2"), np.full((4, 1, 40, 40), 0.75, "f2")
    y = ops.conv2d(x, weight, groups=4)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.ravel(), np.float16(1600 * 0.75**2))


@same_fixture
@given(
    rows=st.integers(1, 5),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from(DTYPES),
    bias=st.booleans(),
)
def test_linear(fused, rows: int, sizes: tuple[int, int], dtype, bias: bool) -> None:
    features, outs = sizes
    last = normal((outs,), dtype, 3) if bias else None
    x, weight = normal((2, rows, features), dtype, 1), normal((outs, features), dtype, 2)
    calls = fused.products
    assert_as_exact(ops.linear, x, weight, last)
    assert fused.products == calls + 3
    assert fused.type == TYPES[str(x.dtype)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_products_of_layers(fused, dtype) -> None:
    """Forward and back: none is left to CuPy, which would refuse it while a graph is recorded."""
    x1, x2 = normal((3, 4), dtype, 1), normal((3, 5), dtype, 2)
    assert_as_exact(ops.bilinear, x1, x2, normal((2, 4, 5), dtype, 3), normal((2,), dtype, 4))
    assert fused.products == 6
    weight, u, v = normal((4, 6), dtype, 1), normal((4,), dtype, 2), normal((6,), dtype, 3)
    before = fused.products
    ops.spectral_norm(weight, u / np.linalg.norm(u), v / np.linalg.norm(v))
    assert fused.products > before


@pytest.mark.parametrize("operation", [ops.conv2d, ops.linear])
def test_halves_beside_singles_are_refused(fused, operation) -> None:
    shapes = ((1, 2, 3, 3), (4, 2, 1, 1)) if operation is ops.conv2d else ((3, 2), (4, 2))
    with pytest.raises(TypeError, match="x is float16, weight is float32"):
        operation(normal(shapes[0], "float16"), normal(shapes[1], "float32"))


@pytest.mark.parametrize("kernel", [1, 3])
def test_without_kernels(fused, kernel: int) -> None:
    """Products alone are still ours; columns of halves are not summed in half precision."""
    x, weight = normal((2, 2, 5, 5), "float16"), normal((3, 2, kernel, kernel), "float16")
    with portable("XPCONV_CUDA_KERNELS"):
        assert_as_exact(ops.conv2d, x, weight)
        calls = fused.products
        ops.conv2d(x, weight)
    assert fused.products == calls + (kernel == 1)
    with portable():
        assert ops.conv2d(x, weight).dtype == np.float16
    assert fused.products == calls + (kernel == 1)
