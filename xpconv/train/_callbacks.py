"""What may happen around the steps of a training run, and what some want to happen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from array_api_compat import array_namespace

from .._typing import Array
from ..data import as_count

if TYPE_CHECKING:
    import os

    from ._trainer import Trainer


class Callback:
    """Base class: override the moments that matter; each gets the `Trainer`.

    ``trainer.run`` says where the run stands (``epoch``, ``batch``, ``step``, ``epochs``,
    ``batches``), and ``trainer.run.stopped = True`` ends it after the present epoch.
    ``trainer.history.rows[-1]`` is the row of the last finished epoch, ``trainer.means.read()``
    reads the present epoch's numbers so far (and waits for the device to give them).

    Attributes
    ----------
    monitor : str or None
        A column of the history that this callback needs; its absence is reported before training.
    late : bool
        Whether this callback comes after all others at every moment.
    """

    monitor: str | None = None
    late: ClassVar[bool] = False

    def on_train_begin(self, trainer: Trainer) -> None:
        """Prepare: a new run begins, or one goes on."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Act before an epoch's first batch, or before the first one after a resumption."""

    def on_batch_end(self, trainer: Trainer) -> None:
        """Act after a step."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Act after an epoch and its validation; its row is in the history."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Act after the last epoch."""

    def on_train_abort(self, trainer: Trainer) -> None:
        """Clean up: an error or Ctrl-C ends the run, and nothing else will be called."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of this callback; nothing by default."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another's `state_dict` was taken."""


class _Watcher(Callback):
    """What callbacks that watch a metric share: the best value so far, and what is better."""

    monitor: str

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"min_delta must be at least 0, got {min_delta}")
        self.monitor = monitor
        self.min_delta = min_delta
        self.mode = mode if mode != "auto" else "max" if "acc" in monitor else "min"
        self.best: float | None = None
        self.best_epoch = 0

    def _improved(self, trainer: Trainer) -> bool:
        """Take in the last epoch, and say whether it is the best so far."""
        row = trainer.history.rows[-1]
        value = row[self.monitor]
        worst = math.inf if self.mode == "min" else -math.inf
        best = worst if self.best is None else self.best
        gain = best - value if self.mode == "min" else value - best
        # A value that is not a number is never an improvement.
        if not gain > self.min_delta:
            return False
        self.best, self.best_epoch = value, row["epoch"]
        return True

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget what an earlier run has seen."""
        self.best, self.best_epoch = None, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another's `state_dict` was taken."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class EarlyStopping(_Watcher):
    """End the run when a metric has not improved for some epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        A column of the history.
    patience : int, default 10
        How many epochs in a row may pass without improvement.
    min_delta : float, default 0.0
        A change counts if it is larger.
    mode : {"auto", "min", "max"}, default "auto"
        What is better; "auto": more, for a name with ``acc`` in it, else less.

    Attributes
    ----------
    best, best_epoch
        The best value and the epoch (from 1) that gave it.
    waited : int
        How many epochs have passed since.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = as_count(patience, "patience", minimum=0)
        self.waited = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget what an earlier run has seen."""
        super().on_train_begin(trainer)
        self.waited = 0

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Count, and end the run when patience has run out."""
        self.waited = 0 if self._improved(trainer) else self.waited + 1
        if self.waited > self.patience:
            trainer.run.stopped = True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and the count."""
        return {**super().state_dict(), "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another's `state_dict` was taken."""
        super().load_state_dict(state)
        self.waited = state["waited"]


class BestModel(_Watcher):
    """Keep the weights of the best epoch, and give them to the model in the end.

    Parameters
    ----------
    monitor : str, default "val_loss"
        A column of the history.
    mode : {"auto", "min", "max"}, default "auto"
        What is better; "auto": more, for a name with ``acc`` in it, else less.
    restore : bool, default True
        Whether the model gets the best weights when the run ends.

    Attributes
    ----------
    best, best_epoch
        The best value and the epoch (from 1) that gave it.
    weights : dict of str to array
        That epoch's ``state_dict()``, copied, on the model's device.
    """

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", restore: bool = True) -> None:
        super().__init__(monitor, mode)
        self.restore = restore
        self.weights: dict[str, Array] = {}

    def on_train_begin(self, trainer: Trainer) -> None:
        """Forget what an earlier run has seen."""
        super().on_train_begin(trainer)
        self.weights = {}

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Copy the weights if the epoch is the best so far."""
        if self._improved(trainer):
            self.weights = {
                name: array_namespace(array).astype(array, array.dtype, copy=True)
                for name, array in trainer.model.state_dict().items()
            }

    def on_train_end(self, trainer: Trainer) -> None:
        """Give the model the best weights."""
        if self.restore and self.weights:
            trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and its weights."""
        return {**super().state_dict(), "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another's `state_dict` was taken."""
        super().load_state_dict(state)
        self.weights = dict(state["weights"])


class Checkpoint(Callback):
    """Save the whole run as it goes, to one file that is replaced in one step.

    ``trainer.fit(..., resume=path)`` goes on from it as if nothing had happened.

    Parameters
    ----------
    path : str or path
        The file; its directory is made.
    every_epochs : int, default 1
        Save after every so many epochs, and after the last.
    every_steps : int, optional
        Save after every so many steps too, also in the middle of an epoch.
    """

    late: ClassVar[bool] = True  # what the other callbacks do in an epoch belongs into the file

    def __init__(
        self,
        path: str | os.PathLike[str],
        every_epochs: int = 1,
        every_steps: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.every_epochs = as_count(every_epochs, "every_epochs")
        self.every_steps = None if every_steps is None else as_count(every_steps, "every_steps")

    def on_train_begin(self, trainer: Trainer) -> None:
        """Make the directory now, not after an epoch of an hour."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def on_batch_end(self, trainer: Trainer) -> None:
        """Save if it is time."""
        if self.every_steps is not None and trainer.run.step % self.every_steps == 0:
            trainer.save(self.path)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save if it is time."""
        if trainer.run.over or trainer.run.epoch % self.every_epochs == 0:
            trainer.save(self.path)
