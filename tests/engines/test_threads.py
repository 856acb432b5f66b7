"""The pool of threads: every number once, errors, nesting, several users, forks, and the count."""

from __future__ import annotations

import os
import threading
from collections import Counter

import numpy as np
import pytest

import xpconv
from tests.refusals import refused
from xpconv import ops
from xpconv.engines._threads import each, thread_count


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_each_number_comes_once(threads: int, count: int) -> None:
    seen: list[int] = []
    each(seen.append, count, threads)
    assert Counter(seen) == Counter(range(count))


def test_several_threads_work() -> None:
    meeting = threading.Barrier(3, timeout=30)  # passes only if three calls run side by side
    each(lambda _: meeting.wait(), 3, 3)


def test_an_error_reaches_the_caller() -> None:
    def work(number: int) -> None:
        if number == 7:
            raise RuntimeError("the seventh")

    with refused("the seventh", error=RuntimeError):
        each(work, 20, 3)
    test_each_number_comes_once(3, 20)


def test_work_within_work_stays_on_its_thread() -> None:
    places: list[tuple[int, int]] = []

    def outer(number: int) -> None:
        here = threading.get_ident()
        each(lambda _: places.append((here, threading.get_ident())), 5, 3)

    each(outer, 6, 3)
    assert len(places) == 30
    assert all(outer == inner for outer, inner in places)


def test_the_callers_error_state_holds() -> None:
    def work(_: int) -> None:
        np.float32(1) / np.zeros(1, np.float32)

    with np.errstate(divide="ignore"):
        each(work, 8, 3)


def test_the_environment_sets_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XPCONV_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert 1 <= thread_count() <= (os.cpu_count() or 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    monkeypatch.setenv("XPCONV_NUM_THREADS", "5")
    assert thread_count() == 5
    monkeypatch.setenv("XPCONV_NUM_THREADS", "many")
    with refused("XPCONV_NUM_THREADS must be a positive number, got 'many'"):
        thread_count()


X = np.random.default_rng(0).normal(size=(13, 32, 28, 28)).astype(np.float32)
WEIGHT = np.random.default_rng(1).normal(size=(70, 32, 3, 3)).astype(np.float32)


def solved() -> list[np.ndarray]:
    y, back = ops.vjp(ops.conv2d, X, WEIGHT, padding=1)
    dx, dweight = back(y)
    return [y, dx, dweight]


def test_results_do_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for count in (1, 2, 3, 8):
        monkeypatch.setenv("XPCONV_NUM_THREADS", str(count))
        results.append(solved())
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


def test_users_threads_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    expected, results = solved(), []
    users = [threading.Thread(target=lambda: results.append(solved())) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert len(results) == 4
    for result in results:
        for one, other in zip(expected, result, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_a_forked_child_computes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPCONV_NUM_THREADS", "3")
    expected = solved()
    child = os.fork()
    if child == 0:
        with xpconv.engine("auto"):
            same = all((a == b).all() for a, b in zip(expected, solved(), strict=True))
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
