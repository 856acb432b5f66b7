"""NumPy's BLAS held at one thread, while the library's own threads work.

After a product OpenBLAS's threads spin for milliseconds, waiting for the next one, and take the
cores from ours: a training step of LeNet-5 took twice as long for its three linear layers' sake.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

_OPENMP = 2  # as openblas_get_parallel says
_WITHOUT_COPIES = (b"SkylakeX", b"Cooperlake", b"SapphireRapids")  # kernels with AVX-512
_MINE = threading.local()


class _Switch(NamedTuple):
    """How many threads an OpenBLAS uses."""

    get: Callable[[], int]
    set: Callable[[int], None]
    of_each_thread: bool  # built on OpenMP, where a thread's setting is its own


def _functions(*names: str) -> list[Any] | None:
    """Return functions of the OpenBLAS that NumPy is linked with; None where one is not there."""
    try:
        # Symbols are looked for in what a module is linked with, too.
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for before, after in itertools.product(("scipy_", ""), ("64_", "")):
        found = [getattr(library, f"{before}openblas_{name}{after}", None) for name in names]
        if None not in found:
            return found
    return None


@cache
def _switch() -> _Switch | None:
    """Return that of the OpenBLAS that NumPy is linked with; None where it has another BLAS."""
    functions = _functions("get_num_threads", "set_num_threads")
    if functions is None:
        return None
    parallel = _functions("get_parallel")
    own = parallel is not None and parallel[0]() == _OPENMP
    return _Switch(functions[0], functions[1], own)


@cache
def reads_small_matrices() -> bool:
    """Whether BLAS multiplies small matrices where they are, without copies in its own order."""
    functions = _functions("get_corename")
    if functions is None:
        return False
    functions[0].restype = ctypes.c_char_p
    return functions[0]() in _WITHOUT_COPIES


class _Holders:
    """Who holds BLAS at one thread at present, and how many threads it had before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.before = 1

    def enter(self, switch: _Switch) -> None:
        with self.lock:
            if self.count == 0:
                self.before = switch.get()
                if self.before != 1:
                    switch.set(1)
            self.count += 1

    def leave(self, switch: _Switch) -> None:
        with self.lock:
            self.count -= 1
            if self.count == 0 and self.before != 1:
                switch.set(self.before)


_HOLDERS = _Holders()


def _forget() -> None:
    """Start anew in a forked child, where whoever held BLAS does not exist."""
    global _HOLDERS
    before, _HOLDERS = _HOLDERS, _Holders()
    switch = _switch() if before.count else None
    if switch is not None:
        switch.set(before.before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class one_thread:
    """Hold NumPy's BLAS at one thread within a ``with`` block, where it is an OpenBLAS.

    It is one setting for the whole process, if it is not built on OpenMP; the last of several
    holders sets it back. The block gets to know whether it is held. A generator would take twice as
    long, which counts around small products.
    """

    __slots__ = ("_holders", "_switch")

    def __enter__(self) -> bool:
        self._switch, self._holders = _switch(), _HOLDERS
        if self._switch is None:
            return False
        if self._switch.of_each_thread:
            self._holders = _Holders()
        self._holders.enter(self._switch)
        return True

    def __exit__(self, *_: object) -> None:
        if self._switch is not None:
            self._holders.leave(self._switch)


def hold_here() -> None:
    """Hold BLAS for good in a thread of the library's own, where that is a setting of its own."""
    switch = _switch()
    if switch is not None and switch.of_each_thread and not getattr(_MINE, "held", False):
        _MINE.held = True
        switch.set(1)
