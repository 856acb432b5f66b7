"""Activations."""

from __future__ import annotations

from tests.ops.samples.sample import apart, sample

ACTIVATIONS = [
    *(
        sample(name, apart(3, 4, 5), **options)
        for name, options in (
            ("relu", {}),
            ("leaky_relu", {}),
            ("leaky_relu", {"negative_slope": 0.3}),
            ("sigmoid", {}),
            ("tanh", {}),
            ("gelu", {}),
            ("gelu", {"approximate": "tanh"}),
            ("silu", {}),
            ("softmax", {}),
            ("softmax", {"dim": 1}),
            ("log_softmax", {}),
            ("log_softmax", {"dim": 0}),
        )
    ),
]
