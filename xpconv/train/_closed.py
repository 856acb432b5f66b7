"""The arrays that captured steps read and write, and what everybody else gets to see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from array_api_compat import array_namespace

from .._arrays import put
from .._late import Unrepeatable
from .._typing import Array
from ..optim._counts import LateCounts
from ._cells import Cell, cells, form

if TYPE_CHECKING:
    from ._trainer import Trainer


class ClosedState:
    """A trainer's state in arrays that stay where they are.

    While the state is *closed*, the places of the model, the optimiser, the loss scale and the
    means hold arrays of our own, which captured steps read and write. Before anybody may look, it
    is *opened*: the places get copies. Our arrays are read from the places when it is closed again.
    So no array that a user has ever changes.

    Attributes
    ----------
    closed : bool
        Whether the places hold our arrays.
    counts : LateCounts
        The steps that parameters have taken, while the state is closed and the host knows them.
    """

    def __init__(self) -> None:
        self.closed = False
        self.counts = LateCounts()
        self._sums: dict[str, Array] | None = None
        self._arrays: dict[str, Array] = {}

    def settle(self, trainer: Trainer) -> None:
        """Take note of an ordinary step: it has made all that a step makes."""
        self._sums = dict(trainer.means._sums)

    def close(self, trainer: Trainer) -> bool:
        """Let our arrays have the state's values and its places.

        Returns
        -------
        bool
            False where an ordinary step has to be taken first, because the state has another form
            than when it was closed before. Then it stays open, and our arrays are dropped.
        """
        if self.closed:
            return True
        if self._sums is None:
            return False
        found = self._cells(trainer)
        values = {cell.name: cell.get() for cell in found}
        if not self._arrays:
            self._arrays = {name: _copy(value) for name, value in values.items()}
        if _forms(values) != _forms(self._arrays) or not self._take_counts(trainer):
            self._arrays, self._sums = {}, None
            return False
        for cell in found:
            array, value = self._arrays[cell.name], values[cell.name]
            if value is not array:
                put(array, (...,), value)
                cell.set(array)
        self.closed = True
        return True

    def commit(self, trainer: Trainer) -> None:
        """Write what a step has put into the places to our arrays, and put those back.

        Raises
        ------
        Unrepeatable
            If a place holds an array of another form than before.
        """
        found = self._cells(trainer)
        values = {cell.name: cell.get() for cell in found}
        if _forms(values) != _forms(self._arrays):
            changed = [n for n in self._arrays if form(values.get(n)) != form(self._arrays[n])]
            raise Unrepeatable(f"it changes the shape or dtype of {changed}, or makes new state")
        ours = {id(array): name for name, array in self._arrays.items()}
        # One that was moved to another place has to be read before it is written to.
        moved = {
            name: _copy(value) if ours.get(id(value), name) != name else value
            for name, value in values.items()
        }
        for cell in found:
            array = self._arrays[cell.name]
            if moved[cell.name] is not array:
                put(array, (...,), moved[cell.name])
                cell.set(array)

    def restore(self, trainer: Trainer) -> None:
        """Forget what a step has put into the places."""
        for cell in self._cells(trainer):
            cell.set(self._arrays[cell.name])

    def open(self, trainer: Trainer) -> None:
        """Let the places have copies."""
        if not self.closed:
            return
        for cell in self._cells(trainer):
            cell.set(_copy(cell.get()))
        if trainer.precision.scaler is None:
            trainer.optimizer._steps = self.counts.plain()
        self.closed = False

    def _take_counts(self, trainer: Trainer) -> bool:
        """Let the late counts go on from the optimiser's; with a loss scale they are cells."""
        if trainer.precision.scaler is not None:
            return True
        if not self.counts.take_over(trainer.optimizer._steps):
            return False
        trainer.optimizer._steps = self.counts
        return True

    def _cells(self, trainer: Trainer) -> list[Cell]:
        return cells(trainer, self._sums or {})


def _forms(arrays: dict[str, Array]) -> dict[str, object]:
    return {name: form(array) for name, array in arrays.items()}


def _copy(array: Array) -> Array:
    return array_namespace(array).asarray(array, copy=True)
