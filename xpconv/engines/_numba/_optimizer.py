"""Parameters in motion: one pass for each, over all that an optimiser remembers of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._rows import required
from .._scratch import aligned
from ._jit import jit
from ._parts import in_parts
from ._team import run
from ._words import hand_over

_LINE = 1024
_FEW = 4096  # numbers that NumPy is done with before a compiled body has begun


@np.errstate(all="ignore")  # what is not finite passes without a word
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
        old = _zeros(parameters) if buffers is None else list(buffers)
        return list(parameters), old if momentum else []
    moved, kept = [], []
    share = 1.0 if buffers is None else 1 - dampening
    numbers = (lr, momentum if momentum else 0.0, share, weight_decay, nesterov)
    for k, parameter in enumerate(parameters):
        before = gradients[k] if buffers is None else buffers[k]
        if parameter.size <= _FEW:
            few = _sgd_of_few(parameter, gradients[k], before, buffers is not None, *numbers)
            moved.append(few[0])
            kept.append(few[1])
            continue
        row = (parameter, gradients[k], before)
        new, buffer = _moved(_sgd, row, 2, buffers is not None, *numbers)
        moved.append(new)
        kept.append(buffer)
    return moved, kept if momentum else []


def _sgd_of_few(
    p: np.ndarray,
    g: np.ndarray,
    b: np.ndarray,
    again: bool,
    lr: float,
    momentum: float,
    share: float,
    decay: float,
    nesterov: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Do what `_sgd` does, to the last bit, before it would have begun."""
    gradient = g + decay * p if decay else g
    buffer = momentum * b + share * gradient if again else np.array(gradient)
    direction = gradient + momentum * buffer if nesterov else buffer
    return np.asarray(p - lr * direction), np.asarray(buffer)


@jit
def _sgd(
    turn: Any,
    edges: Any,
    p: Any,
    g: Any,
    b: Any,
    new_p: Any,
    new_b: Any,
    again: bool,
    lr: float,
    momentum: float,
    share: float,
    decay: float,
    nesterov: bool,
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _LINE, min(edges[turn.number + 1] * _LINE, p.size)
    kind = p.dtype.type
    lr_, momentum_, share_, decay_ = kind(lr), kind(momentum), kind(share), kind(decay)
    p, g, b = p[first:last], g[first:last], b[first:last]
    new_p, new_b = new_p[first:last], new_b[first:last]
    if again and not decay and not nesterov:  # without choices a loop is made of vectors
        for i in range(p.size):
            moved = momentum_ * b[i] + share_ * g[i]
            new_b[i] = moved
            new_p[i] = p[i] - lr_ * moved
        return True
    for i in range(p.size):
        gradient = g[i] + decay_ * p[i] if decay else g[i]
        moved = momentum_ * b[i] + share_ * gradient if again else gradient
        new_b[i] = moved
        direction = gradient + momentum_ * moved if nesterov else moved
        new_p[i] = p[i] - lr_ * direction
    return True


def adam(
    parameters: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    averages: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] | None,
    found_inf: np.ndarray | None,
    *,
    rate: float | np.ndarray,
    root: float | np.ndarray,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    shrink: float,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Return parameters and both averages after one step of `optim.Adam`; the first has none."""
    means, squares = averages or (_zeros(parameters), _zeros(parameters))
    if found_inf is not None and bool(found_inf):
        return list(parameters), list(means), list(squares)
    numbers = (float(rate), float(root), *betas, eps, weight_decay, shrink)
    rows = zip(parameters, gradients, means, squares, strict=True)
    moved = [_moved(_adam, row, 3, *numbers) for row in rows]
    made = [list(column) for column in zip(*moved, strict=True)]
    return made[0], made[1], made[2]


@jit
def _adam(
    turn: Any,
    edges: Any,
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    new_p: Any,
    new_m: Any,
    new_v: Any,
    rate: float,
    root: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
    shrink: float,
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * _LINE, min(edges[turn.number + 1] * _LINE, p.size)
    kind = p.dtype.type
    rate_, root_, eps_, decay_, shrink_ = (
        kind(rate),
        kind(root),
        kind(eps),
        kind(decay),
        kind(shrink),
    )
    old1, fresh1, old2, fresh2 = kind(beta1), kind(1 - beta1), kind(beta2), kind(1 - beta2)
    p, g, m, v = p[first:last], g[first:last], m[first:last], v[first:last]
    new_p, new_m, new_v = new_p[first:last], new_m[first:last], new_v[first:last]
    from_old = beta1 > 0.5  # else from the other end, where rounding would swallow the gradient
    for i in range(p.size):
        gradient = g[i] + decay_ * p[i] if decay else g[i]
        apart = gradient - m[i]
        mean = m[i] + fresh1 * apart if from_old else gradient - old1 * apart
        square = old2 * v[i] + fresh2 * (gradient * gradient)
        new_m[i] = mean
        new_v[i] = square
        new_p[i] = shrink_ * p[i] - rate_ * (mean / (np.sqrt(square) / root_ + eps_))
    return True


def _zeros(parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.zeros(p.shape, p.dtype) for p in parameters]


def _moved(
    body: Callable[..., Any], old: tuple[np.ndarray, ...], count: int, *numbers: Any
) -> list[np.ndarray]:
    """Let a body fill ``count`` new arrays like the first of the old ones."""
    size, shape, dtype = old[0].size, old[0].shape, old[0].dtype
    made = [aligned(size, dtype) for _ in range(count)]
    flat = [required(array).reshape(-1) for array in old]
    in_parts(body, -(-size // _LINE), _LINE, *flat, *made, *numbers)
    return [array.reshape(shape) for array in made]
