"""Normalisation and dropout."""

from __future__ import annotations

from tests.ops.samples.sample import PAIR, X1, X2, X3, by_name, normal, sample, uniform

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
    *(
        sample(
            "instance_norm",
            normal(*shape),
            normal(shape[1]),
            uniform(shape[1]),
            normal(shape[1]),
            normal(shape[1]),
            wanted=(0, 3, 4),
            use_input_stats=own,
            eps=0.01,
        )
        for shape in (X1, X2, X3)
        for own in (False, True)
    ),
    sample("instance_norm", normal(*X2)),
    *(
        sample("group_norm", normal(*shape), num_groups=groups, eps=0.01)
        for shape, groups in (((3, 6), 2), (X1, 1), (X2, 2), (X2, 4), (X3, 1))
    ),
    by_name("group_norm", x=normal(*X1), num_groups=2, weight=normal(4), bias=normal(4)),
    by_name("group_norm", x=normal(*X2), num_groups=2, weight=normal(4), bias=normal(4)),
    sample("layer_norm", normal(3, 5), normalized_shape=(5,)),
    by_name(
        "layer_norm",
        x=normal(*X2),
        normalized_shape=(6, 5),
        weight=normal(6, 5),
        bias=normal(6, 5),
    ),
    by_name("layer_norm", x=normal(5), normalized_shape=(5,), weight=normal(5), bias=normal(5)),
    sample("rms_norm", normal(3, 5), normalized_shape=(5,)),
    by_name("rms_norm", x=normal(*X1), normalized_shape=(4, 7), weight=normal(4, 7)),
    sample("weight_norm", normal(4, 3), normal(4, 1), wanted=PAIR),
    sample("weight_norm", normal(4, 3, 2), normal(1, 3, 1), wanted=PAIR, dim=-2),
    sample("weight_norm", normal(4, 3, 2), normal(), wanted=PAIR, dim=-1),
    sample("weight_norm", normal(4), normal(4), wanted=PAIR),
    sample("spectral_norm", normal(4, 3, 2), normal(4), normal(6)),
    sample("spectral_norm", normal(4, 3, 2), normal(3), normal(8), dim=1),
    sample("spectral_norm", normal(4, 3), normal(3), normal(4), dim=-1),
    *(
        sample("local_response_norm", normal(*shape), size=size, alpha=0.5, k=1.5)
        for shape, size in ((X1, 2), (X2, 3), (X3, 5), (X2, 1))
    ),
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
