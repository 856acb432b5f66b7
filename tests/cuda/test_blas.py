"""Our calls of cuBLASLt, on a stand-in with its interface, semantics and refusals."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.cuda import blas, host
from tests.cuda.calls import DTYPES, name_of, normal
from xpconv import tf32
from xpconv.engines import _cuda
from xpconv.engines._cuda import _blas, _blas_library
from xpconv.engines._cuda._blas_matrix import matrix

pytestmark = pytest.mark.usefixtures("fused")
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# of a sum of K products of normal numbers, in units of the last place of the result or of float32
UNITS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
LAYOUTS = ("rows", "columns", "parts of rows", "parts of columns", "every second", "backwards")


def laid(x: np.ndarray, layout: str) -> np.ndarray:
    """The same numbers, elsewhere in memory; an unaligned place among them."""
    if layout == "rows":
        return x.copy()
    if layout in ("columns", "parts of columns"):
        inner = laid(np.swapaxes(x, -1, -2), "rows" if layout == "columns" else "parts of rows")
        return np.swapaxes(inner, -1, -2)
    if layout == "parts of rows":
        whole = np.full((*x.shape[:-1], x.shape[-1] + 3), 77, x.dtype)
        whole[..., 1:-2] = x
        return whole[..., 1:-2]
    if layout == "every second":
        whole = np.full((*x.shape[:-2], x.shape[-2], 2 * x.shape[-1]), 77, x.dtype)
        whole[..., ::2] = x
        return whole[..., ::2]
    return np.flip(np.flip(x, -1).copy(), -1)


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.matmul(a.astype(np.float64), b.astype(np.float64))


def assert_product(y: np.ndarray, a: np.ndarray, b: np.ndarray, plus: Any = 0) -> None:
    """Within the rounding of a sum in float32 or wider, and of one result."""
    expected = exact(a, b) + np.asarray(plus, np.float64)
    size = exact(np.abs(a), np.abs(b)) + np.abs(np.asarray(plus, np.float64))
    within = (a.shape[-1] + 2) * UNITS["float64" if y.dtype == np.float64 else "float32"] * size
    within += UNITS[str(y.dtype)] * np.abs(expected) + 1e-30
    if y.dtype == np.float16:
        within += 2.0**-24  # below its smallest normal number
    assert (np.abs(y.astype(np.float64) - expected) <= within).all()


sizes = st.tuples(*(st.integers(1, 9) for _ in range(4)))
each_layout = st.sampled_from(LAYOUTS)


@same_fixture
@given(
    sizes=sizes,
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(each_layout, each_layout),
    batched=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_layout_and_dtype(fused, sizes, dtype, layouts, batched, bias, seed) -> None:
    g, m, k, n = sizes
    lead = (g,) if batched else ()
    a = laid(normal((*lead, m, k), dtype, seed), layouts[0])
    b = laid(normal((*lead, k, n), dtype, seed + 1), layouts[1])
    last = normal((n,), dtype, seed + 2) if bias else None
    before = fused.products
    y = _blas.matmul(a, b, last)
    assert fused.products == before + 1  # one call, whatever was asked
    assert (y.shape, y.dtype) == ((*lead, m, n), a.dtype)
    assert_product(y, a, b, 0 if last is None else last)


@same_fixture
@given(sizes=sizes, dtype=st.sampled_from(DTYPES), add=st.booleans(), data=st.data())
def test_into_parts_of_other_arrays(fused, sizes, dtype, add, data) -> None:
    """Groups of output channels, side by side in every row, as one batch."""
    g, m, k, n = sizes
    a, b = normal((g, m, k), dtype, 1), normal((g, k, n), dtype, 2)
    half = a.dtype.itemsize == 2
    wide = np.float32 if half and data.draw(st.booleans()) else a.dtype
    whole = normal((m, g * n + 3), wide, 3)
    before = whole.copy()
    out = whole[:, : g * n].reshape(m, g, n).transpose(1, 0, 2)
    assert np.shares_memory(out, whole)
    bias = None if add or wide != a.dtype else normal((g, n), dtype, 4)
    calls = fused.products
    assert _blas.matmul_into(out, a, b, bias, add=add) is out
    assert fused.products == calls + 1
    was = before[:, : g * n].reshape(m, g, n).transpose(1, 0, 2)
    assert_product(out, a, b, was if add else 0 if bias is None else bias[:, None, :])
    np.testing.assert_array_equal(whole[:, g * n :], before[:, g * n :])


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (1, 1)])
def test_axes_of_one_number_may_have_any_step(fused, shape: tuple[int, int]) -> None:
    a = np.lib.stride_tricks.as_strided(
        normal(shape, "float32"),
        shape,
        [step if n > 1 else -3 for step, n in zip(normal(shape, "float32").strides, shape)],
    )
    b = normal((shape[1], 2), "float32")
    assert_product(_blas.matmul(a, b), a, b)


def test_one_matrix_for_a_whole_batch(fused) -> None:
    a = normal((3, 4, 5), "float32", 0)
    b = np.broadcast_to(normal((5, 2), "float32", 1), (3, 5, 2))
    assert matrix(b)[1].step == 0  # it is not copied
    assert_product(_blas.matmul(a, b), a, b)


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_nothing_to_multiply(fused, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    calls = fused.products
    y = _blas.matmul(np.ones((m, k)), np.ones((k, n)), np.arange(n, dtype=np.float64))
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(n), (m, n)))
    out = np.ones((m, n))
    np.testing.assert_array_equal(
        _blas.matmul_into(out, np.ones((m, k)), np.ones((k, n)), add=True), np.ones((m, n))
    )
    assert fused.products == calls


def test_where_and_how_it_is_given(fused) -> None:
    """The current stream, a workspace of the pool, no sum in any order but the fixed one."""
    for dtype, compute in (("float16", 68), ("float32", 68), ("float64", 70)):
        for inner, workspace in ((8, 0), (64, 2 * 3 * 8)):
            _blas.matmul(normal((2, inner), dtype), normal((inner, 3), dtype))
            assert (fused.stream, fused.compute) == (host.STREAM, compute)
            assert fused.workspace == workspace
            assert fused.schemes == 2  # parts of a sum meet in a second step, in the compute type


class Opaque:
    """What is known of an array without a look at its numbers; whoever looks finds nothing."""

    def __init__(self, array: np.ndarray) -> None:
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.ndim, self.ctypes, self.flags = array.ndim, array.ctypes, array.flags
        self.device = "cpu"


def test_no_number_is_looked_at(fused) -> None:
    """All that is asked of arrays is where and how they lie, so nothing can wait for them."""
    arrays = [normal(shape, "float32", 3) for shape in ((3, 2, 4), (3, 4, 5), (3, 5), (3, 2, 5))]
    a, b, bias, out = (Opaque(array) for array in arrays)
    _blas.matmul_into(out, a, b, bias)
    assert fused.products == 1
    assert_product(arrays[3], *arrays[:2], arrays[2][:, None, :])


def test_plans_are_kept_by_kind(fused) -> None:
    a, b = normal((4, 8), "float32"), normal((8, 4), "float32")
    for _ in range(3):
        _blas.matmul(a, b)
        _blas.matmul(b, a)
    assert fused.plans == 2
    _blas.matmul(a, b, normal((4,), "float32"))
    with tf32():
        _blas.matmul(a, b)
    assert fused.plans == 4
    assert fused.descriptors > 0
    _blas._plan.cache_clear()
    gc.collect()
    assert fused.descriptors == 0


def test_a_plan_with_a_bias_serves_many_biases_and_threads(fused) -> None:
    a, b = normal((4, 8), "float32"), normal((8, 64), "float32")
    biases = [np.full(64, i, np.float32) for i in range(24)]
    results: list[Any] = [None] * len(biases)

    def work(first: int) -> None:
        for i in range(first, len(biases), 4):
            results[i] = _blas.matmul(a, b, biases[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, y in enumerate(results):
        assert_product(y, a, b, biases[i])
    assert fused.plans <= 16  # for each alignment, and threads that begin at once may each make one


# --- TF32 -----------------------------------------------------------------------------------------


def test_tf32_is_a_choice_for_each_call(fused, monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.full((1, 1), 1 + 2.0**-20, np.float32)

    def cut(**_: Any) -> bool:
        y = _blas.matmul(a, a)
        assert (fused.compute == 77) == (y[0, 0] == 1)
        return bool(fused.compute == 77)

    monkeypatch.delenv("CUPY_TF32", raising=False)
    assert not cut()
    with tf32():
        assert cut()
        with tf32(False):
            assert not cut()
        assert cut()
    for value, allowed in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("CUPY_TF32", value)
        assert cut() is allowed
        with tf32(not allowed):
            assert cut() is not allowed


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_tf32_is_for_float32(fused, dtype: str) -> None:
    with tf32():
        _blas.matmul(normal((2, 2), dtype), normal((2, 2), dtype))
    assert fused.compute == (70 if dtype == "float64" else 68)


# --- what cannot be done --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("batched", [True, False])
def test_without_the_library(monkeypatch: pytest.MonkeyPatch, fused, dtype, batched) -> None:
    monkeypatch.setenv("XPCONV_CUDA_BLAS", "0")
    assert not _blas.usable(name_of(dtype))
    assert _cuda.body("matmul", name_of(dtype)) is None
    lead = (2,) if batched else ()
    a, b = (normal((*lead, 3, 3), dtype, seed) for seed in (1, 2))
    last = normal((3,), dtype)
    y = _blas.matmul(a, b, last)
    off = np.abs(y.astype(np.float64) - exact(a, b) - last.astype(np.float64))
    size = exact(np.abs(a), np.abs(b)) + np.abs(last.astype(np.float64))
    # three products, two sums, the bias, each rounded at most; the exact sum in float64 is, too
    assert (off <= 4 * UNITS[name_of(dtype)] * size).all()
    twice = _blas.matmul_into(y.copy(), a, b, add=True)
    np.testing.assert_array_equal(twice, (y + np.matmul(a, b)).astype(y.dtype))
    assert fused.products == 0


@pytest.mark.parametrize("name", ["int64", "complex64", "bool"])
def test_other_dtypes_are_left_to_cupy(fused, name: str) -> None:
    assert not _blas.usable(name)
    assert _cuda.body("matmul", name) is None


def test_no_algorithm_with_a_bias(fused) -> None:
    fused.no_bias = 1
    a, b, last = normal((2, 3), "float32"), normal((3, 4), "float32"), normal((4,), "float32")
    assert_product(_blas.matmul(a, b, last), a, b, last)
    assert (fused.plans, fused.products) == (1, 1)


def test_no_algorithm_at_all(fused) -> None:
    fused.no_algorithm = 1
    a, b, last = normal((2, 3), "float32"), normal((3, 4), "float32"), normal((4,), "float32")
    assert_product(_blas.matmul(a, b, last), a, b, last)
    assert fused.products == 0


def test_what_is_refused_without_a_reason(fused, caplog: pytest.LogCaptureFixture) -> None:
    """The heuristics may know limits that nobody has written down."""
    fused.refuse_sizes = 1
    a, b = normal((2, 3), "float32"), normal((3, 4), "float32")
    for _ in range(2):
        assert_product(_blas.matmul(a, b), a, b)
    assert fused.products == 0
    said = "cuBLASLt refuses (2, 3) @ (3, 4) of float32, which is left to CuPy"
    assert [record.getMessage() for record in caplog.records][:1] == [said]


def test_an_algorithm_that_is_refused_when_it_is_used(fused) -> None:
    fused.fail = 15
    a, b = normal((2, 3), "float32"), normal((3, 4), "float32")
    assert_product(_blas.matmul(a, b), a, b)
    assert fused.products == 0


def test_errors_name_the_call_the_status_and_the_sizes(fused) -> None:
    fused.fail = 13
    with pytest.raises(RuntimeError) as caught:
        _blas.matmul(normal((5, 2, 3), "float16"), normal((5, 3, 4), "float16"))
    assert str(caught.value) == (
        "cublasLtMatmul returned CUBLAS_STATUS_EXECUTION_FAILED for 5 x (2, 3) @ (3, 4) of float16"
    )
    fused.fail = 99
    with pytest.raises(RuntimeError, match=r"returned status 99 for \(2, 3\) @ \(3, 4\) of float"):
        _blas.matmul(normal((2, 3), "float32"), normal((3, 4), "float32"))
    fused.device = 0
    blas.clear()
    with pytest.raises(RuntimeError, match=r"cublasLtCreate .*_NOT_INITIALIZED for device 0"):
        _blas.matmul(normal((2, 3), "float32"), normal((3, 4), "float32"))


def test_no_memory_left(fused, monkeypatch: pytest.MonkeyPatch) -> None:
    fused.fail = 3
    with pytest.raises(MemoryError, match="ALLOC_FAILED"):
        _blas.matmul(normal((2, 3), "float32"), normal((3, 4), "float32"))

    def alloc(size: int) -> Any:
        raise MemoryError(f"{size} bytes")

    import cupy

    monkeypatch.setattr(cupy.cuda, "alloc", alloc)
    with pytest.raises(MemoryError, match="64 bytes"):
        _blas.matmul(normal((2, 99), "float32"), normal((99, 4), "float32"))


def test_a_library_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _blas_library._loaded.cache_clear()
    try:
        assert _blas_library._loaded() is None  # the stand-in for CuPy has no binding of cuBLAS
    finally:
        _blas_library._loaded.cache_clear()
    assert "products are left to CuPy, since cuBLASLt cannot be called" in caplog.text


def test_a_missing_function_is_refused_when_it_is_bound() -> None:
    import ctypes

    with pytest.raises(AttributeError, match="cublasLtCreate"):
        _blas_library.bind(ctypes.CDLL(None))
