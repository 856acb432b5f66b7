"""Pools."""

from __future__ import annotations

import numpy as np

from tests.ops.samples.sample import X1, X2, X3, Maker, apart, normal, sample, uniform


def places(count: int, *shape: int, planes: int = 2) -> Maker:
    """Different places of ``count``, for each plane of the last axes."""

    def make(rng: np.random.Generator) -> np.ndarray:
        rows, taken = int(np.prod(shape[:planes])), int(np.prod(shape[planes:]))
        chosen = [rng.permutation(count)[:taken] for _ in range(rows)]
        return np.array(chosen, dtype="int64").reshape(shape)

    return make


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
    *(
        sample(f"adaptive_{kind}_pool{dims}d", apart(*shape), output_size=size)
        for dims, shape, sizes in ((1, X1, (3, 7)), (2, X2, ((3, 2), (None, 7))), (3, X3, (2, 1)))
        for kind in ("avg", "max")
        for size in sizes
    ),
    sample("adaptive_avg_pool2d", normal(4, 6, 5), output_size=4),
    sample("adaptive_max_pool2d", apart(4, 6, 5), output_size=(1, 4)),
    *(
        sample(f"lp_pool{dims}d", uniform(*shape), norm_type=p, **options)
        for dims, shape in ((1, X1), (2, X2), (3, X3))
        for p, options in (
            (2, {"kernel_size": 2}),
            (2.5, {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
        )
    ),
    sample("lp_pool2d", normal(4, 6, 5), norm_type=2, kernel_size=(3, 2), stride=1),
    sample("lp_pool2d", apart(*X2), norm_type=float("inf"), kernel_size=2),
    sample("lp_pool1d", apart(*X1), norm_type=float("-inf"), kernel_size=2),
    sample("lp_pool2d", uniform(*X2), norm_type=-1, kernel_size=2),
    sample("max_unpool1d", normal(2, 3, 4), places(8, 2, 3, 4), kernel_size=2),
    sample("max_unpool2d", normal(2, 3, 2, 3), places(24, 2, 3, 2, 3), kernel_size=2),
    sample(
        "max_unpool2d",
        normal(3, 2, 3),
        places(35, 3, 2, 3, planes=1),
        kernel_size=3,
        stride=2,
        output_size=(5, 7),
    ),
    sample(
        "max_unpool3d",
        normal(2, 2, 2, 3, 2),
        places(20, 2, 2, 2, 3, 2),
        kernel_size=(2, 3, 2),
        stride=(2, 1, 2),
        padding=(1, 0, 0),
    ),
]
