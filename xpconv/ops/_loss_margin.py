"""Margins between classes: losses that vanish where the true ones win by enough."""

from __future__ import annotations

import math
from collections.abc import Callable

from array_api_compat import device

from .._arrays import namespace, require_floating
from .._typing import Array, Namespace, Pullback
from ._loss_labels import class_weights, integer_labels, one_hot
from ._loss_operands import fails, loss_rule
from ._loss_reduce import constant, reduce
from ._registry import differentiable


def _rows(name: str, input: Array) -> tuple[int, int]:
    """Rows and classes of scores (N, C), (C,) or ()."""
    shape = tuple(input.shape)
    if len(shape) > 2 or shape[-1:] == (0,):
        raise ValueError(
            f"{name}: expected a non-empty vector or matrix with optional 0-dim batch size, but "
            f"got input of shape {shape}"
        )
    rows, classes = (1, 1, *shape)[-2:]
    return rows, classes


def _finished_rows(
    xp: Namespace,
    loss: Array,
    shape: tuple[int, ...],
    reduction: str,
    input: Array,
    slope: Callable[[], Array],
) -> tuple[Array, Pullback]:
    """Reduce losses (N,) that unreduced have another shape; ``slope`` is that of (N, C) scores."""
    y, spread = reduce(xp, xp.reshape(loss, shape), reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.reshape(spread(dy), (-1, 1) if loss.shape[0] else (0, 1))
        return (xp.reshape(slope() * share, tuple(input.shape)),)

    return y, pullback


@loss_rule
def _multi_margin_loss_vjp(
    input: Array,
    target: Array,
    p: float = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    reduction: str = "mean",
) -> tuple[Array, Pullback]:
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got p={p}")
    xp = namespace(("target",), input=input, target=target, weight=weight)
    require_floating(input=input)
    n, classes = _rows("multi_margin_loss", input)
    scores = xp.reshape(input, (n, classes))
    labels = integer_labels(xp, "target", target)
    if target.ndim > 1 or math.prod(target.shape) != n:
        raise ValueError(
            f"target must have shape ({n},) for input of shape {tuple(input.shape)}, got "
            f"{tuple(target.shape)}"
        )
    if fails(xp, (labels < 0) | (labels >= classes)):
        raise ValueError(f"target out of range: it must be in 0 to {classes - 1}")
    here = one_hot(xp, scores, xp.reshape(labels, (n, 1)), 1)
    zero = constant(xp, 0, scores)
    own = xp.sum(xp.where(here, scores, zero), axis=1, keepdims=True, dtype=scores.dtype)
    gap = margin - own + scores
    rivals = (gap > 0) & ~here  # as in PyTorch, NaN is no rival
    gap = xp.where(rivals, gap, zero)
    factor: Array | float = 1 / classes
    if weight is not None:
        weights = class_weights(xp, "input", scores, weight) * xp.astype(here, scores.dtype)
        factor = xp.sum(weights, axis=1, keepdims=True, dtype=scores.dtype) / classes
    loss = xp.sum((gap if p == 1 else gap * gap) * factor, axis=1, dtype=scores.dtype)

    def slope() -> Array:
        push = (xp.astype(rivals, scores.dtype) if p == 1 else 2 * gap) * factor
        lead = xp.sum(push, axis=1, keepdims=True, dtype=push.dtype)
        return xp.where(here, -lead, push)

    return _finished_rows(xp, loss, tuple(target.shape), reduction, input, slope)


@differentiable(_multi_margin_loss_vjp)
def multi_margin_loss(
    input: Array,
    target: Array,
    p: float = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    r"""Ask that the true class beats every other one by a margin.

    Parameters
    ----------
    input : array, shape (N, C) or (C,)
        Scores, real floating dtype.
    target : array of integers, shape (N,) or ()
        The true class of each row, in 0 to C-1.
    p : {1, 2}, default 1
        Power of what is missing.
    margin : float, default 1.0
        The distance asked for.
    weight : array, shape (C,), optional
        Factor of the rows of each true class.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the rows' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``target``
        Counterpart of ``torch.nn.functional.multi_margin_loss``.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is out of range or ``p`` is neither 1 nor 2.

    Notes
    -----
    :math:`w_l \sum_{c \ne l} \max(0, m - x_l + x_c)^p / C` for label l (Crammer and Singer, "On
    the algorithmic implementation of multiclass kernel-based vector machines", 2001).
    """
    return _multi_margin_loss_vjp(input, target, p, margin, weight, reduction)[0]


@loss_rule
def _multilabel_margin_loss_vjp(
    input: Array, target: Array, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    xp = namespace(("target",), input=input, target=target)
    require_floating(input=input)
    n, classes = _rows("multilabel_margin_loss", input)
    labels = integer_labels(xp, "target", target)
    flat = max(input.ndim, target.ndim) < 2 and math.prod(target.shape) == classes
    if target.shape != input.shape and not flat:
        raise ValueError(
            f"inconsistent target size: {tuple(target.shape)} for input of shape "
            f"{tuple(input.shape)}"
        )
    if fails(xp, (labels < -1) | (labels >= classes)):
        raise ValueError(f"target is out of range: it must be in -1 to {classes - 1}")
    scores, labels = xp.reshape(input, (n, classes)), xp.reshape(labels, (n, classes))
    # The first negative label ends a row's list.
    ended = xp.cumulative_sum(xp.astype(labels < 0, xp.int64), axis=1) > 0
    # (N, labels, 1) == (C,) -> (N, labels, C); a class that is listed twice counts twice.
    number = xp.arange(classes, dtype=xp.int64, device=device(input))
    listed = (labels[..., None] == number) & ~ended[..., None]
    times = xp.sum(xp.astype(listed, input.dtype), axis=1, dtype=input.dtype)
    # gap[n, c, i]: what class c, where it is listed, lacks against class i, where it is not.
    gap = 1 - scores[:, :, None] + scores[:, None, :]
    rivals = (gap > 0) & (times > 0)[:, :, None] & (times == 0)[:, None, :]
    push = xp.astype(rivals, input.dtype) * times[:, :, None] / classes
    loss = xp.sum(xp.where(rivals, gap, constant(xp, 0, input)) * push, axis=(1, 2))

    def slope() -> Array:
        return xp.sum(push, axis=1, dtype=push.dtype) - xp.sum(push, axis=2, dtype=push.dtype)

    return _finished_rows(xp, loss, tuple(input.shape[:-1]), reduction, input, slope)


@differentiable(_multilabel_margin_loss_vjp)
def multilabel_margin_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    r"""Ask that every true class beats every other one by 1.

    Parameters
    ----------
    input : array, shape (N, C) or (C,)
        Scores, real floating dtype.
    target : array of integers, of the shape of ``input``
        Each row lists its true classes; the first -1 ends the list.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the rows' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N,)
        Counterpart of ``torch.nn.functional.multilabel_margin_loss``.

    Raises
    ------
    ValueError
        If shapes do not fit or a label is out of range.

    Notes
    -----
    :math:`\sum_{l} \sum_{c} \max(0, 1 - x_l + x_c) / C` over the true classes l and all others c.
    It takes memory for N C C numbers.
    """
    return _multilabel_margin_loss_vjp(input, target, reduction)[0]
