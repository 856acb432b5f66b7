"""Normalisation layers and dropout."""

from __future__ import annotations

from functools import partial

from tests.nn.layers import X1, X2, X3, case, twins
from xpconv import nn

NORMALISATION = [
    twins(name, 4, shape=shape, training=training)
    for name, shape in (
        ("BatchNorm1d", (5, 4)),
        ("BatchNorm1d", X1),
        ("BatchNorm2d", X2),
        ("BatchNorm3d", (2, 4, 2, 3, 2)),
    )
    for training in (False, True)
] + [
    twins("BatchNorm2d", 4, 0.1, None, False, shape=X2, training=True),
    *(
        twins("BatchNorm2d", 4, 1e-5, 0.1, affine, False, shape=X2, training=training)
        for affine, training in ((True, False), (True, True), (False, False))
    ),
    *(
        twins(name, 4, 1e-5, 0.1, affine, tracked, shape=shape, training=training)
        for name, shape in (
            ("InstanceNorm1d", X1),
            ("InstanceNorm1d", X1[1:]),
            ("InstanceNorm2d", X2),
            ("InstanceNorm3d", (4, 2, 3, 2)),
        )
        for affine, tracked, training in (
            (False, False, False),
            (True, False, True),
            (True, True, False),
            (True, True, True),
        )
    ),
    twins("InstanceNorm2d", 4, shape=X2, training=True),
    twins("GroupNorm", 2, 4, shape=X2),
    twins("GroupNorm", 4, 4, 0.1, False, shape=X1),
    *(  # PyTorch has ``bias`` last, and by name only, from 2.13 on
        case(partial(make, bias=False), X2, training=training)
        for make in (
            partial(nn.BatchNorm2d, 4),
            partial(nn.InstanceNorm2d, 4, affine=True, track_running_stats=True),
            partial(nn.GroupNorm, 2, 4),
        )
        for training in (False, True)
    ),
    twins("LayerNorm", 5, shape=X2),
    twins("LayerNorm", (6, 5), 0.1, True, False, shape=X2),
    twins("LayerNorm", (4, 7), 1e-5, False, shape=X1),
    twins("RMSNorm", 7, shape=X1),
    twins("RMSNorm", (4, 7), 0.1, False, shape=X1),
    twins("LocalResponseNorm", 3, shape=X2),
    twins("LocalResponseNorm", 4, 0.5, 0.6, 1.5, shape=X1),
    twins("Dropout", 0.3, shape=X2),
    case(lambda: nn.Dropout(0.3), X2, training=True),
    twins("Dropout", 0.0, shape=X2, training=True),
    twins("Dropout", 1.0, shape=X2, training=True),
    *(
        twins(name, 0.4, shape=shape)
        for name, shape in (
            ("Dropout1d", X1),
            ("Dropout2d", X2),
            ("Dropout3d", X3),
            ("AlphaDropout", X1),
            ("FeatureAlphaDropout", X2),
        )
    ),
    *(
        case(make, X1, training=True)
        for make in (
            lambda: nn.Dropout1d(0.4),
            lambda: nn.Dropout2d(0.4),
            lambda: nn.Dropout3d(0.4),
            lambda: nn.AlphaDropout(0.4),
            lambda: nn.FeatureAlphaDropout(0.4),
            lambda: nn.StochasticDepth(0.4, "row"),
            lambda: nn.StochasticDepth(0.4, "batch"),
        )
    ),
    *(
        case(lambda wrap=wrap, make=make: wrap(make()), shape)
        for wrap in (nn.weight_norm, nn.spectral_norm)
        for make, shape in (
            (lambda: nn.Linear(4, 3), (2, 4)),
            (lambda: nn.Conv2d(4, 3, 2, bias=False), X2),
            (lambda: nn.ConvTranspose1d(4, 3, 2), X1),
            (lambda: nn.BatchNorm1d(4), X1),
        )
    ),
    case(lambda: nn.weight_norm(nn.Conv1d(4, 3, 2), dim=None), X1),
    case(lambda: nn.weight_norm(nn.Conv1d(4, 3, 2), dim=1), X1, training=True),
    case(lambda: nn.spectral_norm(nn.Conv1d(4, 3, 2), dim=-1), X1),
]
