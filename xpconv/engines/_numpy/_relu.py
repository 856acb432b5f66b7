"""The rectifier, its way back, and sums with and without it on NumPy, in parts on the threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._passes import fresh_like, in_parts
from ._work import buffers

_FEW = 2**13  # numbers that NumPy is done with before they have been cut
_RUN = 1024


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0); NaN stays."""
    if x.size < _FEW:
        return np.asarray(np.maximum(x, 0))
    return _through(lambda x, out: np.maximum(x, 0, out=out), x)


def relu6(x: np.ndarray) -> np.ndarray:
    """Return min(max(x, 0), 6); NaN stays."""
    if x.size < _FEW:
        return np.asarray(np.clip(x, 0, 6))
    return _through(lambda x, out: np.clip(x, 0, 6, out=out), x)


def relu_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy where y is not <= 0, also where it is NaN; else zero."""
    return _gated(dy, y, "relu")


def relu6_grad(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return dy where y is between 0 and 6; else zero."""
    return _gated(dy, y, "relu6")


def _gated(dy: np.ndarray, y: np.ndarray, activation: str) -> np.ndarray:
    def work(y: np.ndarray, dy: np.ndarray, out: np.ndarray) -> None:
        (opened,) = buffers(np.dtype(bool), y.shape)
        np.multiply(dy, passed(y, activation, opened), out=out)

    return np.asarray(dy * passed(y, activation)) if y.size < _FEW else _through(work, y, dy)


def passed(y: np.ndarray, activation: str, out: np.ndarray | None = None) -> np.ndarray:
    """Return where an activation with the result y lets gradients through."""
    if activation == "relu":
        out = np.asarray(np.less_equal(y, 0, out=out))
        np.logical_not(out, out=out)
        return out
    out = np.asarray(np.greater(y, 0, out=out))
    np.logical_and(out, y < 6, out=out)
    return out


def add(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x + y for arrays of one shape."""
    if x.size < _FEW:
        return np.asarray(x + y)
    return _through(lambda y, x, out: np.add(x, y, out=out), y, x)


def add_relu(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return max(x + y, 0); NaN stays."""
    if x.size < _FEW:
        return np.asarray(np.maximum(x + y, 0))

    def both(y: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
        np.add(x, y, out=out)
        np.maximum(out, 0, out=out)

    return _through(both, y, x)


def _through(work: Callable[..., object], model: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Call ``work(model, *others, out)`` for parts of arrays in the memory order of the first."""
    y, flat = fresh_like(model)
    order = sorted(range(model.ndim), key=lambda axis: -model.strides[axis])
    arrays = [
        np.require(a.transpose(order), requirements=["C"]).reshape(-1) for a in (model, *others)
    ]

    def part(_: int, first: int, last: int) -> None:
        own = slice(first * _RUN, last * _RUN)
        work(*(array[own] for array in arrays), flat[own])

    in_parts(part, -(-model.size // _RUN), _RUN)
    return y
