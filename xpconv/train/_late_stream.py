"""Random keys of steps that are captured."""

from __future__ import annotations

from typing import Any

from .._late import Late, Unrepeatable
from ..random import Stream


class LateStream(Stream):
    """Hands out keys that a recorded step has to ask for anew each time it is repeated.

    Parameters
    ----------
    stream : Stream
        Whose keys they are.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.restart()

    def restart(self) -> None:
        """Forget the keys: a step is about to ask for its own."""
        self._drawn: list[tuple[int, int]] = []

    def draw(self) -> None:
        """Draw as many keys as the step has asked for, for its next repetition."""
        self._drawn[:] = [self._stream.next_key() for _ in self._drawn]

    def next_key(self) -> tuple[Any, Any]:
        """Return a new key of two late numbers."""
        drawn, place = self._drawn, len(self._drawn)
        drawn.append(self._stream.next_key())
        return Late(lambda: drawn[place][0]), Late(lambda: drawn[place][1])

    @property
    def generator(self) -> Any:  # type: ignore[override]
        """Refused: what is drawn on the host would be the same in every repetition."""
        raise Unrepeatable("it draws random numbers on the host")
