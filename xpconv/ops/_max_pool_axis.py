"""Max pooling along one axis, which every max pool is composed of.

Along the innermost axis first: then the first of tied maxima, and the last of several NaN, is the
one that PyTorch finds when it reads the window row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from array_api_compat import device

from .._arrays import add_at, clip, is_floating, put
from .._typing import Array, Namespace, Pullback
from ..engines import body
from ._pool_windows import Axis, all_equal, apart, at, zeros_last
from ._precision import narrowed, widened


def maximum(xp: Namespace, x: Array, windows: Sequence[Axis]) -> Array:
    """Largest element under each window of ``x`` (N, C, ...)."""
    best = x
    for axis, along in _inner_first(windows):
        best = best if along.trivial else _maximum_along(xp, best, axis, along)
    return xp.asarray(x, copy=True) if best is x else best


def argmax(xp: Namespace, x: Array, windows: Sequence[Axis]) -> tuple[Array, list[Array]]:
    """Largest element under each window, and what `route` and `places` need to find it.

    That is, for each axis, the innermost first, the number of the largest element in its window.
    """
    best, numbers = x, []
    for axis, along in _inner_first(windows):
        best, number = _argmax_along(xp, best, axis, along)
        numbers.append(number)
    return best, numbers


def argmax_vjp(
    xp: Namespace, x: Array, batch: Array, windows: Sequence[Axis], return_indices: bool
) -> tuple[Any, Pullback]:
    """Rule of a max pool over ``batch`` (N, C, ...), which is ``x`` with a batch axis."""
    best, index, back = _with_way_back(xp, batch, windows, return_indices)
    unbatched = x.ndim < batch.ndim

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = back(dy[None, ...] if unbatched else dy)
        return (dx[0, ...] if unbatched else dx,)

    y = best[0, ...] if unbatched else best
    if not return_indices:
        return y, pullback
    return (y, index[0, ...] if unbatched else index), pullback


def _with_way_back(
    xp: Namespace, x: Array, windows: Sequence[Axis], return_indices: bool
) -> tuple[Array, Array, Callable[[Array], Array]]:
    """Return the maxima, where they stand if that is asked for, and the way back for a batch."""
    fused, fused_grad = body("max_pool", x), body("max_pool_grad", x)
    if fused is not None and fused_grad is not None and all_equal(windows):
        best, number, index = fused(x, windows, numbers=True, positions=return_indices)
        return best, index, lambda dy: fused_grad(dy, number, windows)
    fused, fused_grad = body("disjoint_max_pool", x), body("disjoint_max_pool_grad", x)
    if fused is not None and fused_grad is not None and not return_indices and apart(windows):
        best, number = fused(x, windows, numbers=True)
        return best, None, lambda dy: fused_grad(dy, number, windows)
    best, numbers = argmax(xp, x, windows)
    dtype = x.dtype

    def back(dy: Array) -> Array:
        # Where windows overlap, gradients are added up: of half precision in single.
        return narrowed(route(xp, widened(dy), windows, numbers), dtype)

    return best, places(xp, windows, numbers) if return_indices else None, back


def route(xp: Namespace, dy: Array, windows: Sequence[Axis], numbers: Sequence[Array]) -> Array:
    """Send each output's gradient to the largest element of its window."""
    for i, along in enumerate(windows):
        axis, number = i + 2, numbers[-1 - i]
        if i + 1 < len(windows):  # of the shape, and in the memory layout, of the next numbers
            dx = xp.zeros_like(numbers[-2 - i], dtype=dy.dtype)
        else:
            dx = zeros_last(xp, dy, (*dy.shape[:axis], along.size, *dy.shape[axis + 1 :]))
        write = put if along.disjoint else add_at
        for k, output, source in along.parts():
            chosen = number[at(axis, output)] == k
            share = dy[at(axis, output)] * xp.astype(chosen, dy.dtype)
            dx = write(dx, at(axis, source), share)
        dy = dx
    return dy


def places(xp: Namespace, windows: Sequence[Axis], numbers: Sequence[Array]) -> Array:
    """Position of each largest element in the flattened plane of the input."""
    index, inner = None, 1
    for (axis, along), number in zip(_inner_first(windows), numbers, strict=True):
        start = along.starts(xp, device(number))
        start = xp.reshape(start, (along.out, *(1,) * (number.ndim - 1 - axis)))
        place = start + xp.astype(number, xp.int64) * along.dilation
        # Under a dilated window that misses the image stands a number that means nothing.
        place = clip(xp, place, 0, along.size - 1)
        if index is None:
            index = place
        else:
            index = xp.take_along_axis(index, place, axis=axis) + place * inner
        inner *= along.size
    return index


def _inner_first(windows: Sequence[Axis]) -> Iterable[tuple[int, Axis]]:
    """The axes of an array (N, C, ...) with their windows, the innermost first."""
    return reversed(list(enumerate(windows, 2)))


def _lowest(xp: Namespace, x: Array) -> float:
    """What loses against everything in the dtype of ``x``."""
    return -math.inf if is_floating(x) else int(xp.iinfo(x.dtype).min)


def _counter(xp: Namespace, along: Axis) -> Any:
    """The smallest dtype that counts a window's elements."""
    return xp.int8 if along.kernel <= 127 else xp.int16 if along.kernel <= 32767 else xp.int32


def _blank(xp: Namespace, x: Array, axis: int, along: Axis) -> Array:
    """Nothing met so far, for each window."""
    shape = (*x.shape[:axis], along.out, *x.shape[axis + 1 :])
    # NumPy's bfloat16 widens beside a Python number.
    return narrowed(zeros_last(xp, x, shape) + _lowest(xp, x), x.dtype)


def _updated(along: Axis, target: Array, output: slice, key: Any, value: Array) -> Array:
    """Put the value into the target, or in its place where it is all of it."""
    return value if output == slice(0, along.out) else put(target, key, value)


def _maximum_along(xp: Namespace, x: Array, axis: int, along: Axis) -> Array:
    parts = along.parts()
    if along.whole:
        best = x[at(axis, parts[0].source)]
        if len(parts) == 1:
            return xp.asarray(best, copy=True)
        for _, _, source in parts[1:]:
            best = xp.maximum(best, x[at(axis, source)])
        return best
    best = _blank(xp, x, axis, along)
    for _, output, source in parts:
        key = at(axis, output)
        best = _updated(along, best, output, key, xp.maximum(best[key], x[at(axis, source)]))
    return best


def _argmax_along(xp: Namespace, x: Array, axis: int, along: Axis) -> tuple[Array, Array]:
    small = _counter(xp, along)

    def better(met: Array, best: Array) -> Array:
        """Where what is met wins, as a number: sums with it are faster than choices by it."""
        wins = met > best
        return xp.astype(wins | (met != met) if floating else wins, small)

    floating = is_floating(x)
    if along.whole:
        first, *others = along.parts()
        best = x[at(axis, first.source)]
        if not others:
            best = xp.asarray(best, copy=True)
            return best, xp.zeros_like(best, dtype=small)
        number: Array = None
        for k, _, source in others:
            met = x[at(axis, source)]
            wins = better(met, best) * k  # a later number is a larger one
            number = wins if number is None else xp.maximum(number, wins)
            best = xp.maximum(best, met)
        return best, number
    best = _blank(xp, x, axis, along)
    # Each window's first element within the image: it stays chosen if nothing is above -inf.
    start = -along.starts(xp, device(x)) + (along.dilation - 1)
    start = xp.astype(clip(xp, start // along.dilation, 0, along.kernel - 1), small)
    start = xp.reshape(start, (along.out, *(1,) * (x.ndim - 1 - axis)))
    number = zeros_last(xp, x, best.shape, small) + start
    for k, output, source in along.parts():
        key, met = at(axis, output), x[at(axis, source)]
        wins = better(met, best[key]) * k
        number = _updated(along, number, output, key, xp.maximum(number[key], wins))
        best = _updated(along, best, output, key, xp.maximum(best[key], met))
    return best, number
