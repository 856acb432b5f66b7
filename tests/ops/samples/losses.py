"""Losses."""

from __future__ import annotations

from tests.ops.samples.sample import PAIR, classes, normal, probabilities, sample, uniform

LOSSES = [
    *(
        sample("cross_entropy", normal(4, 3), classes(3, 4), reduction=reduction)
        for reduction in ("none", "mean", "sum")
    ),
    sample("cross_entropy", normal(4, 3), classes(3, 4), uniform(3), label_smoothing=0.1),
    sample("cross_entropy", normal(4, 3), classes(3, 4), uniform(3), ignore_index=1),
    sample("cross_entropy", normal(2, 3, 4, 2), classes(3, 2, 4, 2), uniform(3)),
    sample("cross_entropy", normal(4, 3), probabilities(4, 3), uniform(3), label_smoothing=0.1),
    *(
        sample("mse_loss", normal(4, 3), normal(4, 3), wanted=PAIR, reduction=reduction)
        for reduction in ("none", "mean", "sum")
    ),
    *(
        sample(
            "binary_cross_entropy_with_logits",
            normal(4, 3),
            probabilities(4, 3),
            reduction=reduction,
        )
        for reduction in ("none", "mean", "sum")
    ),
    sample("binary_cross_entropy_with_logits", normal(4, 3), probabilities(4, 3), uniform(4, 3)),
]
