"""Losses element by element: plain loops and scalar formulas, as independent of xpconv as can be.

Each function returns unreduced losses; `reduced` reduces them. Where a mean is weighted, the
function returns what it divides by as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray


def reduced(result: Any, reduction: str, first: Array) -> Array:
    """Reduce losses, or a pair of losses and the divisor of their mean."""
    losses, divisor = result if isinstance(result, tuple) else (result, result.size)
    if reduction == "batchmean":
        divisor = first.shape[0] if first.ndim else 1
    if reduction == "none":
        return losses
    total = math.fsum(losses.ravel().tolist())
    if reduction == "sum":
        return np.asarray(total)
    return np.asarray(total / divisor if divisor else math.nan)


def each(formula: Callable[..., float], *arrays: Array) -> Array:
    arrays = tuple(np.broadcast_arrays(*arrays))
    losses = np.zeros(arrays[0].shape)
    for place in np.ndindex(losses.shape):
        losses[place] = formula(*(float(array[place]) for array in arrays))
    return losses


def log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


# --- differences --------------------------------------------------------------------------------


def _weighted(losses: Array, weight: Array | None) -> Any:
    return losses if weight is None else (losses * weight, float(weight.sum()))


def mse_loss(x: Array, t: Array, weight: Array | None = None) -> Any:
    return _weighted(each(lambda a, b: (a - b) * (a - b), x, t), weight)


def l1_loss(x: Array, t: Array, weight: Array | None = None) -> Any:
    return _weighted(each(lambda a, b: max(a - b, b - a), x, t), weight)


def huber_loss(x: Array, t: Array, delta: float = 1.0, weight: Array | None = None) -> Array:
    def formula(a: float, b: float) -> float:
        d = max(a - b, b - a)
        return d * d / 2 if d < delta else delta * (d - delta / 2)

    losses = each(formula, x, t)
    return losses if weight is None else losses * weight


def smooth_l1_loss(x: Array, t: Array, beta: float = 1.0) -> Array:
    return l1_loss(x, t) if beta == 0 else huber_loss(x, t, beta) / beta


# --- densities ----------------------------------------------------------------------------------


def poisson_nll_loss(
    x: Array, t: Array, log_input: bool = True, full: bool = False, eps: float = 1e-8
) -> Array:
    def formula(a: float, b: float) -> float:
        loss = math.exp(a) - b * a if log_input else a - b * math.log(a + eps)
        if full and b > 1:
            loss += b * math.log(b) - b + math.log(2 * math.pi * b) / 2
        return loss

    return each(formula, x, t)


def gaussian_nll_loss(x: Array, t: Array, var: Any, full: bool = False, eps: float = 1e-6) -> Array:
    var = np.asarray(var, dtype="float64")
    if var.ndim and var.ndim < x.ndim:
        var = var[..., None]

    def formula(a: float, b: float, v: float) -> float:
        v = max(v, eps)
        return (math.log(v) + (a - b) ** 2 / v + full * math.log(2 * math.pi)) / 2

    return each(formula, x, t, var)


def kl_div(x: Array, t: Array, log_target: bool = False) -> Array:
    def formula(a: float, b: float) -> float:
        if log_target:
            return math.exp(b) * (b - a)
        return b * (math.log(b) - a) if b else 0.0

    return each(formula, x, t)


# --- yes or no ----------------------------------------------------------------------------------


def binary_cross_entropy(x: Array, t: Array, weight: Array | float = 1.0) -> Array:
    def formula(p: float, b: float, w: float) -> float:
        return -w * (b * max(log(p), -100.0) + (1 - b) * max(log(1 - p), -100.0))

    return each(formula, x, t, np.asarray(weight))


def multilabel_soft_margin_loss(x: Array, t: Array, weight: Array | float = 1.0) -> Array:
    def formula(a: float, b: float, w: float) -> float:
        return -w * (b * log(sigmoid(a)) + (1 - b) * log(sigmoid(-a)))

    return each(formula, x, t, np.asarray(weight)).sum(-1) / x.shape[-1]


def soft_margin_loss(x: Array, t: Array) -> Array:
    return each(lambda a, b: math.log(1 + math.exp(-a * b)), x, t)


def sigmoid_focal_loss(x: Array, t: Array, alpha: float = 0.25, gamma: float = 2.0) -> Array:
    def formula(a: float, b: float) -> float:
        p = sigmoid(a)
        right = p * b + (1 - p) * (1 - b)
        cost = -b * math.log(p) - (1 - b) * math.log(1 - p)
        balance = alpha * b + (1 - alpha) * (1 - b) if alpha >= 0 else 1.0
        return balance * (1 - right) ** gamma * cost

    return each(formula, x, t)


def dice_loss(x: Array, t: Array, smooth: float = 1.0) -> Array:
    losses = np.zeros(x.shape[:2])
    for n, c in np.ndindex(losses.shape):
        p, q = x[n, c].ravel().tolist(), t[n, c].ravel().tolist()
        overlap = sum(a * b for a, b in zip(p, q, strict=True))
        losses[n, c] = 1 - (2 * overlap + smooth) / (sum(p) + sum(q) + smooth)
    return losses


# --- classes ------------------------------------------------------------------------------------


def rows(x: Array) -> Iterator[tuple[tuple[int, ...], list[float]]]:
    """The scores of each place of (N, C, ...), or of (C,)."""
    last = np.moveaxis(x, min(1, x.ndim - 1), -1)
    for place in np.ndindex(last.shape[:-1]):
        yield place, last[place].tolist()


def _by_label(
    x: Array,
    labels: Array,
    weight: Array | None,
    ignore_index: int,
    cost: Callable[[list[float], int], float],
) -> tuple[Array, float]:
    losses, total = np.zeros(labels.shape), 0.0
    for place, scores in rows(x):
        label = int(labels[place])
        if label != ignore_index:
            w = 1.0 if weight is None else float(weight[label])
            losses[place] = w * cost(scores, label)
            total += w
    return losses, total


def nll_loss(
    x: Array, labels: Array, weight: Array | None = None, ignore_index: int = -100
) -> tuple[Array, float]:
    return _by_label(x, labels, weight, ignore_index, lambda scores, label: -scores[label])


def focal_loss(
    x: Array,
    labels: Array,
    weight: Array | None = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
) -> tuple[Array, float]:
    def cost(scores: list[float], label: int) -> float:
        p = math.exp(scores[label]) / sum(map(math.exp, scores))
        return -((1 - p) ** gamma) * math.log(p)

    return _by_label(x, labels, weight, ignore_index, cost)


def multi_margin_loss(
    x: Array, labels: Array, p: int = 1, margin: float = 1.0, weight: Array | None = None
) -> Array:
    def cost(scores: list[float], label: int) -> float:
        lacks = [margin - scores[label] + s for i, s in enumerate(scores) if i != label]
        return sum(max(0.0, lack) ** p for lack in lacks) / len(scores)

    return _by_label(x, labels, weight, -100, cost)[0]


def multilabel_margin_loss(x: Array, labels: Array) -> Array:
    losses = np.zeros(x.shape[:-1])
    for place in np.ndindex(losses.shape):
        scores, listed = x[place].tolist(), []
        for label in labels[place].tolist():
            if label < 0:
                break
            listed.append(label)
        for label in listed:
            for i, score in enumerate(scores):
                if i not in listed:
                    losses[place] += max(0.0, 1 - scores[label] + score) / len(scores)
    return losses


# --- pairs --------------------------------------------------------------------------------------


def hinge_embedding_loss(x: Array, t: Array, margin: float = 1.0) -> Array:
    return each(lambda a, b: a if b == 1 else max(0.0, margin - a), x, t)


def margin_ranking_loss(x: Array, y: Array, t: Array, margin: float = 0.0) -> Array:
    return each(lambda a, b, c: max(0.0, margin - c * (a - b)), x, y, t)


def cosine_embedding_loss(x: Array, y: Array, t: Array, margin: float = 0.0) -> Array:
    losses = np.zeros(t.shape)
    for place in np.ndindex(t.shape):
        a, b = x[place].tolist(), y[place].tolist()
        dot = sum(p * q for p, q in zip(a, b, strict=True))
        cosine = dot / math.hypot(*a) / math.hypot(*b)
        losses[place] = 1 - cosine if t[place] == 1 else max(0.0, cosine - margin)
    return losses


def pairwise_distance(
    x: Array, y: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Array:
    x, y = np.broadcast_arrays(x, y)
    distances = np.zeros(x.shape[:-1])
    for place in np.ndindex(distances.shape):
        sizes = [abs(a - b + eps) for a, b in zip(x[place], y[place], strict=True)]
        if math.isinf(p):
            distances[place] = max(sizes) if p > 0 else min(sizes)
        elif p == 0:
            distances[place] = sum(size != 0 for size in sizes)
        else:
            distances[place] = sum(size**p for size in sizes) ** (1 / p)
    return distances[..., None] if keepdim else distances


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
) -> Array:
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = each(min, far, pairwise_distance(positive, negative, p, eps))
    near = pairwise_distance(anchor, positive, p, eps)
    return each(lambda a, b: max(0.0, margin + a - b), near, far)


def triplet_margin_with_distance_loss(
    anchor: Array, positive: Array, negative: Array, margin: float = 1.0, swap: bool = False
) -> Array:
    return triplet_margin_loss(anchor, positive, negative, margin, swap=swap)
