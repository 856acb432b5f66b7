"""A run: epochs, their steps, validation, and the moments in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._typing import Array
from ..data import ArrayDataset, batches, on_backend, shuffled
from ..random import Stream
from . import _state
from ._callbacks import Callback, Checkpoint
from ._history import History
from ._interrupt import held_interrupt
from ._metrics import Means
from ._progress import ProgressBar
from ._run import Run

if TYPE_CHECKING:
    from ._trainer import Trainer


# After a batch these look at nothing that a step changes, or see to it by themselves.
_BLIND = (Callback.on_batch_end, Checkpoint.on_batch_end, ProgressBar.on_batch_end)


class Loop:
    """One call of `Trainer.fit`, after everything has been checked.

    Parameters
    ----------
    trainer : Trainer
        Whose state moves.
    run : Run
        The run's settings, and its position, which moves too.
    data : ArrayDataset
        Samples to learn from.
    validation : ArrayDataset or None
        Samples to judge by.
    callbacks : list of Callback
        In the order in which they are called.
    """

    def __init__(
        self,
        trainer: Trainer,
        run: Run,
        data: ArrayDataset,
        validation: ArrayDataset | None,
        callbacks: list[Callback],
    ) -> None:
        self.trainer, self.run = trainer, run
        self.data, self.validation = data, validation
        self.callbacks = callbacks
        self.epoch_began = 0.0

    def go(self, state: dict[str, Any] | None) -> None:
        """Run to the end: anew, or on from a checked state."""
        try:
            self._begin(state)
            with held_interrupt() as between_steps:
                while not self.run.over:
                    self._train_epoch(between_steps)
                    self._end_epoch(between_steps)
            self._call("on_train_end")
        except BaseException:
            self._call("on_train_abort")
            raise
        finally:
            self.trainer.cuda_graphs.open(self.trainer)

    def _begin(self, state: dict[str, Any] | None) -> None:
        trainer, run = self.trainer, self.run
        trainer.run, trainer.samples_seen = run, 0
        trainer.history, trainer.means = History(), Means()
        trainer.stream.load_state_dict(Stream(trainer.seed).state_dict())
        if state is not None:
            run.load_position(state["run"])
            _state.restore(trainer, state)
        self._call("on_train_begin")
        if state is not None:  # after they have forgotten what an earlier run has seen
            _state.restore_callbacks(trainer, state)

    def _train_epoch(self, between_steps: Callable[[], None]) -> None:
        """Take the steps that the epoch still has."""
        trainer, run = self.trainer, self.run
        self.epoch_began = time.perf_counter() - run.seconds
        order = shuffled(run.samples, seed=trainer.seed, epoch=run.epoch) if run.shuffle else None
        remaining = batches(self.data, run.batch_size, order, start=run.batch)
        self._call("on_epoch_begin")
        for x, y in on_backend(remaining, trainer.backend, trainer.dtype):
            trainer.last_loss = self._step(x, y)
            trainer.samples_seen += int(x.shape[0])
            run.batch += 1
            run.step += 1
            run.seconds = time.perf_counter() - self.epoch_began
            self._call("on_batch_end")
            between_steps()

    def _step(self, x: Array, y: Array) -> Array:
        """Take a step; where a batch of one sample is too little, say where it comes from."""
        try:
            return self.trainer.cuda_graphs.take(self.trainer, x, y, self._learn)
        except ValueError as error:
            if x.shape[0] != 1:
                raise
            run = self.run
            raise ValueError(
                f"{error}; this batch holds one sample, as batches of {run.samples} samples with "
                f"batch_size={run.batch_size} do: choose another batch_size"
            ) from error

    def _learn(self, x: Array, y: Array, lr: Any = None) -> Array:
        """Learn from a batch, note how it went and return the loss: what is captured of a step."""
        trainer = self.trainer
        loss, logits = trainer.step(x, y) if lr is None else trainer.step(x, y, lr=lr)
        note(trainer, trainer.means, loss, logits, y)
        return loss

    def _end_epoch(self, between_steps: Callable[[], None]) -> None:
        """Validate, write the history's row, and move on to the next epoch."""
        trainer, run = self.trainer, self.run
        trainer.cuda_graphs.open(trainer)  # the means are about to be others
        row: dict[str, Any] = {"epoch": run.epoch + 1, **trainer.means.read()}
        if self.validation is not None:
            size = max(run.batch_size, 256)
            judged = judge(trainer, self.validation, size, between_steps)
            row |= {f"val_{name}": value for name, value in judged.items()}
        row["lr"] = trainer.lr_at(run.epoch + (run.batches - 1) / run.batches)
        row["seconds"] = time.perf_counter() - self.epoch_began
        trainer.history.rows.append(row)
        if trainer.schedule is not None:
            watched = "loss" if self.validation is None else "val_loss"
            trainer.schedule.observe(row[trainer.schedule.monitor or watched])
        run.epoch, run.batch, run.seconds = run.epoch + 1, 0, 0.0
        trainer.means = Means()
        self._call("on_epoch_end")
        between_steps()

    def _call(self, moment: str) -> None:
        for callback in self.callbacks:
            if moment != "on_batch_end" or type(callback).on_batch_end not in _BLIND:
                self.trainer.cuda_graphs.open(self.trainer)
            getattr(callback, moment)(self.trainer)


def judge(
    trainer: Trainer,
    dataset: ArrayDataset,
    batch_size: int,
    between_steps: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Return loss and metrics over some samples, as means over them."""
    means = Means()
    with trainer.precision.weights(trainer.model):
        for x, y in on_backend(batches(dataset, batch_size), trainer.backend, trainer.dtype):
            logits = trainer.precision.infer(trainer.model, x)
            loss, _ = trainer.loss.forward(logits, y)
            note(trainer, means, loss, logits, y)
            between_steps()
    return means.read()


def note(trainer: Trainer, means: Means, loss: Array, logits: Array, y: Array) -> None:
    """Take a batch's loss and metrics into the means, without waiting for the device."""
    values = {name: metric(logits, y) for name, metric in trainer.metrics.items()}
    means.add({"loss": loss, **values}, int(y.shape[0]))
