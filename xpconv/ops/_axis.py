"""The axis that a user names."""

from __future__ import annotations

from collections.abc import Sequence


def axis_of(
    shape: Sequence[int], dim: int, name: str = "dim", *, of: str = "x", least: int = 1
) -> int:
    """Return an axis counted from the front.

    As in most of PyTorch a single number has one axis; not so with ``least=0``.
    """
    ndim = max(len(shape), least)
    if not -ndim <= dim < ndim:
        raise ValueError(f"{name} {dim} is out of range for {of} of shape {tuple(shape)}")
    return dim % ndim
