"""The columns of a report: which library, in which setting, in a process of its own."""

from __future__ import annotations

import argparse
from typing import Any

from ._cases import PRECISIONS
from ._process import PeerSpec
from ._statistics import CHANNELS_LAST, DEFAULT, OURS, TITLES

COMPILED, FUSED, GRAPHS = "xpconv-compiled", "xpconv-fused", "xpconv-graphs"
PORTABLE, NCHW = "xpconv-portable", "xpconv-nchw"
MAIN = (OURS, DEFAULT, CHANNELS_LAST)
LARGEST_FOR_SLOW = 16  # images; ten times slower than the others, they take minutes for more


def on_gpu(options: argparse.Namespace) -> bool:
    """Whether xpconv, and PyTorch then, run on a GPU."""
    return any(word in options.backend for word in ("cupy", "cuda", "auto"))


def peers(options: argparse.Namespace) -> list[PeerSpec]:
    """The columns that were asked for, or those that the command and the device have by default."""
    gpu = on_gpu(options)
    shared = {"tf32": options.tf32, "dtype": options.dtype}
    device = {"device": "cuda" if gpu else "cpu", **shared}
    # What was half precision loses nothing in TF32, so its products may be made there.
    tf32 = options.tf32 or options.dtype in PRECISIONS
    ours = {
        "library": "xpconv",
        "backend": options.backend,
        "layout": "channels_last",
        **shared,
        "tf32": tf32,
    }
    slow = {"most": LARGEST_FOR_SLOW}
    seconds = options.scipy_limit or (0.1 if options.quick else 0.4)
    configs: dict[str, dict[str, Any]] = {
        OURS: ours,
        COMPILED: {**ours, "inference": "compile"},
        FUSED: {**ours, "inference": "fuse"},
        GRAPHS: {**ours, "graphs": True},
        PORTABLE: ours,
        NCHW: {**ours, "layout": "default"},
        DEFAULT: {"library": "torch", "layout": "default", **device},
        CHANNELS_LAST: {"library": "torch", "layout": "channels_last", **device},
        "jax": {"library": "jax", "pin": True, **slow, **shared},
        "im2col": {"library": "im2col", **slow},
        "scipy": {"library": "scipy", "seconds": seconds},
    }
    chosen = options.peers or (MAIN if gpu else options.columns)
    return [
        PeerSpec(
            key,
            TITLES[key],
            config,
            one_image=key == "scipy",
            slow="most" in config,
            environment=_ENVIRONMENTS.get(key, {}),
        )
        for key, config in configs.items()
        if key in chosen
    ]


_ENVIRONMENTS = {
    PORTABLE: {"XPCONV_NUMBA": "0"},
    "jax": {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"},  # it makes float32 of float64 else
}
NAMES = (
    OURS,
    COMPILED,
    FUSED,
    GRAPHS,
    PORTABLE,
    NCHW,
    DEFAULT,
    CHANNELS_LAST,
    "jax",
    "im2col",
    "scipy",
)
