"""Kinds of loops channel by channel: Numba compiles bodies for the classes that it meets."""

from __future__ import annotations

import itertools
from typing import NamedTuple


class Lanes(NamedTuple):
    """What the regions of one convolution have in common."""

    size: tuple[int, int, int, int]
    """D, H, W and C of x."""
    y_size: tuple[int, int, int, int]
    """D, H, W and O of y."""
    groups: int
    """Groups of the convolution."""
    inner: int
    """Channels of a group in x."""
    repeats: int
    """How often a channel of x is repeated in the buffer; 0 where it stays as it is."""
    places: int
    """Of dy that a weight gradient takes at a time, at most."""
    rows: int
    """Of taps that it adds up together."""
    taps: int
    """Of a row that are read together."""
    far: bool
    """Whether x and y are larger than the caches, so that rows are announced before their turn."""


def _kinds() -> dict[tuple[int, int, int], type[Lanes]]:
    """One class for each kind of loop."""
    kinds = {}
    for g, (across, step) in itertools.product(
        (1, 2, 4, 8), ((1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1))
    ):
        members = {"__module__": __name__, "g": g, "across": across, "step": step}
        kinds[g, across, step] = type(f"Lanes{g}{across}{step}", (Lanes,), members)
    return kinds


KINDS = _kinds()
"""Classes by the channels of a group, the taps side by side and the step of places over them."""
globals().update({kind.__name__: kind for kind in KINDS.values()})  # where a cache finds them
