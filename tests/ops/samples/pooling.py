"""Pools."""

from __future__ import annotations

from tests.ops.samples.sample import X1, X2, X3, apart, normal, sample

POOLING = [
    *(
        sample(f"max_pool{dims}d", apart(*shape), **options)
        for dims, shape in ((1, X1), (2, X2), (3, X3))
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 2, "stride": 1, "dilation": 2},
        )
    ),
    sample("max_pool2d", apart(4, 6, 5), kernel_size=(3, 2), stride=1),
    *(
        sample(f"avg_pool{dims}d", normal(*shape), **options)
        for dims, shape in ((1, X1), (2, X2), (3, X3))
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False},
        )
    ),
    sample("avg_pool2d", normal(*X2), kernel_size=(1, 2), divisor_override=3),
    sample("avg_pool2d", normal(4, 6, 5), kernel_size=2),
    sample("global_avg_pool", normal(*X1)),
    sample("global_avg_pool", normal(*X2)),
    sample("global_max_pool", apart(*X2)),
    sample("global_max_pool", apart(*X3)),
]
