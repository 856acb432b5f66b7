"""Activations."""

from __future__ import annotations

from tests.ops.samples.sample import PAIR, X1, X2, apart, normal, sample, uniform

KEY = (1, 2)

ACTIVATIONS = [
    *(
        sample(name, apart(3, 4, 6), **options)
        for name, options in (
            ("relu", {}),
            ("relu6", {}),
            ("leaky_relu", {}),
            ("leaky_relu", {"negative_slope": -0.3}),
            ("rrelu", {}),
            ("rrelu", {"lower": -0.5, "upper": 2, "training": True, "key": KEY}),
            ("threshold", {"threshold": 0.1, "value": 20}),
            ("hardtanh", {}),
            ("hardtanh", {"min_val": -1.7, "max_val": 0.4}),
            ("hardsigmoid", {}),
            ("hardswish", {}),
            ("hardshrink", {}),
            ("hardshrink", {"lambd": 0.7}),
            ("softshrink", {}),
            ("softshrink", {"lambd": 0.7}),
            ("tanhshrink", {}),
            ("elu", {}),
            ("elu", {"alpha": 0.3}),
            ("celu", {}),
            ("celu", {"alpha": 0.3}),
            ("selu", {}),
            ("sigmoid", {}),
            ("logsigmoid", {}),
            ("softplus", {}),
            ("softplus", {"beta": 3, "threshold": 1}),
            ("softsign", {}),
            ("tanh", {}),
            ("gelu", {}),
            ("gelu", {"approximate": "tanh"}),
            ("silu", {}),
            ("mish", {}),
            ("glu", {}),
            ("glu", {"dim": 1}),
            ("softmax", {}),
            ("softmax", {"dim": 1}),
            ("softmin", {}),
            ("softmin", {"dim": 1}),
            ("log_softmax", {}),
            ("log_softmax", {"dim": 0}),
            ("gumbel_softmax", {"tau": 0.7, "dim": 1, "key": KEY}),
        )
    ),
    sample("prelu", apart(*X1), normal(4), wanted=PAIR),
    sample("prelu", apart(*X2), uniform(1), wanted=PAIR),
    sample("prelu", apart(5), normal(), wanted=PAIR),
]
