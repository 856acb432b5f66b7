"""The axis that a user names."""

from __future__ import annotations

from .._typing import Array


def axis_of(x: Array, dim: int) -> int:
    """Return an axis counted from the front; a single number has one axis."""
    ndim = max(int(x.ndim), 1)
    if not -ndim <= dim < ndim:
        raise ValueError(
            f"Dimension out of range: dim {dim} is not within {-ndim} ... {ndim - 1}, "
            f"x has shape {tuple(x.shape)}"
        )
    return dim % ndim
