"""One file for each library that is measured; a worker process imports exactly one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._base import Job as Job, Peer as Peer, Unsupported as Unsupported


def load(config: Mapping[str, Any]) -> Peer:
    """The peer that `config` describes; ImportError when its library is not installed."""
    library = config["library"]
    if library == "xpconv":
        from ._xpconv import XpconvPeer

        return XpconvPeer(config)
    if library == "torch":
        from ._torch import TorchPeer

        return TorchPeer(config)
    if library == "scipy":
        from ._scipy import ScipyPeer

        return ScipyPeer(config)
    if library == "im2col":
        from ._im2col import Im2colPeer

        return Im2colPeer(config)
    if library == "jax":
        from ._jax import JaxPeer

        return JaxPeer(config)
    raise ValueError(f"unknown library {library!r}: expected xpconv, torch, jax, im2col or scipy")
