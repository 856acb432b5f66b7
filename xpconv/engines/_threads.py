"""One pool of threads for all CPU work of the library, shared by whoever needs it.

NumPy and Numba let go of the interpreter's lock, so pieces of work run side by side. Pieces are
taken in turn by whichever thread is free; what they compute does not depend on that.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from functools import cache, partial
from queue import SimpleQueue

from .._shapes import integer

_VARIABLES = ("XPCONV_NUM_THREADS", "OMP_NUM_THREADS")
_INSIDE: contextvars.ContextVar[bool] = contextvars.ContextVar("xpconv_inside_pool", default=False)


def thread_count() -> int:
    """Return how many threads may work: the environment's wish, or one for each usable core.

    Raises
    ------
    ValueError
        If ``XPCONV_NUM_THREADS`` is not a positive number.
    """
    for name in _VARIABLES:
        text = os.environ.get(name, "").strip()
        if text.isdecimal() and int(text) > 0:
            return int(text)
        if text and name == _VARIABLES[0]:
            raise ValueError(
                f"the environment variable {name} must be a positive number, got {text!r}"
            )
    return _cores()


@cache
def _cores() -> int:
    """Return how many cores the process may use: asking the system takes 10 us."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Task:
    """Work that a helper begins, unless the one who wants it is done before."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._begun, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def __call__(self) -> None:
        if self._begun.acquire(blocking=False):
            try:
                self._run()
            except BaseException as error:  # it belongs to whoever waits
                self._error = error
            finally:
                self._done.release()

    def finish(self) -> None:
        """Wait for its end and raise what it has raised; what has not begun never will."""
        if self._begun.acquire(blocking=False):
            return
        self._done.acquire()
        if self._error is not None:
            raise self._error


class Helper:
    """A thread that does what it is told, one thing after the other."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._told: SimpleQueue[Callable[[], object]] = SimpleQueue()
        name = f"xpconv-{number}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._told.get()()

    def tell(self, task: Callable[[], object]) -> None:
        """Have something done once everything that was told before is done."""
        self._told.put(task)


class _Pool:
    """Helpers that are started when they are first wanted, and forgotten by a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._helpers: list[Helper] = []

    def helpers(self, count: int) -> list[Helper]:
        if len(self._helpers) < count:
            with self._lock:
                for number in range(len(self._helpers), count):
                    self._helpers.append(Helper(number))
        return self._helpers[:count]


_POOL = _Pool()
_WANTED: list[Callable[[Helper], object]] = []


def helpers(count: int) -> list[Helper]:
    """Return the first so many of the pool's helpers."""
    return _POOL.helpers(count)


def inside() -> bool:
    """Say whether this is the work of a helper already, or of one whom helpers help."""
    return _INSIDE.get()


def when_wanted(call: Callable[[Helper], object]) -> None:
    """Have something called before a helper is told something: it may be waiting elsewhere."""
    _WANTED.append(call)


def _forget() -> None:
    """Start anew in a forked child, where the parent's helpers do not exist."""
    global _POOL
    _POOL = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def each(work: Callable[[int], object], count: int, threads: int | None = None) -> None:
    """Call ``work(0)`` to ``work(count - 1)``, on several threads unless this one is of the pool.

    Parameters
    ----------
    work : callable
        Takes a number; the calls must not depend on each other.
    count : int
        How many calls.
    threads : int, optional
        At most so many at a time; default `thread_count`.
    """
    threads = min(integer(count, "count"), thread_count() if threads is None else threads)
    if threads <= 1 or _INSIDE.get():
        for number in range(count):
            work(number)
        return
    numbers = iter(range(count))
    take = partial(_take_turns, work, numbers, threading.Lock())
    # Each helper sees the caller's context (NumPy's error state is part of it), marked as inside.
    tasks = [_Task(partial(_marked().run, take)) for _ in range(threads - 1)]
    for helper, task in zip(_POOL.helpers(threads - 1), tasks, strict=True):
        for call in _WANTED:
            call(helper)
        helper.tell(task)
    try:
        _marked().run(take)
    finally:
        for task in tasks:
            task.finish()


def _marked() -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(_INSIDE.set, True)
    return context


def _take_turns(work: Callable[[int], object], numbers: object, lock: threading.Lock) -> None:
    while True:
        with lock:
            number = next(numbers, None)  # type: ignore[call-overload]
        if number is None:
            return
        work(number)
