"""How many threads small products get."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

SMALL = 10_000_000
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


@contextlib.contextmanager
def threads_for(flops: int) -> Iterator[None]:
    """Compute on one thread within a ``with`` block, where the work is small.

    Parameters
    ----------
    flops : int
        Floating-point operations for one image.

    Notes
    -----
    Threads that share a small product wait for each other longer than they compute. Where another
    program has one of two cores, two OpenBLAS threads were ten times slower than one at training
    on 8x8 images. Who sets the number of threads in the environment keeps it.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    if flops > SMALL or any(name in os.environ for name in VARIABLES):
        yield
        return
    with threadpool_limits(limits=1):
        yield
