"""Schedules that depend on time alone."""

from __future__ import annotations

import math
from collections.abc import Callable

from ._schedule import Schedule, above_zero, at_least


class StepLR(Schedule):
    r"""Multiply by ``gamma`` every ``step_size`` epochs: :math:`\gamma^{\lfloor t / s \rfloor}`.

    Parameters
    ----------
    step_size : float
        Epochs between two changes.
    gamma : float, default 0.1
        The factor of one change.
    warmup : float, default 0.0
        Epochs of linear warm-up, which multiplies.

    Notes
    -----
    Counterpart of ``torch.optim.lr_scheduler.StepLR``.

    Examples
    --------
    >>> from xpconv.schedule import StepLR
    >>> schedule = StepLR(10, gamma=0.5)
    >>> schedule(9.9), schedule(10.0)
    (1.0, 0.5)
    """

    def __init__(self, step_size: float, gamma: float = 0.1, *, warmup: float = 0.0) -> None:
        super().__init__(warmup=warmup)
        self.step_size = above_zero("step_size", step_size)
        self.gamma = float(gamma)

    def factor_at(self, t: float) -> float:
        """Return the factor at a time as if there were no warm-up."""
        return float(self.gamma ** math.floor(t / self.step_size))


class CosineAnnealingLR(Schedule):
    r"""Fall along half a cosine wave.

    Parameters
    ----------
    T_max : float
        Epochs from the top to the bottom, usually those of the whole training.
    eta_min_factor : float, default 0.0
        The factor :math:`m` at the bottom.
    warmup : float, default 0.0
        Epochs of linear warm-up, which multiplies.

    Notes
    -----
    :math:`m + (1 - m)(1 + \cos(\pi t / T)) / 2`; past ``T_max`` it rises again, as
    ``torch.optim.lr_scheduler.CosineAnnealingLR`` does (whose ``eta_min`` is a rate, not a factor).

    Examples
    --------
    >>> from xpconv.schedule import CosineAnnealingLR
    >>> schedule = CosineAnnealingLR(20, warmup=2)
    >>> [round(schedule(t), 3) for t in (0, 1, 10, 20)]
    [0.0, 0.497, 0.5, 0.0]
    """

    def __init__(
        self,
        T_max: float,
        eta_min_factor: float = 0.0,
        *,
        warmup: float = 0.0,
    ) -> None:
        super().__init__(warmup=warmup)
        self.T_max = above_zero("T_max", T_max)
        self.eta_min_factor = at_least(0.0, "eta_min_factor", eta_min_factor)

    def factor_at(self, t: float) -> float:
        """Return the factor at a time as if there were no warm-up."""
        return _cosine(1.0, self.eta_min_factor, t / self.T_max)


class OneCycleLR(Schedule):
    """Rise to the optimiser's learning rate and fall far below where it began, along cosines.

    Parameters
    ----------
    total : float
        Epochs of the whole training; later the factor stays what it is there.
    pct_start : float, default 0.3
        The part of the training that rises, in [0, 1].
    div_factor : float, default 25
        The first factor is ``1 / div_factor``.
    final_div_factor : float, default 1e4
        The last factor is the first divided by this.
    warmup : float, default 0.0
        Epochs of linear warm-up, which multiplies; the rise is one already.

    Notes
    -----
    Counterpart of ``torch.optim.lr_scheduler.OneCycleLR`` with ``cycle_momentum=False``, whose
    ``max_lr`` is the optimiser's rate here. PyTorch counts whole steps and reaches the top one step
    before ``pct_start`` of them and the bottom at the last; here both are reached at exactly their
    times (Smith and Topin, "Super-convergence", 2017).

    Examples
    --------
    >>> from xpconv.schedule import OneCycleLR
    >>> schedule = OneCycleLR(10)
    >>> schedule(0.0), schedule(3.0)
    (0.04, 1.0)
    """

    def __init__(
        self,
        total: float,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        *,
        warmup: float = 0.0,
    ) -> None:
        super().__init__(warmup=warmup)
        self.total = above_zero("total", total)
        self.pct_start = at_least(0.0, "pct_start", pct_start)
        if self.pct_start > 1.0:
            raise ValueError(f"pct_start must be between 0 and 1, got {pct_start}")
        self.div_factor = above_zero("div_factor", div_factor)
        self.final_div_factor = above_zero("final_div_factor", final_div_factor)

    def factor_at(self, t: float) -> float:
        """Return the factor at a time as if there were no warm-up."""
        first = 1.0 / self.div_factor
        last = first / self.final_div_factor
        top = self.pct_start * self.total
        if t < top:
            return _cosine(first, 1.0, t / top)
        if t >= self.total:
            return last
        return _cosine(1.0, last, (t - top) / (self.total - top))


class LambdaLR(Schedule):
    """Multiply by what a function says.

    Parameters
    ----------
    lr_lambda : callable
        Time in epochs to factor.
    warmup : float, default 0.0
        Epochs of linear warm-up, which multiplies.

    Notes
    -----
    Counterpart of ``torch.optim.lr_scheduler.LambdaLR``. A checkpoint does not hold the function.

    Examples
    --------
    >>> from xpconv.schedule import LambdaLR
    >>> LambdaLR(lambda t: 1 / (1 + t))(3.0)
    0.25
    """

    def __init__(self, lr_lambda: Callable[[float], float], *, warmup: float = 0.0) -> None:
        super().__init__(warmup=warmup)
        if not callable(lr_lambda):
            raise TypeError(f"lr_lambda must be a function, got {type(lr_lambda).__name__}")
        self.lr_lambda = lr_lambda

    def factor_at(self, t: float) -> float:
        """Return the factor at a time as if there were no warm-up."""
        return float(self.lr_lambda(t))


def _cosine(start: float, end: float, part: float) -> float:
    """Go from ``start`` to ``end`` along half a cosine wave, as ``part`` goes from 0 to 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * part)) / 2.0
