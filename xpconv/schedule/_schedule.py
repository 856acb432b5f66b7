"""What all schedules share: a factor for every time, warm-up and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Schedule:
    """Base class: a factor for every time, a warm-up before it, and a state.

    Parameters
    ----------
    warmup : float, default 0.0
        While time is below it, the factor is multiplied by ``t / warmup``.
    """

    monitor: str | None = None

    def __init__(self, *, warmup: float = 0.0) -> None:
        self.warmup = at_least(0.0, "warmup", warmup)

    def __call__(self, t: float) -> float:
        """Return the factor at a time.

        Parameters
        ----------
        t : float
            The time in epochs, from 0.

        Returns
        -------
        float
            What to multiply the optimiser's learning rate by.
        """
        ramp = t / self.warmup if t < self.warmup else 1.0
        return ramp * self.factor_at(t)

    def factor_at(self, t: float) -> float:
        """Return the factor at a time as if there were no warm-up."""
        raise NotImplementedError

    def observe(self, metric: float) -> None:
        """Take note of how an epoch went; only `ReduceLROnPlateau` does."""

    def state_dict(self) -> dict[str, Any]:
        """Return settings and what has been learnt from `observe`, fit for JSON."""
        return {"kind": type(self).__name__, "values": self._values()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another schedule's `state_dict` was taken, settings included.

        Raises
        ------
        ValueError
            If the state is of another kind of schedule.
        """
        if state["kind"] != type(self).__name__:
            raise ValueError(
                f"the state is of {state['kind']}, this schedule is {type(self).__name__}"
            )
        for name in self._values():
            setattr(self, name, state["values"][name])

    def _values(self) -> dict[str, Any]:
        """All attributes but functions, which no file can hold."""
        return {name: value for name, value in vars(self).items() if not callable(value)}


def at_least(limit: float, name: str, value: float) -> float:
    """Return a setting as a float, or refuse it by name."""
    number = float(value)
    if not number >= limit:
        raise ValueError(f"{name} must be at least {limit:g}, got {value}")
    return number


def above_zero(name: str, value: float) -> float:
    """Return a setting as a float, or refuse it by name."""
    number = float(value)
    if not number > 0.0:
        raise ValueError(f"{name} must be above 0, got {value}")
    return number
