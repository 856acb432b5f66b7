"""Losses. Random numbers are nowhere near the kinks at 0 and at the margins."""

from __future__ import annotations

import numpy as np

from tests.ops.samples.sample import (
    ALL,
    PAIR,
    Maker,
    by_name,
    classes,
    normal,
    probabilities,
    sample,
    uniform,
)
from xpconv import ops


def signs(*shape: int) -> Maker:
    """1 and -1, floating."""
    return lambda rng: rng.choice([-1.0, 1.0], size=shape)


def lists(*rows: list[int]) -> Maker:
    """Lists of labels."""
    return lambda rng: np.asarray(rows)


X = (4, 3)
REDUCTIONS = ("none", "mean", "sum")

LOSSES = [
    *(
        sample("cross_entropy", normal(*X), classes(3, 4), reduction=reduction)
        for reduction in REDUCTIONS
    ),
    sample("cross_entropy", normal(*X), classes(3, 4), uniform(3), label_smoothing=0.1),
    sample("cross_entropy", normal(*X), classes(3, 4), uniform(3), ignore_index=1),
    sample("cross_entropy", normal(2, 3, 4, 2), classes(3, 2, 4, 2), uniform(3)),
    sample(
        "cross_entropy",
        normal(*X),
        probabilities(*X),
        uniform(3),
        wanted=ALL,
        label_smoothing=0.1,
    ),
    *(
        sample("nll_loss", normal(2, 3, 4), classes(3, 2, 4), uniform(3), reduction=reduction)
        for reduction in REDUCTIONS
    ),
    sample("nll_loss", normal(3), classes(3), reduction="none"),
    *(
        sample("focal_loss", normal(2, 3, 4), classes(3, 2, 4), uniform(3), gamma=gamma)
        for gamma in (0.0, 0.5, 2.0)
    ),
    *(
        by_name(name, input=normal(*X), target=normal(*X), weight=uniform(*X), reduction=reduction)
        for name in ("mse_loss", "l1_loss", "huber_loss")
        for reduction in ("sum", "mean")
    ),
    *(
        sample("mse_loss", normal(*X), normal(*X), wanted=PAIR, reduction=reduction)
        for reduction in REDUCTIONS
    ),
    *(
        sample(name, normal(*X), normal(*X), wanted=PAIR, reduction=reduction)
        for name in ("l1_loss", "smooth_l1_loss", "huber_loss")
        for reduction in ("none", "mean")
    ),
    sample("smooth_l1_loss", normal(*X), normal(*X), wanted=PAIR, beta=0.3),
    sample("smooth_l1_loss", normal(*X), normal(*X), wanted=PAIR, beta=0.0),
    sample("huber_loss", normal(*X), normal(*X), wanted=PAIR, delta=0.3),
    *(
        sample("poisson_nll_loss", uniform(*X), uniform(*X), wanted=PAIR, log_input=log, full=full)
        for log in (True, False)
        for full in (True, False)
    ),
    *(
        sample("gaussian_nll_loss", normal(*X), normal(*X), uniform(*var), wanted=ALL, full=full)
        for var, full in ((X, True), (X[:1], False), ((1, 3), False))
    ),
    *(
        sample("kl_div", normal(*X), probabilities(*X), wanted=PAIR, reduction=reduction)
        for reduction in (*REDUCTIONS, "batchmean")
    ),
    sample("kl_div", normal(*X), normal(3), wanted=PAIR, log_target=True),
    *(
        sample(name, probabilities(*X), probabilities(*X), wanted=PAIR, reduction=reduction)
        for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "dice_loss")
        for reduction in REDUCTIONS
    ),
    sample("binary_cross_entropy", probabilities(*X), probabilities(*X), uniform(3), wanted=PAIR),
    sample(
        "binary_cross_entropy_with_logits", normal(*X), probabilities(*X), uniform(*X), wanted=PAIR
    ),
    sample("dice_loss", probabilities(2, 3, 4, 2), probabilities(2, 3, 4, 2), smooth=0.1),
    *(
        sample("sigmoid_focal_loss", normal(*X), probabilities(*X), wanted=PAIR, **options)
        for options in ({}, {"alpha": -1, "gamma": 0.5}, {"gamma": 0, "reduction": "mean"})
    ),
    *(
        sample("multi_margin_loss", normal(*X), classes(3, 4), p=p, reduction=reduction)
        for p, reduction in ((1, "none"), (2, "mean"))
    ),
    sample("multi_margin_loss", normal(3), classes(3), margin=0.4),
    *(
        sample(
            "multilabel_margin_loss",
            normal(3, 4),
            lists([2, 0, -1, 1], [-1, 0, 0, 0], [1, 1, 3, 0]),
            reduction=reduction,
        )
        for reduction in REDUCTIONS
    ),
    sample("multilabel_soft_margin_loss", normal(*X), probabilities(*X), uniform(3), wanted=ALL),
    sample("soft_margin_loss", normal(*X), signs(*X)),
    sample("soft_margin_loss", normal(*X), signs(3), reduction="none"),
    sample("hinge_embedding_loss", uniform(*X), signs(*X)),
    sample("hinge_embedding_loss", uniform(*X), signs(3), margin=2.0, reduction="none"),
    sample("margin_ranking_loss", normal(*X), normal(*X), signs(*X), wanted=ALL, margin=0.1),
    sample("margin_ranking_loss", normal(*X), normal(1, 3), signs(4, 1), wanted=ALL),
    sample("cosine_embedding_loss", normal(*X), normal(*X), signs(4), wanted=PAIR, margin=0.1),
    sample("cosine_embedding_loss", normal(3), normal(3), signs(), wanted=PAIR, reduction="none"),
    *(
        sample("triplet_margin_loss", normal(*X), normal(*X), normal(*X), wanted=ALL, **options)
        for options in (
            {},
            {"p": 1, "swap": True, "reduction": "none"},
            {"p": 3, "swap": True, "margin": 2.0, "reduction": "sum"},
        )
    ),
    sample(
        "triplet_margin_with_distance_loss",
        normal(*X),
        normal(1, 3),
        normal(*X),
        wanted=ALL,
        distance_function=ops.pairwise_distance,
        swap=True,
    ),
    *(
        sample("pairwise_distance", normal(*X), normal(3), wanted=PAIR, p=p)
        for p in (2.0, 1.0, 3.0, 0.5, float("inf"))
    ),
    sample("pairwise_distance", normal(2, *X), normal(*X), wanted=PAIR, keepdim=True, eps=0.0),
]
