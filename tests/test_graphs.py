"""Recording for CuPy: what is asked of it, in which order, and whose the memory is."""

from __future__ import annotations

import gc
import sys

import pytest

from tests.fake_cuda import FakeCuda
from xpconv import _graphs, get_backend


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    fake = FakeCuda()
    monkeypatch.setitem(sys.modules, "cupy", fake.module())
    return fake


def test_a_recording(cuda: FakeCuda) -> None:
    recorder = _graphs.CudaRecorder()
    outer = cuda.get_allocator()
    with recorder.record() as recording:
        assert cuda.get_allocator() is not outer
        assert cuda.current.non_blocking
        assert not gc.isenabled()
        cuda.log.append(("work",))
    # CuPy's own mode, in which memory may be allocated.
    assert cuda.log == [("free_all_blocks",), ("begin", None), ("work",), ("end",)]
    assert cuda.get_allocator() is outer
    assert cuda.current == "the default stream"
    assert gc.isenabled()
    recording.replay()
    recording.replay()
    assert cuda.log[4:] == [("launch", "the default stream")] * 2


@pytest.mark.parametrize("broken", [False, True])
def test_an_error_ends_the_recording(cuda: FakeCuda, broken: bool) -> None:
    recorder = _graphs.CudaRecorder()
    outer = cuda.get_allocator()

    def work() -> None:
        with recorder.record():
            cuda.current.broken = broken
            raise KeyError("the work's own")

    with pytest.raises(KeyError, match="the work's own"):
        work()
    assert cuda.log[-1] == ("end",)
    assert cuda.get_allocator() is outer
    assert cuda.current == "the default stream"
    assert gc.isenabled()


def test_what_cuda_found_wrong_is_said(cuda: FakeCuda) -> None:
    recorder = _graphs.CudaRecorder()
    with pytest.raises(RuntimeError, match="CaptureInvalidated"), recorder.record():
        cuda.current.broken = True


def test_memory_is_given_again_within_a_recording_and_to_the_next(cuda: FakeCuda) -> None:
    recorder = _graphs.CudaRecorder()
    with recorder.record():
        first = cuda.get_allocator()(1024)
        address = first.ptr
        del first
        kept = cuda.get_allocator()(1024)
        assert kept.ptr == address
    with recorder.record():
        assert cuda.get_allocator()(1024).ptr != address  # somebody has it
        del kept
        assert cuda.get_allocator()(1024).ptr == address


def test_memory_stays_while_a_recording_or_an_array_lives(cuda: FakeCuda) -> None:
    recorder = _graphs.CudaRecorder()
    with recorder.record() as recording:
        allocate = cuda.get_allocator()
        temporary, result = allocate(512), allocate(1024)
        addresses = {temporary.ptr, result.ptr}
        del allocate, temporary
    recorder._arena._pool.free_all_blocks()  # as CuPy does when memory is short
    assert cuda.allocated == addresses
    del recorder
    assert cuda.allocated == addresses
    del recording
    assert cuda.allocated == addresses  # the result is in use, and its pool with it
    del result
    gc.collect()
    assert cuda.allocated == set()


def test_without_the_arena_memory_would_be_gone(cuda: FakeCuda) -> None:
    """So the stand-in knows what CuPy's pools do: they do not outlive their last reference."""
    pool = cuda.MemoryPool(cuda.get_allocator())
    pointer = pool.malloc(512)
    assert cuda.allocated == {pointer.ptr}
    del pool
    assert cuda.allocated == set()


def test_only_cupy_has_a_recorder() -> None:
    assert list(_graphs.RECORDERS) == ["cupy"]
    assert _graphs.recorder(get_backend("numpy")) is None
