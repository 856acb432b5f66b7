"""One pool of threads for all CPU work of the library, shared by whoever needs it.

NumPy and Numba let go of the interpreter's lock, so pieces of work run side by side. Pieces are
taken in turn by whichever thread is free; what they compute does not depend on that.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool:
    """Threads that are started at the first use, and forgotten by a forked child."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.size = 0

    def executor_for(self, helpers: int) -> ThreadPoolExecutor:
        """Return threads enough; who still uses a smaller pool keeps it to the end."""
        with self.lock:
            if self.executor is None or self.size < helpers:
                self.executor = ThreadPoolExecutor(helpers, "xpconv")
                self.size = helpers
            return self.executor


_POOL = _Pool()


def _forget() -> None:
    """Start anew in a forked child, where the parent's threads do not exist."""
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
    pool = _POOL.executor_for(threads - 1)
    # Each helper sees the caller's context (NumPy's error state is part of it), marked as inside.
    helpers = [
        pool.submit(_marked(contextvars.copy_context()).run, take) for _ in range(threads - 1)
    ]
    try:
        _marked(contextvars.copy_context()).run(take)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()


def _marked(context: contextvars.Context) -> contextvars.Context:
    context.run(_INSIDE.set, True)
    return context


def _take_turns(work: Callable[[int], object], numbers: object, lock: threading.Lock) -> None:
    while True:
        with lock:
            number = next(numbers, None)  # type: ignore[call-overload]
        if number is None:
            return
        work(number)
