"""Layers that resample, and that shuffle pixels and channels."""

from __future__ import annotations

from tests.nn.layers import X1, X2, X3, twins

RESAMPLING = [
    twins("Upsample", (9,), shape=X1),
    twins("Upsample", None, 1.5, "linear", True, shape=X1),
    twins("Upsample", None, (2, 1.7), "bilinear", None, True, shape=X2),
    twins("Upsample", 4, None, "bicubic", False, shape=X2),
    twins("Upsample", None, 2, "trilinear", shape=X3),
    twins("UpsamplingNearest2d", None, 2, shape=X2),
    twins("UpsamplingBilinear2d", (9, 4), shape=X2),
    twins("PixelShuffle", 2, shape=(2, 8, 3, 2)),
    twins("PixelUnshuffle", 2, shape=(2, 3, 4, 6)),
    twins("ChannelShuffle", 2, shape=X2),
]
