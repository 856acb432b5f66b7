"""BLAS at one thread while it is held, and products on the library's own threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from tests.ops import strategies
from xpconv import engines
from xpconv.engines import _blas
from xpconv.engines._numpy import _work


@pytest.fixture
def threads() -> Iterator[_blas._Switch]:
    """How many threads BLAS uses: three, as the test begins."""
    switch = _blas._switch()
    if switch is None:
        pytest.skip("NumPy's BLAS is no OpenBLAS")
    before = switch.get()
    switch.set(3)
    yield switch
    switch.set(before)


def test_as_threadpoolctl_sees_it(threads: _blas._Switch) -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def seen() -> set[int]:
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]}

    if not seen():
        pytest.skip("NumPy's BLAS lies elsewhere")
    assert seen() == {3}
    with _blas.one_thread():
        assert seen() == {1}
    assert seen() == {3}


def test_the_last_holder_sets_it_back(threads: _blas._Switch) -> None:
    with _blas.one_thread():
        with _blas.one_thread():
            assert threads.get() == 1
        assert threads.get() == 1
    assert threads.get() == 3


def test_an_error_sets_it_back(threads: _blas._Switch) -> None:
    with pytest.raises(ZeroDivisionError), _blas.one_thread():
        _ = 1 / 0
    assert threads.get() == 3


def test_holders_on_several_threads(threads: _blas._Switch) -> None:
    inside, done = threading.Barrier(3, timeout=30), threading.Barrier(3, timeout=30)

    def hold() -> None:
        with _blas.one_thread():
            inside.wait()
            done.wait()

    others = [threading.Thread(target=hold) for _ in range(2)]
    for other in others:
        other.start()
    inside.wait()
    assert threads.get() == 1
    done.wait()
    for other in others:
        other.join()
    assert threads.get() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_parents_holders(threads: _blas._Switch) -> None:
    with _blas.one_thread():
        child = os.fork()
        if child == 0:
            with _blas.one_thread():
                held = threads.get()
            os._exit(0 if (held, threads.get()) == (1, 3) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_another_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blas, "_switch", lambda: None)
    with _blas.one_thread() as held:
        assert not held
        assert _blas._HOLDERS.count == 0
    here, seen = threading.get_ident(), []
    _work.side_by_side(lambda _: seen.append(threading.get_ident()), 9, 1)
    assert seen == [here] * 9  # it has threads of its own


@pytest.mark.parametrize(
    ("functions", "small"),
    [([lambda: b"Cooperlake"], True), ([lambda: b"Haswell"], False), (None, False)],
)
def test_small_matrices_are_read_in_place_by_kernels_that_can(
    functions: list | None, small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_blas, "_functions", lambda *_: functions)
    assert _blas.reads_small_matrices.__wrapped__() is small


def test_it_is_held_while_tasks_run(threads: _blas._Switch, monkeypatch) -> None:
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    seen = []
    _work.side_by_side(lambda _: seen.append(threads.get()), 7, 1)
    assert seen == [1] * 7
    assert threads.get() == 3


def test_one_built_on_openmp_is_held_on_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[int, int] = {}

    def get() -> int:
        return counts.get(threading.get_ident(), 4)

    def set_to(count: int) -> None:
        counts[threading.get_ident()] = count

    monkeypatch.setattr(_blas, "_switch", lambda: _blas._Switch(get, set_to, True))
    monkeypatch.setattr(_blas, "_MINE", threading.local())
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    together, seen = threading.Barrier(3, timeout=30), []

    def work(_: int) -> None:
        together.wait()
        seen.append(get())

    _work.side_by_side(work, 3, 1)
    assert seen == [1, 1, 1]
    assert get() == 4


@given(
    sizes=st.tuples(*(st.integers(0, 40) for _ in range(3))),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=strategies.seeds,
    turned=st.booleans(),
)
@example((600, 100, 300), "float32", 0, True)  # these two are cut into parts
@example((200, 100, 1100), "float64", 0, False)
def test_product(sizes: tuple[int, int, int], dtype: str, seed: int, turned: bool) -> None:
    m, k, n = sizes
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(m, k)).astype(dtype)
    b = (rng.normal(size=(n, k)).T if turned else rng.normal(size=(k, n))).astype(dtype)
    y = engines.body("product", a)(a, b)
    assert y.dtype == dtype
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = 8 * np.sqrt(max(k, 1)) * np.finfo(dtype).eps
    np.testing.assert_allclose(y, exact, rtol=bound, atol=bound * 8)


def test_a_product_has_the_same_bits_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 700, 700)).astype(np.float32)
    found = []
    for count in ("1", "2", "5"):
        monkeypatch.setenv("XPCONV_NUM_THREADS", count)
        found.append(engines.body("product", a)(a, b))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
