"""Where a training run stands, and what a run that continues it must share with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Run:
    """A training run's settings and position.

    Parameters
    ----------
    samples : int
        How many training samples there are.
    batch_size : int
        How many of them make a batch; the last batch of an epoch may be smaller.
    shuffle : bool
        Whether every epoch has an order of its own.
    epochs : int
        How many epochs the run is to last.
    epoch : int, default 0
        How many are finished.
    batch : int, default 0
        How many batches of the present epoch are done.
    step : int, default 0
        How many batches are done in all.
    seconds : float, default 0.0
        How long the present epoch had lasted when the run was saved.
    stopped : bool, default False
        Set it to end the run after the present epoch.
    """

    samples: int
    batch_size: int
    shuffle: bool
    epochs: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    stopped: bool = False

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return -(-self.samples // self.batch_size)

    @property
    def time(self) -> float:
        """The position in epochs, as schedules count it."""
        return self.epoch + self.batch / max(self.batches, 1)

    @property
    def over(self) -> bool:
        """Whether no epoch is left to train."""
        return self.stopped or self.epoch >= self.epochs

    def state_dict(self) -> dict[str, Any]:
        """Return settings and position, fit for JSON."""
        return asdict(self)

    def load_position(self, state: dict[str, Any]) -> None:
        """Take over another run's position; the settings stay."""
        for field in fields(self):
            if field.name not in ("samples", "batch_size", "shuffle", "epochs"):
                setattr(self, field.name, state[field.name])
