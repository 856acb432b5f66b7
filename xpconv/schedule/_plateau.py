"""The schedule that watches a metric."""

from __future__ import annotations

import math

from ._schedule import Schedule, at_least


class ReduceLROnPlateau(Schedule):
    """Multiply by ``factor`` when a metric has stopped improving.

    Parameters
    ----------
    factor : float, default 0.1
        The factor of one reduction, below 1.
    patience : int, default 10
        How many epochs without improvement are borne; the next one reduces.
    mode : {"min", "max"}, default "min"
        Whether less or more of the metric is better.
    threshold : float, default 1e-4
        An improvement is one of more than this part of the best value so far.
    cooldown : int, default 0
        Epochs after a reduction that are not counted.
    min_factor : float, default 0
        The product of all reductions does not go below it.
    monitor : str, optional
        The metric that a `Trainer` passes, as ``"val_accuracy"``; by default the validation loss,
        or the training loss where there is no validation.
    warmup : float, default 0.0
        Epochs of linear warm-up, which multiplies.

    Notes
    -----
    Counterpart of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with its relative threshold. A
    metric that is not a number is no improvement.

    Examples
    --------
    >>> from xpconv.schedule import ReduceLROnPlateau
    >>> schedule = ReduceLROnPlateau(factor=0.5, patience=1)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     schedule.observe(loss)
    >>> schedule(3.0)
    0.5
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "min",
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_factor: float = 0.0,
        *,
        monitor: str | None = None,
        warmup: float = 0.0,
    ) -> None:
        super().__init__(warmup=warmup)
        self.factor = at_least(0.0, "factor", factor)
        if self.factor >= 1.0:
            raise ValueError(f"factor must be below 1, got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
        self.patience = int(at_least(0, "patience", patience))
        self.mode = mode
        self.threshold = at_least(0.0, "threshold", threshold)
        self.cooldown = int(at_least(0, "cooldown", cooldown))
        self.min_factor = at_least(0.0, "min_factor", min_factor)
        self.monitor = monitor
        self.reduction = 1.0
        self.best = math.inf if mode == "min" else -math.inf
        self.bad_epochs = 0
        self.cooling = 0

    def factor_at(self, t: float) -> float:
        """Return the product of all reductions so far; the time does not matter."""
        return self.reduction

    def observe(self, metric: float) -> None:
        """Take note of the metric after an epoch, and reduce when patience has run out.

        Parameters
        ----------
        metric : float
            The monitored value.
        """
        metric = float(metric)
        if self._improves(metric):
            self.best = metric
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        if self.cooling > 0:
            self.cooling -= 1
            self.bad_epochs = 0
        if self.bad_epochs > self.patience:
            self.reduction = max(self.reduction * self.factor, self.min_factor)
            self.cooling = self.cooldown
            self.bad_epochs = 0

    def _improves(self, metric: float) -> bool:
        if self.mode == "min":
            return metric < self.best * (1.0 - self.threshold)
        return metric > self.best * (1.0 + self.threshold)
