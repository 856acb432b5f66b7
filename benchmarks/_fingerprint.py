"""Compare results across processes without sending them: a sample of entries, and a norm.

Every worker draws the same positions from the shape alone. Errors worth the name touch more than
a few entries, and the norm covers the rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SAMPLE = 2048

Fingerprint = dict[str, Any]


def fingerprint(array: np.ndarray) -> Fingerprint:
    flat = np.ravel(array)  # logical order, whatever the memory's
    positions = np.random.default_rng(flat.size).integers(0, max(flat.size, 1), SAMPLE)
    sample = flat[positions] if flat.size > SAMPLE else flat
    return {
        "shape": list(np.shape(array)),
        "rms": math.sqrt(float(np.dot(flat, flat)) / max(flat.size, 1)),
        "sample": sample.tolist(),
    }


def difference(reference: Fingerprint, other: Fingerprint) -> float:
    """Largest difference over the reference's root mean square; infinite if shapes differ."""
    if reference["shape"] != other["shape"]:
        return math.inf
    scale = max(reference["rms"], 1e-30)
    apart = np.abs(np.subtract(reference["sample"], other["sample"]))
    worst = max(float(apart.max(initial=0.0)), abs(reference["rms"] - other["rms"])) / scale
    return worst if math.isfinite(worst) else math.inf
