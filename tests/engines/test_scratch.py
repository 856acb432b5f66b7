"""Memory that is used again: aligned, never twice at a time, given back when the last view goes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import weakref

import numpy as np
import pytest

from xpconv.engines import _scratch
from xpconv.engines._blocks import Blocks
from xpconv.engines._scratch import aligned, scratch

FLOAT = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def blocks(monkeypatch: pytest.MonkeyPatch) -> Blocks:
    fresh = Blocks()
    monkeypatch.setattr(_scratch, "_BLOCKS", fresh)
    return fresh


@pytest.mark.parametrize("size", [0, 1, 1000, 40_000, 10**6])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_arrays_begin_with_a_cache_line(size: int, dtype: str) -> None:
    array = aligned(size, np.dtype(dtype))
    assert array.shape == (size,)
    assert array.dtype == dtype
    assert array.flags.writeable
    assert size == 0 or array.ctypes.data % 64 == 0
    array[...] = 1


def test_memory_serves_again_when_the_last_view_is_gone(blocks: Blocks) -> None:
    array = aligned(10**5, FLOAT)
    address, view = array.ctypes.data, array.reshape(10, -1)[3:, ::2].T
    del array
    other = aligned(10**5, FLOAT)
    assert other.ctypes.data != address
    del view
    assert blocks.held > 0
    third = aligned(10**5, FLOAT)
    assert third.ctypes.data == address
    assert blocks.held == 0


def test_no_more_is_kept_than_the_limit(blocks: Blocks) -> None:
    blocks.limit = 10**6
    arrays = [aligned(10**5, FLOAT) for _ in range(5)]
    del arrays
    assert 0 < blocks.held <= 10**6


def unused_chunks(blocks: Blocks) -> int:
    """How many chunks nothing is lent of."""
    sizes = {number: len(memory) - 64 for number, (_, memory) in blocks.chunks.items()}
    return sum(size == sizes[number] for size, _, number in blocks.free)


def test_no_more_is_held_than_was_in_use_at_once(blocks: Blocks) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[int, np.ndarray] = {}
    chunks, kept, cut = 0, 0, 0
    for k in range(600):
        if arrays and rng.random() < 0.5:
            arrays.pop(rng.choice(list(arrays)))
        else:
            arrays[k] = aligned(int(rng.integers(40_000, 400_000)), FLOAT)
            fetched = blocks.chunks.keys() - range(chunks + 1)
            if fetched:  # what is more lies in gaps
                assert blocks.lent + blocks.held <= blocks.most * 9 / 8 or not unused_chunks(blocks)
            chunks = max(blocks.chunks)
            cut += not fetched
        assert blocks.lent >= sum(array.nbytes for array in arrays.values())
        assert blocks.held == sum(size for size, _, _ in blocks.free)
        whole = sum(len(memory) - 64 for _, memory in blocks.chunks.values())
        assert blocks.lent + blocks.held == whole
        kept = max(kept, blocks.held)
    assert kept > 0
    assert cut > 100
    arrays.clear()
    aligned(40_000, FLOAT)
    assert blocks.lent == 0
    assert unused_chunks(blocks) == len(blocks.chunks) == len(blocks.free)


def test_memory_is_cut_and_joined_again(blocks: Blocks) -> None:
    whole = aligned(3 * 10**5, FLOAT)
    address, end = whole.ctypes.data, whole.ctypes.data + whole.nbytes
    del whole
    parts = [aligned(10**5 - 2**10, FLOAT) for _ in range(3)]
    assert len(blocks.chunks) == 1
    assert all(address <= p.ctypes.data < p.ctypes.data + p.nbytes <= end for p in parts)
    for _ in range(3):
        parts.pop(len(parts) // 2)
    assert aligned(3 * 10**5, FLOAT).ctypes.data == address
    assert len(blocks.free) == len(blocks.chunks) == 1


def test_the_smallest_memory_that_fits_serves(blocks: Blocks) -> None:
    sizes = [4 * 10**5, 10**5, 2 * 10**5]
    arrays = [aligned(size, FLOAT) for size in sizes]
    addresses = [array.ctypes.data for array in arrays]
    arrays.clear()
    found = [aligned(size - 5_000, FLOAT) for size in sizes]
    assert [array.ctypes.data for array in found] == addresses


def test_all_unused_memory_can_be_let_go(blocks: Blocks) -> None:
    kept, gone = aligned(10**5, FLOAT), aligned(2 * 10**5, FLOAT)
    del gone
    blocks.forget()
    assert blocks.held == 0
    assert blocks.lent == blocks.most >= kept.nbytes
    assert len(blocks.chunks) == 1


def test_an_interruption_leaves_memory_in_order(
    blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = aligned(10**5, FLOAT)
    del first
    kept = aligned(5 * 10**4, FLOAT)
    kept[:] = 7

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Blocks, "_add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            aligned(4 * 10**4, FLOAT)
    others = [aligned(5 * 10**4, FLOAT) for _ in range(4)]
    for other in others:
        other[:] = 1
    assert (kept == 7).all()
    del kept
    assert blocks.lent >= sum(other.nbytes for other in others)
    del other, others
    assert blocks.lent == 0


def test_a_finaliser_may_ask_for_memory_and_return_it(
    blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, found = [aligned(10**5, FLOAT)], []

    def collect(self: Blocks, size: int) -> None:
        """As if garbage were collected within the method."""
        given.clear()
        found.append(aligned(10**5, FLOAT))

    with monkeypatch.context() as patch:
        patch.setattr(Blocks, "_found", collect)
        array = aligned(2 * 10**5, FLOAT)
    array[:], found[0][:] = 1, 2
    assert (array == 1).all()
    assert (found[0] == 2).all()
    again = aligned(10**5, FLOAT)
    assert blocks.held == 0  # what came back within it serves again
    assert blocks.lent == sum(-(-a.nbytes // 4096) * 4096 for a in (array, again))


def test_arrays_never_share_memory() -> None:
    def work() -> None:
        for k in range(50):
            arrays = [aligned(50_000 + 5_000 * i, FLOAT) for i in range(4)]
            for i, array in enumerate(arrays):
                array[...] = 10 * k + i
            wrong.extend(i for i, array in enumerate(arrays) if (array != 10 * k + i).any())

    wrong: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_scratch_is_a_threads_own() -> None:
    mine = scratch(1000, FLOAT)
    theirs: list[int] = []
    thread = threading.Thread(target=lambda: theirs.append(scratch(1000, FLOAT).ctypes.data))
    thread.start()
    thread.join()
    assert scratch(500, FLOAT).ctypes.data == mine.ctypes.data != theirs[0]
    assert scratch(3 * 2**20, FLOAT).size == 3 * 2**20


def test_memory_that_is_not_there_leaves_no_trace(
    blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: ignored.append(told.exc_value))
    array = aligned(10**5, FLOAT)
    before = (blocks.lent, blocks.most)
    with pytest.raises(MemoryError):
        aligned(2**55, FLOAT)
    assert (blocks.lent, blocks.most) == before
    assert before[0] >= array.nbytes
    assert not ignored  # nothing was half made


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_parents_threads(blocks: Blocks) -> None:
    inside, done = threading.Event(), threading.Event()
    before = aligned(10**5, FLOAT)
    before[...] = 5

    def hold() -> None:
        with blocks.lock:
            inside.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # ends a child that waits
        again = aligned(10**5, FLOAT)
        again[...] = 1
        os._exit(0 if (before == 5).all() else 1)
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_kept_is_given_back_on_all_threads(blocks: _scratch._Blocks) -> None:
    """A block lent now stays; unused ones go, and the scratch of every thread."""
    begin, end, there = threading.Event(), threading.Event(), []

    def work() -> None:
        scratch(10**5, FLOAT)
        there.append(weakref.ref(_scratch._MINE.block))
        begin.set()
        end.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert begin.wait(10)
    scratch(10**5, FLOAT)
    there.append(weakref.ref(_scratch._MINE.block))
    kept, unused = aligned(10**5, FLOAT), aligned(2 * 10**5, FLOAT)
    kept[...] = 1
    del unused
    assert blocks.held > 0
    _scratch.let_go()
    assert [ref() for ref in there] == [None, None]
    assert blocks.held == 0
    assert blocks.most == blocks.lent > 0
    aligned(2 * 10**5, FLOAT)[...] = 2
    assert (kept == 1).all()
    end.set()
    thread.join()
