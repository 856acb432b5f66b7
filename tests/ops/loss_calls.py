"""A random call of each loss, with every option it has: what oracles and PyTorch are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
Shape = tuple[int, ...]
Call = tuple[list[np.ndarray], dict[str, Any]]  # arrays by place; options, arrays among them

INF = float("inf")


def pick(rng: Rng, *values: Any) -> Any:
    return values[rng.integers(len(values))]


def normal(rng: Rng, *shapes: Shape) -> list[np.ndarray]:
    return [np.asarray(rng.normal(size=shape) * 2) for shape in shapes]


def shares(rng: Rng, *shapes: Shape) -> list[np.ndarray]:
    return [np.asarray(rng.uniform(0.01, 0.99, size=shape)) for shape in shapes]


def positive(rng: Rng, *shapes: Shape) -> list[np.ndarray]:
    return [np.asarray(rng.uniform(0.1, 3, size=shape)) for shape in shapes]


def signs(rng: Rng, shape: Shape) -> np.ndarray:
    return np.asarray(rng.choice([-1.0, 1.0], size=shape))


def maybe(rng: Rng, name: str, array: np.ndarray) -> dict[str, Any]:
    return {name: array} if rng.integers(2) else {}


def stretched(rng: Rng, shape: Shape) -> Shape:
    """The shape, with some sizes made 1 and perhaps without the first axis."""
    sizes = tuple(int(pick(rng, n, n, 1)) for n in shape)
    return sizes[int(rng.integers(2)) :]


def _weighted_difference(rng: Rng, s: Shape) -> Call:
    return normal(rng, s, s), maybe(rng, "weight", *positive(rng, s))


def _labels(rng: Rng, s: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, C, ...), labels and class weights for a shape; of an axis of 0 classes, one."""
    s = s or (3,)
    axis = min(1, len(s) - 1)
    s = tuple(max(n, 1) if i == axis else n for i, n in enumerate(s))
    labels = rng.integers(0, s[axis], size=s[:axis] + s[axis + 1 :])
    return normal(rng, s)[0], np.asarray(labels), positive(rng, (s[axis],))[0]


def _nll(rng: Rng, s: Shape) -> Call:
    x, labels, weight = _labels(rng, s)
    options = maybe(rng, "weight", weight)
    if rng.integers(2) and labels.size > 1:
        options["ignore_index"] = int(labels.flat[0])
    return [x, labels], options


def _focal(rng: Rng, s: Shape) -> Call:
    arrays, options = _nll(rng, s)
    return arrays, options | {"gamma": pick(rng, 0.0, 0.5, 1.0, 2.0)}


def _multi_margin(rng: Rng, s: Shape) -> Call:
    x, labels, weight = _labels(rng, s[:2])
    options = {"p": pick(rng, 1, 2), "margin": pick(rng, 1.0, 0.4, 3.0)}
    return [x, labels], options | maybe(rng, "weight", weight)


def _multilabel_margin(rng: Rng, s: Shape) -> Call:
    x, _, weight = _labels(rng, s[:2])
    return [x, rng.integers(-1, weight.size, size=x.shape)], {}


def _gaussian(rng: Rng, s: Shape) -> Call:
    options = {"full": pick(rng, False, True), "eps": pick(rng, 1e-6, 0.5)}
    if rng.integers(4) == 0:
        return normal(rng, s, s), options | {"var": 0.7}
    var = pick(rng, s, s[:-1], (*s[:-1], 1)[: len(s)])
    return [*normal(rng, s, s), *positive(rng, var)], options


def _vectors(s: Shape) -> Shape:
    return (s or (2,))[:2]


def _cosine(rng: Rng, s: Shape) -> Call:
    s = tuple(max(n, 1) for n in _vectors(s)[-1:])
    s = (*_vectors((3, *s))[:1], *s) if rng.integers(2) else s
    return [*normal(rng, s, s), signs(rng, s[:-1])], {"margin": pick(rng, 0.0, 0.3)}


def _distance_options(rng: Rng) -> dict[str, Any]:
    return {"p": pick(rng, 2.0, 1.0, 3.0, 1.5, 0.5, INF, -INF, -1.0), "eps": pick(rng, 1e-6, 0.1)}


def _triplet(rng: Rng, s: Shape) -> Call:
    s = (*s[:-1], max((s or (2,))[-1], 1))
    options = {"margin": pick(rng, 1.0, 0.3), "swap": pick(rng, False, True)}
    return normal(rng, s, s, s), options


def _binary(rng: Rng, s: Shape) -> Call:
    return shares(rng, s, s), maybe(rng, "weight", *positive(rng, stretched(rng, s)))


CALLS: dict[str, Callable[[Rng, Shape], Call]] = {
    "mse_loss": _weighted_difference,
    "l1_loss": _weighted_difference,
    "smooth_l1_loss": lambda rng, s: (normal(rng, s, s), {"beta": pick(rng, 0.0, 0.3, 1.0, 2.0)}),
    "huber_loss": lambda rng, s: (
        normal(rng, s, s),
        {"delta": pick(rng, 0.3, 1.0, 2.0)} | maybe(rng, "weight", *positive(rng, s)),
    ),
    "poisson_nll_loss": lambda rng, s: (
        [*positive(rng, s, stretched(rng, s))],
        {"log_input": pick(rng, True, False), "full": pick(rng, True, False)},
    ),
    "gaussian_nll_loss": _gaussian,
    "kl_div": lambda rng, s: (
        [*normal(rng, s), *shares(rng, stretched(rng, s))],
        {"log_target": pick(rng, False, True)},
    ),
    "binary_cross_entropy": _binary,
    "multilabel_soft_margin_loss": lambda rng, s: (
        [*normal(rng, s or (2,)), *shares(rng, s or (2,))],
        maybe(rng, "weight", *positive(rng, (s or (2,))[-1:])),
    ),
    "soft_margin_loss": lambda rng, s: ([*normal(rng, s), signs(rng, stretched(rng, s))], {}),
    "nll_loss": _nll,
    "multi_margin_loss": _multi_margin,
    "multilabel_margin_loss": _multilabel_margin,
    "hinge_embedding_loss": lambda rng, s: (
        [*normal(rng, s), signs(rng, stretched(rng, s))],
        {"margin": pick(rng, 1.0, 0.3)},
    ),
    "margin_ranking_loss": lambda rng, s: (
        [*normal(rng, s, s), signs(rng, s)],
        {"margin": pick(rng, 0.0, 0.5)},
    ),
    "cosine_embedding_loss": _cosine,
    "triplet_margin_loss": lambda rng, s: (
        lambda call: (call[0], call[1] | _distance_options(rng))
    )(_triplet(rng, s)),
    "triplet_margin_with_distance_loss": _triplet,
}
"""Losses that PyTorch has, too."""

OURS: dict[str, Callable[[Rng, Shape], Call]] = {
    "focal_loss": _focal,
    "sigmoid_focal_loss": lambda rng, s: (
        [*normal(rng, s), *shares(rng, s)],
        {"alpha": pick(rng, 0.25, 0.6, -1), "gamma": pick(rng, 0.0, 0.5, 1.0, 2.0)},
    ),
    "dice_loss": lambda rng, s: (
        shares(rng, (2, 3, *s), (2, 3, *s)),
        {"smooth": pick(rng, 1.0, 0.1)},
    ),
}
"""And those that it has not."""

WITHOUT_GRADIENT = {
    "soft_margin_loss": (1,),
    "hinge_embedding_loss": (1,),
    "cosine_embedding_loss": (2,),
}
"""Floating arguments that take no gradient."""
