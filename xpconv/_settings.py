"""The environment variables of xpconv, and whether they can be understood."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from . import engines
from ._environment import switch
from ._workspace import environment_budget
from .backend import get_backend

# what reads each of them; it raises where there is nothing to be understood
VARIABLES: dict[str, Callable[[], Any]] = {
    "XPCONV_BACKEND": get_backend,
    "XPCONV_CUDA_BLAS": partial(switch, "XPCONV_CUDA_BLAS"),
    "XPCONV_CUDA_KERNELS": partial(switch, "XPCONV_CUDA_KERNELS"),
    "XPCONV_CUDNN": partial(switch, "XPCONV_CUDNN"),
    "XPCONV_CUDNN_DETERMINISTIC": partial(switch, "XPCONV_CUDNN_DETERMINISTIC"),
    "XPCONV_ENGINE": engines.allowed,
    "XPCONV_NUMBA": partial(switch, "XPCONV_NUMBA"),
    "XPCONV_NUM_THREADS": engines.thread_count,
    "XPCONV_WORKSPACE": environment_budget,
}
_OF_THE_TESTS = ("XPCONV_ONLY_BACKENDS", "XPCONV_REQUIRE_BACKENDS", "XPCONV_REQUIRE_COMPILERS")


def check_settings() -> None:
    """Read the variables before any work is done; a backend is read by who needs one.

    Raises
    ------
    ValueError
        For the first that cannot be understood; the message names it.
    """
    for name, read in VARIABLES.items():
        if name != "XPCONV_BACKEND":
            read()


def wrong_settings() -> dict[str, str]:
    """Say of each variable of xpconv that cannot be understood, or that there is not, why."""
    found = {}
    for name in sorted(os.environ):
        if not name.startswith("XPCONV_") or name in _OF_THE_TESTS:
            continue
        if name not in VARIABLES:
            found[name] = f"is not known; known are {', '.join(VARIABLES)}"
            continue
        try:
            VARIABLES[name]()
        except Exception as error:
            found[name] = str(error)
    return found
