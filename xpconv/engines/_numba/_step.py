"""What else a training step goes over: the sums for a bias's gradient, and parameters in motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._scratch import aligned
from ._jit import jit
from ._rows import in_parts, rows

_WIDE = 64  # numbers of a row, at least: loops over few channels are mostly overhead
_LINE = 1024
_PARTS = 64
_ALONE = 2**16  # numbers that one thread goes over before a second has woken up


def channel_sums(x: np.ndarray) -> np.ndarray:
    """Return the sums (C,) of the channels of x (N, C, ...)."""
    given, channels = rows(x), x.shape[1]
    while given.shape[0] % 2 == 0 and 0 < given.shape[1] < _WIDE:
        given = given.reshape(given.shape[0] // 2, -1)  # two rows side by side
    sums = np.zeros((_PARTS, given.shape[1]))
    in_parts(lambda part, a, b: _add_up(given, a, b, sums[part]), *given.shape)
    total: np.ndarray = sums.sum(axis=0).reshape(-1, channels).sum(axis=0)
    return total.astype(x.dtype)


@jit
def _add_up(x: Any, first: int, last: int, sums: Any) -> None:
    for row in range(first, last):
        line = x[row]
        for c in range(sums.size):
            sums[c] += line[c]


def sgd(
    parameters: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    buffers: Sequence[np.ndarray] | None,
    found_inf: np.ndarray | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return parameters and their momentum after one step of `optim.SGD`; ``buffers`` as before.

    The first step has no buffers, and without momentum there are none to return.
    """
    if found_inf is not None and bool(found_inf):
        old = [np.zeros_like(p) for p in parameters] if buffers is None else list(buffers)
        return list(parameters), old if momentum else []
    moved, kept = [], []
    share = 1.0 if buffers is None else 1 - dampening
    numbers = (lr, momentum if momentum else 0.0, share, weight_decay, nesterov)
    for k, parameter in enumerate(parameters):
        before = gradients[k] if buffers is None else buffers[k]
        given = [_line(array) for array in (parameter, gradients[k], before)]
        new, buffer = (aligned(parameter.size, parameter.dtype) for _ in range(2))
        flat = (*given, new, buffer)
        size = parameter.size

        def work(part: int, a: int, b: int, flat: Any = flat, size: int = size) -> None:
            end = min(b * _LINE, size)
            _sgd(*flat, a * _LINE, end, buffers is not None, *numbers)

        if size < _ALONE:
            work(0, 0, -(-size // _LINE))
        else:
            in_parts(work, -(-size // _LINE), _LINE)
        moved.append(new.reshape(parameter.shape))
        kept.append(buffer.reshape(parameter.shape))
    return moved, kept if momentum else []


def _line(array: np.ndarray) -> np.ndarray:
    if not (array.flags.c_contiguous and array.flags.writeable):
        array = np.require(array, requirements=["C", "W"])
    return array.reshape(-1)


@jit
def _sgd(
    p: Any,
    g: Any,
    b: Any,
    new_p: Any,
    new_b: Any,
    first: int,
    last: int,
    again: bool,
    lr: float,
    momentum: float,
    share: float,
    decay: float,
    nesterov: bool,
) -> None:
    kind = p.dtype.type
    for i in range(first, last):
        gradient = g[i] + kind(decay) * p[i] if decay else g[i]
        moved = kind(momentum) * b[i] + kind(share) * gradient if again else gradient
        new_b[i] = moved
        direction = gradient + kind(momentum) * moved if nesterov else moved
        new_p[i] = p[i] - kind(lr) * direction
