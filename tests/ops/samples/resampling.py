"""Resampling and shuffles."""

from __future__ import annotations

from tests.ops.samples.sample import X1, X2, X3, normal, sample

RESAMPLING = [
    *(
        sample("interpolate", normal(*shape), mode=mode, **options)
        for mode, shapes in (
            ("nearest", (X1, X2, X3)),
            ("nearest-exact", (X1, X2)),
            ("area", (X1, X2, X3)),
            ("linear", (X1,)),
            ("bilinear", (X2,)),
            ("trilinear", (X3,)),
            ("bicubic", (X2,)),
        )
        for shape in shapes
        for options in ({"size": tuple(n + 1 for n in shape[2:])}, {"scale_factor": 0.7})
    ),
    *(
        sample("interpolate", normal(*shape), mode=mode, size=5, align_corners=True)
        for mode, shape in (("linear", X1), ("bilinear", X2), ("trilinear", X3), ("bicubic", X2))
    ),
    *(
        sample("interpolate", normal(*X2), mode=mode, size=(4, 7), antialias=True)
        for mode in ("bilinear", "bicubic")
    ),
    sample("interpolate", normal(*X2), scale_factor=(2, 3)),
    sample(
        "interpolate",
        normal(*X2),
        mode="bilinear",
        scale_factor=1.5,
        recompute_scale_factor=True,
    ),
    sample("pixel_shuffle", normal(2, 12, 3, 2), upscale_factor=2),
    sample("pixel_shuffle", normal(9, 2, 2), upscale_factor=3),
    sample("pixel_unshuffle", normal(2, 3, 4, 6), downscale_factor=2),
    sample("channel_shuffle", normal(2, 6, 3, 2), groups=3),
    sample("channel_shuffle", normal(2, 6, 3), groups=2),
]
