"""A pytest plugin: the whole run takes the CUDA bodies, compiled for the host, for NumPy arrays.

``pytest -p tests.cuda.everywhere tests/ops -k numpy`` tries them on everything that operations are
tested with.
"""

from __future__ import annotations

import sys

from tests.cuda import blas, host
from xpconv.engines import _bodies, _cuda, _cupy, _primitives, winograd
from xpconv.engines._cuda import _blas_library


def pytest_configure() -> None:
    """Put them in place; to import this file, as the search for doctests does, changes nothing."""
    sys.modules["cupy"] = host.module()
    _bodies.LOOKUPS["numpy"] = _cuda.body
    _primitives._portable = _cupy
    winograd._compiled = lambda problem: False
    standin, _ = blas.load()
    _blas_library._find = lambda: standin
