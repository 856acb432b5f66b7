"""Compiled work on several threads at once, without the interpreter's lock.

To wake a thread takes 50 us, as long as many a layer takes. So a helper that has done its part
waits in compiled code for a while, where it sees within a microsecond that there is more to do.

Every helper has a word: it sleeps, it watches, or it holds a job's address. Whoever has a job puts
its address where ``WATCHES`` is, works, and in the end takes back what nobody has looked at. So a
helper that the system does not let run keeps nobody waiting.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._threads import Helper, helpers, inside, when_wanted
from ._jit import jit
from ._words import ROOM, TASK, add, call, change, load, pause, sleep

_SLEEPS, _WATCHES, _OFFERED, _AT_WORK = 0, 1, 2, 3  # the last two are added to a job's address
_LINE = 128  # bytes: a line of a cache, and the next one that processors fetch along with it
_MOST = 256  # helpers
_PATIENCE = 200e-6  # seconds that a helper watches, and that a helper is waited for without sleep

# A job, in numbers of 8 bytes: the next number to take and how many there are; on a line of its
# own how many helpers have it, how many ever had it, and what failed; then what is to be called.
_HELPERS, _EVER, _FAILED = _LINE, _LINE + 8, _LINE + 16


class Turn(NamedTuple):
    """The first argument of bodies that are shared: which number it is, and who is to help."""

    number: int
    """The number to do, below ``size``."""
    worker: int
    """Who does it, for memory of its own: 0 for whoever shares the work, others count on."""
    size: int
    """How many numbers there are."""
    helpers: int
    """How many may help; -1 where a single number is to be done."""
    job: int
    """Address of the job."""
    words: int
    """Address of the helpers' words."""
    patience: int
    """How many looks at a word take as long as one waits without sleep."""


_ONE = Turn(0, 0, 1, -1, 0, 0, 0)
"""The turn of a single number, for which nobody is asked to help."""


@jit
def _watch(word: int, patience: int) -> None:
    """Do what is offered to the helper of a word, until nothing has been for a while."""
    left = patience
    while True:
        state = load(word)
        if state == _SLEEPS:
            return
        if state == _WATCHES:
            left -= 1
            if left < 0 and change(word, _WATCHES, _SLEEPS):
                return
            pause()
        elif change(word, state, state - _OFFERED + _AT_WORK):
            job = state - _OFFERED
            _take_turns(job, add(job + _EVER, 1) + 1)
            add(job + _HELPERS, -1)
            change(word, job + _AT_WORK, _WATCHES)
            left = patience


@jit
def _take_turns(job: int, worker: int) -> None:
    count = load(job + 8)
    while True:
        number = add(job, 1)
        if number >= count:
            return
        if not call(job + TASK, number, worker):
            add(job + _FAILED, 1)


@jit
def run(turn: Any) -> Any:
    """Have all numbers done of what was handed over; say whether all calls ended well."""
    job = turn.job
    for at in (job, job + 8, job + _HELPERS, job + _EVER, job + _FAILED):
        add(at, -load(at))
    add(job + 8, turn.size)
    offered, taken_back = job + _OFFERED, 0
    for k in range(turn.helpers):
        add(job + _HELPERS, 1)  # it may begin at once
        if not change(turn.words + k * _LINE, _WATCHES, offered):
            add(job + _HELPERS, -1)
    _take_turns(job, 0)
    for k in range(turn.helpers):
        if change(turn.words + k * _LINE, offered, _WATCHES):
            taken_back += 1
    add(job + _HELPERS, -taken_back)
    left = turn.patience
    while load(job + _HELPERS) > 0:
        left -= 1
        if left > 0:
            pause()
        else:  # the system lets somebody else run, who may need this core
            sleep()
    return load(job + _FAILED) == 0


@jit
def span(turn: Any, count: int) -> Any:
    """Return the first of ``count`` things that belong to a turn, and the end."""
    return turn.number * count // turn.size, (turn.number + 1) * count // turn.size


@jit
def _wake(word: int) -> Any:
    return change(word, _SLEEPS, _WATCHES)


@jit
def _call_away(word: int) -> Any:
    return change(word, _WATCHES, _SLEEPS)


class _Words:
    """The words of all helpers, and each thread's job; a forked child has others."""

    def __init__(self) -> None:
        self._memory = np.zeros((_MOST + 1) * _LINE, dtype=np.uint8)
        self.first = self._memory.ctypes.data + -self._memory.ctypes.data % _LINE
        self._states = self._memory[self.first - self._memory.ctypes.data :].view(np.int64)
        self._mine = threading.local()
        self.patience = _turns(_PATIENCE, self.first)

    def of(self, helper: Helper) -> int:
        return self.first + helper.number * _LINE

    def wake(self, helper: Helper) -> None:
        """Have a helper watch, if it sleeps."""
        word = self.of(helper)
        if self._states[helper.number * _LINE // 8] == _SLEEPS and _wake(word):
            helper.tell(partial(self._serve, word))

    def _serve(self, word: int) -> None:
        """Watch; what is watched stays as long as the call does, even while Python ends."""
        _watch(word, self.patience)

    def job(self) -> tuple[int, object]:
        """Return the address of this thread's job, and what has to be kept while it is in use.

        While Python ends it takes away what threads have for themselves, and they work on.
        """
        try:
            return self._mine.job  # type: ignore[no-any-return]
        except AttributeError:
            memory = np.zeros(ROOM + TASK + _LINE, dtype=np.uint8)
            address = memory.ctypes.data
            self._mine.job = address + -address % _LINE, memory
            return self._mine.job  # type: ignore[no-any-return]


def _turns(seconds: float, word: int) -> int:
    """Return how many turns of `_watch` take so long."""
    tried, fastest = 1000, 1.0
    for _ in range(4):  # the first one may be compiled
        _wake(word)
        begun = time.perf_counter()
        _watch(word, tried)
        fastest = min(fastest, time.perf_counter() - begun)
    return max(1, int(seconds / fastest * tried))


_WORDS: _Words | None = None
_LOCK = threading.Lock()


def _words() -> _Words:
    global _WORDS
    with _LOCK:
        if _WORDS is None:
            _WORDS = _Words()
        return _WORDS


def _forget() -> None:
    global _WORDS, _LOCK
    _WORDS, _LOCK = None, threading.Lock()


def _come(helper: Helper) -> None:
    """Let a helper go that is wanted for something else."""
    if _WORDS is not None and helper.number < _MOST:
        _call_away(_WORDS.of(helper))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
when_wanted(_come)


def share(body: Callable[..., Any], count: int, threads: int, *arguments: object) -> None:
    """Let threads take their turns at the numbers below ``count``.

    Parameters
    ----------
    body : callable
        Compiled, it takes a `Turn` and the arguments, and begins with ::

            if turn.helpers >= 0:
                return run(hand_over(turn))

        What follows does one number, and returns True.
    count : int
        How many numbers; results must not depend on who takes which.
    threads : int
        At most so many; one where this is part of some shared work already.
    arguments : object
        For ``body``.

    Raises
    ------
    MemoryError
        If a call has failed, which it does where it gets no memory.
    """
    if count == 1:
        body(_ONE, *arguments)  # what fails raises
        return
    words = _WORDS or _words()
    others = 0 if inside() else max(0, min(threads, count, _MOST) - 1)
    for helper in helpers(others) if others else ():
        words.wake(helper)
    job, _kept = words.job()
    turn = Turn(0, 0, count, others, job, words.first, words.patience)
    if not body(turn, *arguments):
        raise MemoryError("compiled code has found no memory for what it works with")
