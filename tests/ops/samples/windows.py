"""Windows laid out as columns, columns added back, and what stands around an array."""

from __future__ import annotations

from tests.ops.samples.sample import X1, X2, X3, normal, sample

WINDOWS = [
    sample("unfold", normal(*X2), kernel_size=2),
    sample("unfold", normal(*X2), kernel_size=(2, 3), dilation=2, padding=(1, 2), stride=2),
    sample("unfold", normal(*X1), kernel_size=(3,), stride=(2,)),
    sample("unfold", normal(*X3), kernel_size=(2, 1, 2), padding=1),
    sample("fold", normal(2, 12, 6), output_size=(3, 4), kernel_size=2),
    sample("fold", normal(2, 12, 24), output_size=(5, 4), kernel_size=(2, 3), padding=1),
    sample("fold", normal(2, 6, 3), output_size=(7,), kernel_size=(3,), stride=(2,)),
    sample("pad", normal(*X1), pad=(1, 2)),
    sample("pad", normal(3, 4), pad=(0, 2, -1, -1), value=1.5),
    sample("pad", normal(3, 4), pad=(-1, -2)),
    *(
        sample("pad", normal(*shape), pad=pads, mode=mode)
        for mode in ("reflect", "replicate", "circular")
        for shape, pads in (
            (X1, (3, 1)),
            (X2, (1, 0, 2, 2)),
            (X2, (-1, 2, 1, -2)),
            (X3, (1, 2, 0, 1, 2, 1)),
        )
    ),
    sample("pad", normal(*X2[1:]), pad=(2, 1, 0, 1), mode="reflect"),
]
