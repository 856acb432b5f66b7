"""JAX: convolutions compiled by XLA, images in channels-last order, its faster one on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from xpconv import models

from .._cases import INFERENCE, PRECISIONS, LayerCase, TrainingCase
from .._networks import STATISTICS
from ._base import VERIFIED_STEPS, Job, Peer, Unsupported, layer_outputs
from ._jax_models import NETWORKS, Layers

Tree = dict[str, Any]


class JaxPeer(Peer):
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._most = int(config.get("most", 2**31))

    def describe(self) -> dict[str, str]:
        return {"jax": jax.__version__, "memory": "channels-last", **self.device.describe()}

    def layer(self, case: LayerCase) -> Job:
        if case.batch > self._most:
            raise Unsupported(f"more than {self._most} images: several times slower than others")
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
        if case.group == "imagenet" and (case.batch > self._most or case.mode != INFERENCE):
            raise Unsupported(f"inference of up to {self._most} images: the rest takes minutes")
        if case.model not in NETWORKS or case.dtype in PRECISIONS:
            raise Unsupported("no twin of this network")
        jnp = jax.numpy
        network, training = NETWORKS[case.model], case.mode != INFERENCE
        parameters, statistics = self._initial(case)
        batches = [
            (jnp.asarray(x.transpose(0, 2, 3, 1)), jnp.asarray(labels)) for x, labels in case.data()
        ]

        @jax.jit
        def infer(parameters: Tree, x: Any) -> Any:
            return network(Layers(parameters | statistics, False), x)

        if not training:
            both = (parameters, batches[0][0])
            return Job(
                lambda: jax.block_until_ready(infer(*both)), lambda: {"y": np.asarray(infer(*both))}
            )

        def loss_of(parameters: Tree, x: Any, labels: Any) -> Any:
            logits = network(Layers(parameters | statistics, True), x)
            chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
            return -chosen.mean()

        @jax.jit
        def update(parameters: Tree, velocity: Tree, x: Any, labels: Any) -> Any:
            loss, grads = jax.value_and_grad(loss_of)(parameters, x, labels)
            velocity = {k: case.momentum * velocity[k] + grads[k] for k in velocity}
            return loss, {k: parameters[k] - case.lr * velocity[k] for k in velocity}, velocity

        state = (parameters, {k: jnp.zeros_like(v) for k, v in parameters.items()})
        step = 0

        def run() -> Any:
            nonlocal state, step
            x, labels = batches[step % len(batches)]
            step += 1
            loss, *after = jax.block_until_ready(update(*state, x, labels))
            state = (after[0], after[1])
            return loss

        return Job(run, lambda: {"loss": np.array([float(run()) for _ in range(VERIFIED_STEPS)])})

    def _initial(self, case: TrainingCase) -> tuple[Tree, Tree]:
        """The weights that every library starts from, kernels as (KH, KW, C/G, O); statistics."""
        parameters, statistics = {}, {}
        model = models.get_model(
            case.model, num_classes=case.classes, in_channels=case.channels
        )  # for names and shapes
        for name, value in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            moving = name.endswith(STATISTICS)
            array = case.initial(name, tuple(value.shape)) if case.draws(name) else value
            array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            (statistics if moving else parameters)[name] = jax.numpy.asarray(array)
        return parameters, statistics
