"""What cases share: real random numbers from a seed, and the dtypes that they come in."""

from __future__ import annotations

import numpy as np

PRECISIONS = {"float16": "fp16", "bfloat16": "bf16"}
PERIOD = 1_000_003  # a prime: no row, channel or image of an array begins where another does


def host_dtype(dtype: str) -> str:
    """What data is drawn in: half precision comes to be on the device."""
    return "float32" if dtype in PRECISIONS else dtype


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Normal numbers; large arrays repeat a million of them, since a row may hold fifty million."""
    numbers = rng.standard_normal(PERIOD, dtype=np.float32)
    return np.resize(numbers, shape).astype(host_dtype(dtype), copy=False)


def matches(name: str, group: str, wanted: list[str] | None) -> bool:
    return not wanted or any(word == group or word.lower() in name.lower() for word in wanted)
