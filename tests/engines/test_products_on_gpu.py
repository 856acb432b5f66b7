"""Products by cuBLASLt itself: what the stand-in cannot prove."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from xpconv import engines, ops, tf32
from xpconv.engines import matmul

CUPY = pytest.mark.parametrize("backend", ["cupy"], indirect=True)
UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def drawn(backend: Library, shape: tuple[int, ...], dtype: str, layout: str, seed: int) -> Any:
    """Numbers of a dtype on the device, in an order of memory."""
    values = np.random.default_rng(seed).normal(size=shape)
    return backend.backend.asarray(backend.array(values, "float32", layout), dtype)


def exact(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """The product in float64, and that of absolute values."""
    a, b = (host(x).astype(np.float64) for x in (a, b))
    return np.matmul(a, b), np.matmul(np.abs(a), np.abs(b))


@CUPY
@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("layout", ["C", "transposed", "strided", "flipped"])
@pytest.mark.parametrize("lead", [(), (3,), (36,)])
def test_every_layout_and_dtype(backend: Library, dtype: str, layout: str, lead) -> None:
    assert engines.own_products("cupy"), "cuBLASLt cannot be called"
    for m, k, n in ((1, 1, 1), (33, 70, 5), (128, 576, 64), (7, 4096, 3)):
        a = drawn(backend, (*lead, m, k), dtype, layout, 1)
        b = drawn(backend, (*lead, k, n), dtype, layout, 2)
        bias = drawn(backend, (n,), dtype, "C", 3)
        with tf32(False):
            for last in (None, bias):
                y = matmul(a, b, last)
                assert str(y.dtype) == dtype
                expected, size = exact(a, b)
                if last is not None:
                    expected, size = expected + host(last).astype("f8"), size + 4
                sums = UNITS["float64" if dtype == "float64" else "float32"]
                within = 2 * k**0.5 * sums * size + UNITS[dtype] * np.abs(expected) + 1e-7
                assert (np.abs(host(y).astype(np.float64) - expected) <= within).all()


@CUPY
def test_tf32_is_a_choice_for_each_call(backend: Library) -> None:
    import cupy

    if int(cupy.cuda.Device().compute_capability) < 80:
        pytest.skip("the GPU is older than Ampere: it has no TF32")
    a, b = (drawn(backend, (256, 256), "float32", "C", seed) for seed in (1, 2))
    expected, size = exact(a, b)

    def error() -> float:
        return float((np.abs(host(matmul(a, b)) - expected) / size).max())

    with tf32(False):
        assert error() < 1e-6
        with tf32():
            assert 1e-6 < error() < 2.0**-9
        assert error() < 1e-6


def step(x: Any, weight: Any, kernel: Any, bias: Any) -> list[Any]:
    """A convolution and a linear layer, there and back."""
    y, back = ops.vjp(ops.conv2d, x, kernel, bias, padding=1)
    rows = y.reshape(y.shape[0], -1)
    z, back2 = ops.vjp(ops.linear, rows, weight)
    drows, dweight = back2(z)
    dx, dkernel, dbias = back(drows.reshape(y.shape))
    return [z, dweight, dx, dkernel, dbias]


@CUPY
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("engine", ["im2col", "winograd"])
def test_a_graph_holds_them(backend: Library, dtype: str, engine: str) -> None:
    """Captured and launched they give the bits of a plain step; a wait would break the capture."""
    import cupy

    if engine == "winograd" and dtype == "float16":
        return  # it has none
    arrays = [
        drawn(backend, shape, dtype, "C", seed)
        for seed, shape in enumerate([(4, 8, 10, 10), (6, 1600), (16, 8, 3, 3), (16,)])
    ]
    stream = cupy.cuda.Stream(non_blocking=True)
    with engines.engine(engine), stream:
        expected, again = step(*arrays), step(*arrays)
        keep = cupy.cuda.MemoryPool()  # what the graph writes to must stay its own
        with cupy.cuda.using_allocator(keep.malloc):
            step(*arrays)
            stream.begin_capture()
            captured = step(*arrays)
            graph = stream.end_capture()
        graph.launch()
    stream.synchronize()
    for mine, theirs, repeated in zip(captured, expected, again):
        np.testing.assert_array_equal(host(mine), host(theirs))
        np.testing.assert_array_equal(host(repeated), host(theirs))
