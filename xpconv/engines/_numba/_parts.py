"""Rows of an array in parts, for threads that take their turns at them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .._rows import edges_of
from .._threads import thread_count
from ._team import share

_ALONE = 2**15  # numbers that are gone over in the time that it takes to call a helper and wait


def in_parts(body: Callable[..., Any], count: int, width: int, *arguments: object) -> int:
    """Run a body of `share` for parts of ``count`` rows; return how many there are.

    Behind its turn it takes where parts begin and end, and then ``arguments``. The parts depend
    on the sizes alone, so that sums of their sums do not depend on the threads.
    """
    edges = _edges(count, width)
    parts = edges.size - 1
    threads = 1 if parts == 1 or count * width <= _ALONE else thread_count()
    share(body, parts, threads, edges, *arguments)
    return parts


@lru_cache(maxsize=1024)
def _edges(count: int, width: int) -> np.ndarray:
    return np.array(edges_of(count, width))
