"""What happens when memory runs out: an error that says what asked for it, and what would fit."""

from __future__ import annotations

import re
from typing import Any

from ._place import Place


class OutOfMemory(MemoryError):
    """There is no memory for what an operation makes.

    Parameters
    ----------
    text : str
        What was asked for, and what would fit.

    Notes
    -----
    On its way out of a network each layer adds its name (`passing`).
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text
        self._place = Place()

    def passing(self, layer: Any, children: dict[str, Any]) -> None:
        """Note that the error comes out of a layer with these layers inside."""
        self._place.passing(layer, children)

    def __str__(self) -> str:
        """Return the text behind the layer's name."""
        place = str(self._place)
        return f"{place}: {self._text}" if place else self._text


def which_batch_fits(error: MemoryError, batch: int, free: int | None) -> str:
    """Return a library's own text, with what is free and the batch that would fit beside it.

    What was asked for grows with the batch; CuPy's text says how much it was.
    """
    text = str(error) or "out of memory"
    asked = re.search(r"allocating ([\d,]+) bytes", text)
    if asked is None or free is None:
        return text
    fits = batch * free // max(int(asked[1].replace(",", "")), 1)
    if fits >= 1:
        advice = f"a batch of {min(fits, max(batch - 1, 1))} would fit here"
    else:
        advice = "free some, or use smaller batches"
    return f"{text.rstrip('.')}; {in_words(free)} are free; {advice}"


def in_words(count: int) -> str:
    """Write a number of bytes as a person reads it."""
    size, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
