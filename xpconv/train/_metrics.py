"""Metrics, and their means over many batches, which stay on the device until they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from array_api_compat import array_namespace, device

from .._typing import Array, DType, Namespace
from ..backend import Backend, to_numpy

Metric = Callable[[Array, Array], Array]
"""A function of logits and targets that returns a batch's mean as a 0-d array, on the device."""


def accuracy(logits: Array, target: Array) -> Array:
    """Return the part of the targets that the logits get right.

    Parameters
    ----------
    logits : array, shape (N, C, ...) or that of ``target``
        Floating.
    target : array, shape (N, ...)
        Class numbers, of which negative ones do not count; or, as floating numbers of the shape of
        ``logits``, the probability of yes, against which a positive logit says yes.

    Returns
    -------
    0-d array
        From 0 to 1, in the widest floating dtype of the device.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.asarray([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    >>> round(float(accuracy(logits, np.asarray([0, 1, 1]))), 4)
    0.6667
    """
    xp = array_namespace(logits, target)
    if xp.isdtype(target.dtype, "integral"):
        right = xp.argmax(logits, axis=min(1, logits.ndim - 1)) == target
        counted = target >= 0
    else:
        right = (logits > 0) == (target > 0.5)
        counted = xp.ones_like(right)
    dtype = widest_float(xp, logits)
    hits = xp.astype(xp.sum(xp.astype(right & counted, xp.int64)), dtype)
    count = xp.astype(xp.sum(xp.astype(counted, xp.int64)), dtype)
    return hits / xp.maximum(count, xp.ones_like(count))


METRICS: dict[str, Metric] = {"accuracy": accuracy}
"""The metrics that have a name."""


def as_metrics(metrics: Iterable[str | Metric]) -> dict[str, Metric]:
    """Return metrics by name, from names and functions.

    Raises
    ------
    ValueError
        If no metric has that name, or two have the same.
    """
    if isinstance(metrics, str):
        metrics = [metrics]
    found: dict[str, Metric] = {}
    for metric in metrics:
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
        if isinstance(metric, str):
            if metric not in METRICS:
                raise ValueError(
                    f"unknown metric {metric!r}; there are {', '.join(map(repr, METRICS))}"
                )
            metric = METRICS[metric]
        if name in found or name == "loss":
            raise ValueError(f"there are two metrics of the name {name!r}")
        found[name] = metric
    return found


def widest_float(xp: Namespace, x: Array) -> DType:
    """Return the device's widest floating dtype: what sums of many small numbers are kept in."""
    info = xp.__array_namespace_info__()
    return info.dtypes(device=device(x), kind="real floating").get("float64", xp.float32)


class Means:
    """Means over samples, gathered batch by batch without waiting for the device."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, Array] = {}

    def add(self, values: Mapping[str, Array], count: int) -> None:
        """Take in a batch's means.

        Parameters
        ----------
        values : mapping of str to 0-d array
            Means over the batch.
        count : int
            How many samples the batch has.
        """
        for name, value in values.items():
            xp = array_namespace(value)
            weighted = xp.astype(value, widest_float(xp, value)) * count
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
        self.count += count

    def read(self) -> dict[str, float]:
        """Return the means as Python numbers: one transfer from the device for all of them."""
        if not self._sums:
            return {}
        sums = list(self._sums.values())
        together = to_numpy(array_namespace(*sums).stack(sums))
        return {
            name: float(total) / self.count
            for name, total in zip(self._sums, together, strict=True)
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the sums, so that an interrupted epoch can be continued."""
        return {"count": self.count, "sums": dict(self._sums)}

    def load_state_dict(self, state: Mapping[str, Any], backend: Backend) -> None:
        """Continue where another's `state_dict` was taken, on a backend."""
        self.count = int(state["count"])
        self._sums = {name: backend.asarray(total) for name, total in state["sums"].items()}
