"""The way of samples from the host's arrays to the device, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .._typing import Array
from ..backend import Backend
from ._dataset import ArrayDataset
from ._uploaded import to_device as to_device, uploaded


def shuffled(n: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order of the samples in an epoch; it depends on nothing but its arguments.

    Parameters
    ----------
    n : int
        The number of samples.
    seed, epoch : int
        Non-negative.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        A permutation of 0 to n - 1.

    Examples
    --------
    >>> shuffled(5, seed=0, epoch=1).tolist() == shuffled(5, seed=0, epoch=1).tolist()
    True
    """
    return np.random.default_rng([seed, epoch]).permutation(n)


def batches(
    dataset: ArrayDataset,
    batch_size: int,
    order: np.ndarray | None = None,
    *,
    start: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut samples and targets into batches; the last one holds what is left.

    Parameters
    ----------
    dataset : ArrayDataset
        The samples.
    batch_size : int
        How many samples make a batch, at least 1.
    order : numpy.ndarray of int, shape (n,), optional
        Which samples to take, and in which order; by default all, as they lie.
    start : int, default 0
        How many batches to leave out at the beginning.

    Returns
    -------
    iterator of (x, y)
        Arrays of at most ``batch_size`` samples and of their targets, on the host.

    Raises
    ------
    ValueError
        If ``batch_size`` is below 1.

    Examples
    --------
    >>> data = ArrayDataset([[0.0], [1.0], [2.0]], [0, 1, 2])
    >>> for x, y in batches(data, 2, order=[2, 0, 1]):
    ...     print(y)
    [2 0]
    [1]
    """
    batch_size = as_count(batch_size, "batch_size")
    n = len(dataset) if order is None else len(order)
    return (
        (dataset.x[which], dataset.y[which])
        for begin in range(start * batch_size, n, batch_size)
        for which in [_slice(begin, batch_size, order)]
    )


def _slice(begin: int, size: int, order: np.ndarray | None) -> slice | np.ndarray:
    part = slice(begin, begin + size)
    return part if order is None else order[part]


def as_count(value: int, name: str, minimum: int = 1) -> int:
    """Return a number of samples, batches or epochs as a Python int, or refuse it by name."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def on_backend(
    host_batches: Iterable[tuple[np.ndarray, np.ndarray]],
    backend: Backend,
    dtype: str | None = None,
) -> Iterator[tuple[Array, Array]]:
    """Bring batches to a device, one after the other.

    Parameters
    ----------
    host_batches : iterable of pairs of arrays
        As `batches` yields them.
    backend : Backend
        Where to bring them.
    dtype : str, optional
        What floating numbers become, ``"float32"`` for instance; by default they stay what they
        are. Integers become int64.

    Yields
    ------
    x, y : array
        The same batches on the device.

    Notes
    -----
    On CuPy the next batches are copied while the device computes with this one: two ahead, from
    pinned memory, on a stream of their own. The arrays, their order and their bits are the same.
    Elsewhere there is nothing to overlap: on a CPU, taking a batch out of the host's arrays takes
    about a thousandth of a step.
    """
    if backend.name == "cupy":
        yield from uploaded(host_batches, backend, dtype)
        return
    for x, y in host_batches:
        yield to_device(x, backend, dtype), to_device(y, backend, dtype)
