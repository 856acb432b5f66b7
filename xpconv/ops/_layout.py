"""Between the user's NCHW face and channels-last memory: views, never copies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from array_api_compat import array_namespace

from .._arrays import permuted
from .._libraries import library_of, quiet
from .._typing import Array, Namespace
from ..engines import body

View = Callable[[Array], Array]

# What elementwise functions of these libraries return lies in plain order, however their operands
# lie; elsewhere it lies as they do.
_FORGETFUL = frozenset({"cupy"})


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
    return permuted(xp, x, (0, *range(2, x.ndim), 1))


def channels_first(xp: Namespace, x: Array) -> Array:
    """(N, H, W, C) -> (N, C, H, W), a view whose memory stays channels-last."""
    return permuted(xp, x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def as_given(y: Array, x: Array) -> Array:
    """Take the batch axis off again where ``x`` had none."""
    return y if y.ndim == x.ndim else y[0, ...]


def memory_order(*arrays: Array) -> tuple[View, View] | None:
    """Return views in which an elementwise function keeps arrays channels-last, where that helps.

    CuPy's elementwise functions write plain memory. Given channels-last arrays under their NCHW
    face they would read in one order and write in another, several times slower, and the next
    layer would find its images in the wrong order. So such arrays go in as (N, ..., C), and what
    comes out is permuted back.

    Parameters
    ----------
    *arrays : array
        Of one number of axes. The first that does not lie in plain order decides.

    Returns
    -------
    (there, back), or None
        Both never copy; None where nothing needs to be done.
    """
    if library_of(arrays[0]) not in _FORGETFUL:
        return None
    xp = array_namespace(arrays[0])
    turned = next((x for x in arrays if x.ndim > 2 and not x.flags.c_contiguous), None)
    if turned is None or not channels_last(xp, turned).flags.c_contiguous:
        return None
    return partial(channels_last, xp), partial(channels_first, xp)


def added(x: Array, y: Array) -> Array:
    """``x + y`` for arrays of one shape and dtype, in channels-last memory where they are."""
    fused = body("add", x)
    with quiet():  # layers call this without the registry
        if fused is not None:
            return fused(x, y)
        views = memory_order(x, y)
        return x + y if views is None else views[1](views[0](x) + views[0](y))


def multiplied(x: Array, y: Array) -> Array:
    """``x * y`` for arrays of one number of axes, in channels-last memory where ``x`` is."""
    views = memory_order(x, y)
    return x * y if views is None else views[1](views[0](x) * views[0](y))
