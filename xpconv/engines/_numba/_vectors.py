"""The processor's vectors: how many bytes one holds, and how many rows of sums fit."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm


@cache
def _features() -> frozenset[str]:
    found = llvm.get_host_cpu_features()
    return frozenset(name for name, there in found.items() if there)


@cache
def vector_bytes() -> int:
    """Bytes of a vector register."""
    features = _features()
    if "avx512f" in features:
        return 64
    return 32 if "avx" in features else 16


@cache
def tile_rows() -> int:
    """Rows of the largest tile: two registers each for its sums, three more for its factors.

    Where there are 32 registers (AVX-512, ARM) twelve rows keep both multipliers busy and leave
    some registers for addresses; sixteen registers hold six rows.
    """
    return 12 if registers() == 32 else 6


@cache
def registers() -> int:
    """Vector registers that there are."""
    wide = vector_bytes() == 64 or "neon" in _features() or "asimd" in _features()
    return 32 if wide else 16


def abreast(rows: int) -> int:
    """Vectors a row of a tile that has few rows: as many as fit, with a factor for each.

    More than six do no good: short rows of the output would leave most of them empty.
    """
    return min(6, (registers() - 2) // (rows + 1))
