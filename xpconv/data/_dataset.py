"""Samples and their targets, as arrays on the host."""

from __future__ import annotations

from typing import Any

from ..backend import to_numpy


class ArrayDataset:
    """Samples and targets that lie in two arrays on the host.

    Parameters
    ----------
    x : array-like, shape (N, ...)
        The samples; an array of another library is brought to the host.
    y : array-like, shape (N, ...)
        One target for each sample.

    Raises
    ------
    ValueError
        If there are no samples, or not as many targets as samples.

    Examples
    --------
    >>> data = ArrayDataset([[0.0], [1.0], [2.0]], [0, 1, 0])
    >>> len(data)
    3
    >>> data[1:].y
    array([1, 0])
    """

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = to_numpy(x), to_numpy(y)
        if self.x.ndim == 0 or self.y.ndim == 0:
            raise ValueError(
                "x and y must have one entry per sample along their first axis, "
                f"got shapes {self.x.shape} and {self.y.shape}"
            )
        if len(self.x) != len(self.y):
            raise ValueError(
                f"x has {len(self.x)} samples but y has {len(self.y)} targets "
                f"(shapes {self.x.shape} and {self.y.shape})"
            )
        if len(self.x) == 0:
            raise ValueError(f"there are no samples: x has shape {self.x.shape}")

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> ArrayDataset:
        """Return the samples that a slice or an array of indices picks, as a dataset."""
        return ArrayDataset(self.x[index], self.y[index])

    def __repr__(self) -> str:
        parts = [f"{name}: {a.dtype}{list(a.shape)}" for name, a in (("x", self.x), ("y", self.y))]
        return f"ArrayDataset({', '.join(parts)})"
