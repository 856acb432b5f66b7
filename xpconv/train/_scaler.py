"""Dynamic loss scaling: gradients of float16 lifted above what it rounds to zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._late import in_eights
from .._typing import Array
from ..backend import Backend, to_numpy


class LossScaler:
    r"""Keeps the factor that a loss is scaled by, and moves it, on the device.

    Parameters
    ----------
    backend : Backend
        Where the gradients are.
    init_scale : float, default 65536
        The factor at first.
    growth_factor : float, default 2.0
        What multiplies it after ``growth_interval`` steps in a row without inf or NaN.
    backoff_factor : float, default 0.5
        What multiplies it after a step with one, which is skipped.
    growth_interval : int, default 2000
        How many good steps it takes to grow.

    Notes
    -----
    Counterpart of ``torch.amp.GradScaler``, with its defaults and its arithmetic: float32, and no
    growth beyond its range. Nothing here waits for the device but `state_dict`.
    """

    def __init__(
        self,
        backend: Backend,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        self.backend = backend
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.growth_interval = growth_interval
        self.scale = backend.asarray(init_scale, "float32")
        self._good_steps = backend.asarray(0, "int64")

    def unscale(self, grads: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
        """Return scaled gradients as float32 and divided by the scale.

        Returns
        -------
        grads : dict of str to array
            Float32.
        found_inf : 0-d bool array
            Whether any number in any of them is infinite or none.
        """
        xp = self.backend.xp
        inverse = 1.0 / self.scale
        wide = {name: xp.astype(grad, xp.float32, copy=False) for name, grad in grads.items()}
        finite = [xp.all(xp.isfinite(grad)) for grad in wide.values()]
        if not finite:
            return {}, self.backend.asarray(False)
        found_inf = ~in_eights(lambda some: xp.all(xp.stack(some)), finite)
        unscaled = {name: grad * inverse for name, grad in wide.items()}
        return unscaled, self.backend.asarray(found_inf)

    def update(self, found_inf: Array) -> None:
        """Move the scale after a step."""
        xp = self.backend.xp
        good_steps = self._good_steps + 1
        due = good_steps == self.growth_interval
        grown = self.scale * self.growth_factor
        grown = xp.where(due & xp.isfinite(grown), grown, self.scale)
        scale = xp.where(found_inf, self.scale * self.backoff_factor, grown)
        restarted = xp.where(found_inf | due, xp.zeros_like(good_steps), good_steps)
        self.scale, self._good_steps = map(self.backend.asarray, (scale, restarted))

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and the count of good steps, fit for JSON; waits for the device."""
        return {
            "scale": float(to_numpy(self.scale)),
            "good_steps": int(to_numpy(self._good_steps)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another's `state_dict` was taken."""
        self.scale = self.backend.asarray(state["scale"], "float32")
        self._good_steps = self.backend.asarray(state["good_steps"], "int64")
