"""Between the user's NCHW face and channels-last memory: views, never copies."""

from __future__ import annotations

from .._typing import Array, Namespace


def batched(n: int, x: Array) -> Array:
    """Give an unbatched input (C, ...) with ``n`` spatial dimensions a batch axis."""
    if x.ndim == n + 2:
        return x
    if x.ndim == n + 1:
        return x[None, ...]
    raise ValueError(
        f"x must have {n + 2} axes (N, C, ...) or {n + 1} (C, ...) for {n} spatial dimension(s), "
        f"got shape {tuple(x.shape)}"
    )


def channels_last(xp: Namespace, x: Array) -> Array:
    """(N, C, H, W) -> (N, H, W, C), a view."""
    return xp.permute_dims(x, (0, *range(2, x.ndim), 1))


def channels_first(xp: Namespace, x: Array) -> Array:
    """(N, H, W, C) -> (N, C, H, W), a view whose memory stays channels-last."""
    return xp.permute_dims(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def as_given(y: Array, x: Array) -> Array:
    """Take the batch axis off again where ``x`` had none."""
    return y if y.ndim == x.ndim else y[0, ...]
