"""Helpers that wait in compiled code: every number once, whoever comes, and nobody kept waiting."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba")

from tests.refusals import refused
from xpconv.engines._numba import _team
from xpconv.engines._numba._jit import jit
from xpconv.engines._numba._team import Turn, run, share
from xpconv.engines._numba._words import add, hand_over, load
from xpconv.engines._threads import each


@jit
def _noted(turn, times, workers):
    if turn.helpers >= 0:
        return run(hand_over(turn))
    times[turn.number] += 1
    workers[turn.number] = turn.worker
    return True


@jit
def _met(turn, counter, patience, met):
    """Wait for somebody else, for a while."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    add(counter, 1)
    for _ in range(patience):
        if load(counter) > 1:
            met[turn.number] = True
            break
    return True


@jit
def _failed(turn, done, which):
    if turn.helpers >= 0:
        return run(hand_over(turn))
    if turn.number == which:
        raise ValueError
    done[turn.number] = True
    return True


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_each_number_comes_once(threads: int, count: int) -> None:
    times, workers = np.zeros(count, np.int64), np.full(count, -1)
    for turn in range(1, 6):
        share(_noted, count, threads, times, workers)
        assert (times == turn).all()
        assert ((workers >= 0) & (workers < threads)).all()


def test_two_work_at_once() -> None:
    end = time.monotonic() + 60  # a helper that sleeps comes late, and the system may be busy
    while time.monotonic() < end:
        counter, met = np.zeros(1, np.int64), np.zeros(2, np.bool_)
        share(_met, 2, 2, counter.ctypes.data, 10_000, met)
        if met.all():
            return
    pytest.fail("no helper came while there was work")


def test_who_does_not_come_keeps_nobody_waiting() -> None:
    words = np.zeros(3 * _team._LINE, dtype=np.int8)
    states = words.view(np.int64)[:: _team._LINE // 8]
    states[:] = _team._WATCHES, _team._SLEEPS, _team._WATCHES  # nobody stands behind them
    job = np.zeros(8192, dtype=np.int8)
    times, workers = np.zeros(10, np.int64), np.full(10, -1)
    assert _noted(Turn(0, 0, 10, 3, job.ctypes.data, words.ctypes.data, 1000), times, workers)
    assert (times == 1).all()
    assert (workers == 0).all()
    assert states.tolist() == [_team._WATCHES, _team._SLEEPS, _team._WATCHES]


def test_a_failure_reaches_the_caller_when_all_is_done() -> None:
    for threads in (1, 3):
        done = np.zeros(20, np.bool_)
        with refused("compiled code has found no memory", error=MemoryError):
            share(_failed, 20, threads, done, 7)
        assert done.sum() == 19
        share(_failed, 20, threads, done, -1)
        assert done.all()


def test_a_helper_that_watches_is_free_for_other_work() -> None:
    meeting = threading.Barrier(3, timeout=30)  # passes only if three calls run side by side
    for _ in range(20):
        share(_noted, 8, 3, np.zeros(8, np.int64), np.zeros(8, np.int64))
        each(lambda _: meeting.wait(), 3, 3)


def test_more_helpers_than_there_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks in Python may have any number of them; for compiled work some have no word."""
    monkeypatch.setattr(_team, "_MOST", 3)
    times, workers = np.zeros(700, np.int64), np.zeros(700, np.int64)
    share(_noted, 700, 600, times, workers)
    assert (times == 1).all()
    assert (workers < 3).all()
    called: list[int] = []
    monkeypatch.setattr(_team, "_call_away", called.append)
    for number in (2, 3):
        _team._come(SimpleNamespace(number=number))
    assert called == [_team._words().first + 2 * _team._LINE]


def test_work_within_work_stays_on_its_thread() -> None:
    found: list[np.ndarray] = []

    def work(_: int) -> None:
        workers = np.full(50, -1)
        share(_noted, 50, 3, np.zeros(50, np.int64), workers)
        found.append(workers)

    each(work, 6, 3)
    assert len(found) == 6
    assert all((workers == 0).all() for workers in found)


def test_a_thread_that_works_while_python_ends_keeps_its_job() -> None:
    """Then it takes away what threads have for themselves; what stands in a call's frame stays."""

    def body(turn: Turn) -> bool:
        kept = [v for v in sys._getframe(1).f_locals.values() if isinstance(v, np.ndarray)]
        begins = [array.ctypes.data for array in kept]
        assert any(a <= turn.job < a + array.nbytes for a, array in zip(begins, kept))
        return True

    share(body, 3, 2)


def test_users_threads_do_not_disturb_each_other() -> None:
    wrong: list[Counter[int]] = []

    def use() -> None:
        for count in range(1, 200):
            times = np.zeros(count, np.int64)
            share(_noted, count, 4, times, np.zeros(count, np.int64))
            if not (times == 1).all():
                wrong.append(Counter(times.tolist()))

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own() -> None:
    test_each_number_comes_once(3, 300)
    child = os.fork()
    if child == 0:
        try:
            test_each_number_comes_once(3, 300)
            test_two_work_at_once()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
