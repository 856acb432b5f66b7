"""The rectifier, its way back, and sums with and without it: one pass each."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .._rows import required
from .._scratch import aligned
from ._jit import jit
from ._parts import in_parts
from ._team import run
from ._words import hand_over

_WIDTH = 1024  # numbers of what counts as a row here
_FEW = 8192  # numbers that NumPy is done with before a compiled body has begun


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0); NaN stays."""
    if x.size < _FEW:
        return np.asarray(np.maximum(x, 0))
    return _cut(x, np.inf)


def relu6(x: np.ndarray) -> np.ndarray:
    """Return min(max(x, 0), 6); NaN stays."""
    if x.size < _FEW:
        return np.asarray(np.clip(x, 0, 6))
    return _cut(x, 6)


def _cut(x: np.ndarray, most: float) -> np.ndarray:
    (source,), y, target = _flat(x)
    high = x.dtype.type(most)
    in_parts(_clip, _rows(x), _WIDTH, source, high, target)
    return y


@jit
def _clip(turn: Any, edges: Any, x: Any, most: Any, y: Any) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _WIDTH, edges[turn.number + 1] * _WIDTH
    source, target = x[first:last], y[first:last]
    zero = x.dtype.type(0)  # Python's would make a double of every number
    for i in range(source.size):
        value = source[i]
        value = zero if value <= zero else value  # NaN is not
        target[i] = most if value > most else value
    return True


def relu_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy where y is not <= 0, also where it is NaN; else zero."""
    if y.size < _FEW:
        return dy * ~(y <= 0)
    return _gated(_relu_grad, dy, y)


def relu6_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy where y is between 0 and 6; else zero."""
    if y.size < _FEW:
        return np.asarray(dy * ((y > 0) & (y < 6)))
    return _gated(_relu6_grad, dy, y)


def _gated(work: Any, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    (given, seen), dx, target = _flat(dy, y)
    in_parts(work, _rows(y), _WIDTH, given, seen, target)
    return dx


@jit
def _relu_grad(turn: Any, edges: Any, dy: Any, y: Any, dx: Any) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _WIDTH, edges[turn.number + 1] * _WIDTH
    given, seen, target = dy[first:last], y[first:last], dx[first:last]
    zero = y.dtype.type(0)
    for i in range(given.size):
        value = given[i]
        target[i] = value * zero if seen[i] <= zero else value
    return True


@jit
def _relu6_grad(turn: Any, edges: Any, dy: Any, y: Any, dx: Any) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _WIDTH, edges[turn.number + 1] * _WIDTH
    given, seen, target = dy[first:last], y[first:last], dx[first:last]
    zero, six = y.dtype.type(0), y.dtype.type(6)
    for i in range(given.size):
        value = given[i]
        target[i] = value if (seen[i] > zero) & (seen[i] < six) else value * zero
    return True


def add(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x + y for arrays of one shape."""
    return _sum(x, y, cut=False)


def add_relu(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return max(x + y, 0); NaN stays."""
    return _sum(x, y, cut=True)


def _sum(x: np.ndarray, y: np.ndarray, cut: bool) -> np.ndarray:
    if x.size < _FEW:
        return np.asarray(np.maximum(x + y, 0) if cut else x + y)
    (one, other), z, target = _flat(y, x)
    in_parts(_add, _rows(x), _WIDTH, one, other, cut, target)
    return z


@jit
def _add(turn: Any, edges: Any, x: Any, y: Any, cut: bool, z: Any) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _WIDTH, edges[turn.number + 1] * _WIDTH
    one, other, target = x[first:last], y[first:last], z[first:last]
    zero = x.dtype.type(0)
    for i in range(one.size):
        value = one[i] + other[i]
        target[i] = zero if cut and value <= zero else value
    return True


def _rows(x: np.ndarray) -> int:
    return -(-x.size // _WIDTH)


def _flat(*arrays: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return arrays in the memory order of the last, flat, and an empty one like it, twice."""
    model = arrays[-1]
    order, back = _orders(model.strides)
    flat = [required(a.transpose(order)).reshape(-1) for a in arrays]
    block = aligned(model.size, model.dtype)
    shape = tuple(model.shape[axis] for axis in order)
    return flat, block.reshape(shape).transpose(back), block


@lru_cache(maxsize=1024)
def _orders(strides: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes in the order of memory, and back."""
    order = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    return tuple(order), tuple(map(order.index, range(len(order))))
