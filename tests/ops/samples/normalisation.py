"""Normalisation and dropout."""

from __future__ import annotations

from tests.ops.samples.sample import X1, X2, X3, normal, sample, uniform

NORMALISATION = [
    *(
        sample(
            "batch_norm",
            normal(*shape),
            normal(shape[1]),
            uniform(shape[1]),
            normal(shape[1]),
            normal(shape[1]),
            wanted=(0, 3, 4),
            training=training,
            eps=0.01,
        )
        for shape in ((5, 3), X1, X2, X3)
        for training in (False, True)
    ),
    sample("batch_norm", normal(*X2), None, None, None, None, training=True),
    sample("dropout", normal(3, 4, 5), p=0.3, training=True, key=(1, 2)),
    sample("dropout", normal(3, 4), p=0.3, training=False),
    *(
        sample(name, normal(*shape), p=0.4, training=True, key=(1, 2))
        for name, shape in (
            ("dropout1d", X1),
            ("dropout1d", (6, 7)),
            ("dropout2d", X2),
            ("dropout2d", X1),
            ("dropout3d", X3),
            ("dropout3d", (5, 2, 3, 2)),
            ("alpha_dropout", X1),
            ("feature_alpha_dropout", X2),
        )
    ),
    sample("stochastic_depth", normal(6, 2, 3), p=0.4, mode="row", key=(1, 2)),
    sample("stochastic_depth", normal(6, 2, 3), p=0.4, mode="batch", key=(1, 2)),
]
