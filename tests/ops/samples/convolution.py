"""Convolutions."""

from __future__ import annotations

from tests.ops.samples.sample import ALL, PAIR, X1, X2, X3, normal, sample

CONVOLUTION = [
    sample("conv1d", normal(*X1), normal(3, 4, 3), normal(3), wanted=ALL),
    sample("conv1d", normal(*X1), normal(3, 4, 2), wanted=PAIR, stride=3, padding=((2, 0),)),
    sample("conv2d", normal(*X2), normal(3, 4, 3, 2), normal(3), wanted=ALL),
    sample("conv2d", normal(*X2), normal(3, 4, 1, 1), normal(3), wanted=ALL),
    sample("conv2d", normal(*X2), normal(3, 4, 1, 1), normal(3), wanted=ALL, stride=2),
    sample("conv2d", normal(*X2), normal(3, 4, 3, 2), None, wanted=PAIR, stride=(2, 1)),
    sample("conv2d", normal(*X2), normal(3, 4, 2, 3), normal(3), wanted=ALL, padding="same"),
    sample("conv2d", normal(*X2), normal(3, 4, 2, 3), None, wanted=PAIR, dilation=2),
    sample("conv2d", normal(*X2), normal(6, 2, 2, 2), normal(6), wanted=ALL, groups=2),
    sample("conv2d", normal(*X2), normal(8, 1, 3, 3), normal(8), wanted=ALL, groups=4, padding=1),
    sample(
        "conv2d",
        normal(*X2),
        normal(4, 2, 3, 2),
        normal(4),
        wanted=ALL,
        stride=2,
        padding=((2, 1), (0, 3)),
        dilation=(1, 2),
        groups=2,
    ),
    sample("conv2d", normal(4, 6, 5), normal(3, 4, 2, 2), normal(3), wanted=ALL, padding=1),
    sample("conv3d", normal(*X3), normal(3, 2, 2, 2, 3), normal(3), wanted=ALL, padding=(1, 0, 1)),
    sample("conv3d", normal(*X3), normal(2, 1, 2, 3, 2), None, wanted=PAIR, groups=2, stride=2),
    sample("conv_transpose1d", normal(*X1), normal(4, 3, 3), normal(3), wanted=ALL),
    sample("conv_transpose1d", normal(*X1), normal(4, 2, 2), wanted=PAIR, stride=3, padding=1),
    sample("conv_transpose2d", normal(*X2), normal(4, 3, 3, 2), normal(3), wanted=ALL, stride=2),
    sample("conv_transpose2d", normal(*X2), normal(4, 3, 1, 1), normal(3), wanted=ALL),
    sample("conv_transpose2d", normal(*X2), normal(4, 1, 2, 2), normal(4), wanted=ALL, groups=4),
    sample(
        "conv_transpose2d",
        normal(*X2),
        normal(4, 3, 2, 3),
        normal(6),
        wanted=ALL,
        stride=(3, 2),
        padding=((1, 0), (0, 2)),
        output_padding=(2, 1),
        groups=2,
        dilation=(1, 2),
    ),
    sample(
        "conv_transpose2d",
        normal(4, 3, 2),
        normal(4, 2, 2, 2),
        None,
        wanted=PAIR,
        output_padding=(2, 1),
        dilation=3,
    ),
    sample("conv_transpose3d", normal(*X3), normal(2, 3, 2, 1, 2), normal(3), wanted=ALL, stride=2),
    *(
        sample(name, normal(2, 5, 6), normal(2, 3), wanted=PAIR, mode=mode)
        for name in ("correlate2d", "convolve2d")
        for mode in ("valid", "same", "full")
    ),
]
