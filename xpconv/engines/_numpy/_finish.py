"""What follows a convolution while a piece of its output is still in a core's caches."""

from __future__ import annotations

import numpy as np

from .._activation import clipped

_RUN = 256  # numbers in a row below which NumPy adds slowly


def finish(part: np.ndarray, bias: np.ndarray | None, activation: str | None) -> None:
    """Add one number per channel to an output (..., OW, O) in place, and clip it."""
    if bias is not None:
        if len(bias) < _RUN and part.flags.c_contiguous:
            bias = np.tile(bias, part.shape[-2])  # one run for all places of a row
            np.add(part.reshape(-1, len(bias)), bias, out=part.reshape(-1, len(bias)))
        else:
            np.add(part, bias, out=part)
    clipped(part, activation)
