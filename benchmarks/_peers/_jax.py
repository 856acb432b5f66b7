"""JAX: convolutions compiled by XLA, images in channels-last order, its faster one on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._cases import LayerCase, TrainingCase
from ._base import Job, Peer, Unsupported, layer_outputs


class JaxPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._most = int(config.get("most", 2**31))
        import jax

        self._jax = jax

    def describe(self) -> dict[str, str]:
        return {"jax": self._jax.__version__, "memory": "channels-last", **self.device.describe()}

    def layer(self, case: LayerCase) -> Job:
        if case.batch > self._most:
            raise Unsupported(f"more than {self._most} images: several times slower than others")
        jax = self._jax
        data = case.data()
        x, dy = (jax.numpy.asarray(data[name].transpose(0, 2, 3, 1)) for name in ("x", "dy"))
        weight = jax.numpy.asarray(data["weight"].transpose(2, 3, 1, 0))  # (KH, KW, C/G, O)
        bias = jax.numpy.asarray(data["bias"])

        def convolve(x: Any, weight: Any, bias: Any) -> Any:
            y = jax.lax.conv_general_dilated(
                x,
                weight,
                (case.stride,) * 2,
                ((case.padding,) * 2,) * 2,
                rhs_dilation=(case.dilation,) * 2,
                feature_group_count=case.groups,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return y + bias

        def both(x: Any, weight: Any, bias: Any) -> Any:
            y, pullback = jax.vjp(convolve, x, weight, bias)
            return (y, *pullback(dy))

        compiled: Callable[..., Any] = jax.jit(convolve if case.mode == "forward" else both)

        def run() -> Any:
            return jax.block_until_ready(compiled(x, weight, bias))

        def outputs() -> dict[str, np.ndarray]:
            found = run()
            arrays = [np.asarray(a) for a in (found if isinstance(found, tuple) else (found,))]
            orders = ((0, 3, 1, 2), (0, 3, 1, 2), (3, 2, 0, 1), (0,))[: len(arrays)]
            back = [a.transpose(order) for a, order in zip(arrays, orders, strict=True)]
            return layer_outputs(case.mode, tuple(back))

        return Job(run, outputs)

    def training(self, case: TrainingCase) -> Job:
        raise Unsupported("single layers only")
