"""Where in a network an error came up: names of layers, gathered as it passes through them."""

from __future__ import annotations

from typing import Any


class Place:
    """The layer that an error comes out of, under its name in the outermost one that it left."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._kind = ""
        self._last: int | None = None

    def passing(self, layer: Any, children: dict[str, Any]) -> None:
        """Note that the error comes out of a layer with these layers inside."""
        if self._last is None:
            self._kind = type(layer).__name__
        else:
            inside = [name for name, child in children.items() if id(child) == self._last]
            self._names[:0] = inside[:1]
        self._last = id(layer)

    def __str__(self) -> str:
        """Return the layer's name and kind, or nothing where no layer was left."""
        return f"layer {'.'.join(self._names)!r} ({self._kind})" if self._names else self._kind


class _Note(str):
    """What a traceback shows below an error, with the place that it was written from."""

    place: Place


def note_passing(error: Exception, layer: Any, children: dict[str, Any]) -> None:
    """Write below an error that it comes out of a layer with these layers inside."""
    notes: list[str] = getattr(error, "__notes__", [])
    place = next((note.place for note in notes if isinstance(note, _Note)), None) or Place()
    place.passing(layer, children)
    note = _Note(f"in {place}")
    note.place = place
    error.__notes__ = [*(other for other in notes if not isinstance(other, _Note)), note]


def where(error: BaseException) -> str:
    """Return the layer that an error came out of, as in ``layer '0' (Conv2d)``, or nothing."""
    notes = getattr(error, "__notes__", [])
    return "".join(str(note.place) for note in notes if isinstance(note, _Note))
