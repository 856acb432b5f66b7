"""Padding and cropping: a number, mirror images, replicas or the other end around an array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from array_api_compat import device

from .._arrays import add_at, is_floating, namespace, put
from .._shapes import possible
from .._typing import Array, Namespace, Pair, Pullback
from ._pad_amounts import (
    CUT_FIRST,
    Key,
    Pairs,
    check_amounts,
    check_mode,
    grow_and_cut,
    kept,
    less,
    more,
    number_of,
    pairs_of,
)
from ._precision import narrowed, widened
from ._registry import differentiable


def _pad_vjp(
    x: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> tuple[Array, Pullback]:
    y = _pad(x, pad, mode, value)
    xp = namespace(x=x)
    shape, has_gradient = tuple(x.shape), is_floating(x)
    grow, cut = grow_and_cut(pairs_of(x.ndim, pad))

    def pullback(dy: Array) -> tuple[Array | None]:
        if not has_gradient:
            return (None,)
        dx = widened(dy)
        if mode in CUT_FIRST:
            dx = _without_borders(xp, dx, less(shape, cut), grow, mode)
            dx = _uncut(xp, dx, shape, cut)
        else:
            dx = _uncut(xp, dx, more(shape, grow), cut)
            dx = _without_borders(xp, dx, shape, grow, mode)
        return (narrowed(dx, dy.dtype),)

    return y, pullback


@differentiable(_pad_vjp)
def pad(x: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Array:
    r"""Put borders around an array, or cut them off.

    Parameters
    ----------
    x : array
        Of any shape and dtype with ``mode="constant"``. The other modes take a channel axis, with
        or without a batch axis before it, and one to three spatial dimensions: (N, C, L), (C, L)
        and so on; all of the spatial dimensions are padded. ``"reflect"`` and ``"replicate"`` do
        not take booleans.
    pad : sequence of int
        Amounts (before, after) of the last dimension, then of the one before it, and so on; a
        negative amount cuts off.
    mode : {"constant", "reflect", "replicate", "circular"}, default "constant"
        What the border holds: a number; the input mirrored at its first and last elements, which
        are not repeated; its first and last elements; or the input's other end.
    value : float, default 0
        The number, for ``mode="constant"`` only. For integers it is cut to a whole number.

    Returns
    -------
    array
        Every padded dimension has grown by its two amounts. May share memory with ``x`` where
        nothing is added.

    Raises
    ------
    ValueError
        If an amount does not fit the dimension: cutting off more than there is, reflecting as many
        elements as there are, going around more than once; if ``value`` does not fit the dtype.
    TypeError
        If ``pad`` does not hold integers or ``value`` is not a real number.

    Notes
    -----
    .. math:: y_i = x_{r(i - p_0)}

    where :math:`r` reflects, clips or wraps an index into the input. The way back adds every
    element's cotangent to the element that it was copied from. Where one side is cut and the other
    padded, ``"circular"`` wraps what is left of the input, the others mirror and replicate the
    whole. Counterpart of ``torch.nn.functional.pad``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[1, 2, 3]])
    >>> pad(x, (1, 2))
    array([[0, 1, 2, 3, 0, 0]])
    >>> pad(x, (2, 1), mode="reflect")
    array([[3, 2, 1, 2, 3, 2]])
    >>> pad(x, (-1, 2), mode="circular")
    array([[2, 3, 2, 3]])
    """
    return _pad(x, pad, mode, value)


def _pad(x: Array, amounts: Sequence[int], mode: str, value: float | None) -> Array:
    xp = namespace(x=x)
    pairs = pairs_of(x.ndim, amounts)
    grow, cut = grow_and_cut(pairs)
    number = number_of(xp, x, value, grow)
    dims = len(amounts) // 2
    check_mode(x, mode, dims, number)
    check_amounts(tuple(x.shape), pairs, mode, dims)
    possible("the padded input", more(x.shape, grow))
    if mode in CUT_FIRST:
        return _with_borders(xp, x[kept(x.shape, cut)], grow, mode, number)
    y = _with_borders(xp, x, grow, mode, number)
    return y[kept(y.shape, cut)]


def _with_borders(xp: Namespace, x: Array, grow: Pairs, mode: str, number: Any) -> Array:
    """Copy the input into the middle, then fill the borders from there, axis by axis."""
    if not any(map(any, grow)):
        return x
    shape = more(x.shape, grow)
    if number:
        y = xp.full(shape, number, dtype=x.dtype, device=device(x))
    else:
        y = xp.zeros(shape, dtype=x.dtype, device=device(x))
    y = put(y, kept(shape, grow), x)
    for axis, target, source in _borders(x.shape, grow, mode):
        y = put(y, target, xp.flip(y[source], axis=axis) if mode == "reflect" else y[source])
    return y


def _without_borders(
    xp: Namespace, dy: Array, shape: Sequence[int], grow: Pairs, mode: str
) -> Array:
    """Add every border back to where `_with_borders` took it from, the last one first."""
    borders = list(_borders(shape, grow, mode))
    dx = xp.asarray(dy, copy=True) if borders else dy
    for axis, target, source in reversed(borders):
        border = dx[target]
        if mode == "reflect":
            border = xp.flip(border, axis=axis)
        elif mode == "replicate":
            border = xp.sum(border, axis=axis, keepdims=True, dtype=dy.dtype)
        dx = add_at(dx, source, border)
    return dx[kept(dy.shape, grow)]


def _borders(shape: Sequence[int], grow: Pairs, mode: str) -> Iterator[tuple[int, Key, Key]]:
    """Axis, key of each border and key of its source, in the order in which they are filled.

    Along axes that were filled before, a border has the full length; along later ones the
    interior's.
    """
    if mode == "constant":
        return
    inner = kept(more(shape, grow), grow)
    for axis, size in enumerate(shape):
        full, later = (slice(None),) * axis, inner[axis + 1 :]
        for target, source in _ends(size, grow[axis], mode):
            yield axis, (*full, target, *later), (*full, source, *later)


def _ends(size: int, pair: Pair, mode: str) -> Iterator[tuple[slice, slice]]:
    """Where the borders of one axis lie, and where their sources."""
    before, after = pair
    stop = before + size
    low, high = {
        "reflect": (slice(before + 1, 2 * before + 1), slice(stop - 1 - after, stop - 1)),
        "replicate": (slice(before, before + 1), slice(stop - 1, stop)),
        "circular": (slice(size, stop), slice(before, before + after)),
    }[mode]
    if before:
        yield slice(0, before), low
    if after:
        yield slice(stop, stop + after), high


def _uncut(xp: Namespace, part: Array, shape: tuple[int, ...], cut: Pairs) -> Array:
    """Put zeros where the ends were cut off."""
    if not any(map(any, cut)):
        return part
    zeros = xp.zeros(shape, dtype=part.dtype, device=device(part))
    return put(zeros, kept(shape, cut), part)
