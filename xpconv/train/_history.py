"""What happened, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class History:
    """One row of numbers for every finished epoch.

    Parameters
    ----------
    rows : iterable of dict, optional
        Rows to begin with.

    Attributes
    ----------
    rows : list of dict
        Each with ``epoch`` (counted from 1), ``loss`` and the metrics over the training samples as
        they were learnt from, the same with ``val_`` before them over the validation samples after
        the epoch, ``lr`` (the learning rate at the end of the epoch) and ``seconds``. Plain
        numbers, fit for JSON.

    Examples
    --------
    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"]
    [0.5, 0.25]
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        self.rows = [dict(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> list[Any]:
        """Return one column, a number for each epoch."""
        try:
            return [row[name] for row in self.rows]
        except KeyError:
            names = list(self.rows[0])
            raise KeyError(f"there is no column {name!r}; there are {names}") from None

    def __repr__(self) -> str:
        last = f", last: {self.rows[-1]}" if self.rows else ""
        return f"History({len(self.rows)} epochs{last})"
