"""JAX twins of the networks: functions of parameters under PyTorch's names, channels-last.

Batch norms use the batch's statistics in training and the running ones in inference; the running
ones are not brought up to date, which costs nothing that could be measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from jax import lax, numpy as jnp

from .._networks import MOBILENET_STAGES

Array = Any
EPS = 1e-5


class Layers:
    """The layers' functions, on one set of parameters."""

    def __init__(self, parameters: Mapping[str, Array], training: bool) -> None:
        self.parameters, self.training = parameters, training

    def conv(self, name: str, x: Array, stride: int = 1, padding: int = -1) -> Array:
        """Convolve with (KH, KW, C/G, O); by default the size stays, before the stride."""
        weight = self.parameters[f"{name}.weight"]
        before = weight.shape[0] // 2 if padding < 0 else padding
        y = lax.conv_general_dilated(
            x,
            weight,
            (stride,) * 2,
            ((before,) * 2,) * 2,
            feature_group_count=x.shape[-1] // weight.shape[2],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        bias = self.parameters.get(f"{name}.bias")
        return y if bias is None else y + bias

    def norm(self, name: str, x: Array) -> Array:
        get = self.parameters.__getitem__
        mean, var = get(f"{name}.running_mean"), get(f"{name}.running_var")
        if self.training:
            mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        scale = get(f"{name}.weight") * lax.rsqrt(var + EPS)
        return (x - mean) * scale + get(f"{name}.bias")

    def linear(self, name: str, x: Array) -> Array:
        return x @ self.parameters[f"{name}.weight"].T + self.parameters[f"{name}.bias"]


def max_pool(x: Array, size: int, stride: int, padding: int = 0) -> Array:
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), edges
    )


def lenet5(net: Layers, x: Array) -> Array:
    h = max_pool(jax.nn.relu(net.conv("conv1", x, padding=2)), 2, 2)
    h = max_pool(jax.nn.relu(net.conv("conv2", h, padding=0)), 2, 2)
    h = h.transpose(0, 3, 1, 2).reshape(len(h), -1)
    for name in ("fc1", "fc2"):
        h = jax.nn.relu(net.linear(name, h))
    return net.linear("fc3", h)


def small_vgg(net: Layers, x: Array) -> Array:
    for number in range(0, 21, 7):
        for place in (number, number + 3):
            x = net.conv(f"features.{place}", x)
            x = jax.nn.relu(net.norm(f"features.{place + 1}", x))
        x = max_pool(x, 2, 2)
    return net.linear("classifier.1", x.mean(axis=(1, 2)))


def resnet18(net: Layers, x: Array) -> Array:
    imagenet = net.parameters["conv1.weight"].shape[0] == 7
    h = jax.nn.relu(net.norm("bn1", net.conv("conv1", x, 2 if imagenet else 1)))
    h = max_pool(h, 3, 2, 1) if imagenet else h
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            around = h
            if f"{name}.downsample.0.weight" in net.parameters:
                around = net.conv(f"{name}.downsample.0", h, stride)
                around = net.norm(f"{name}.downsample.1", around)
            h = jax.nn.relu(net.norm(f"{name}.bn1", net.conv(f"{name}.conv1", h, stride)))
            h = jax.nn.relu(net.norm(f"{name}.bn2", net.conv(f"{name}.conv2", h)) + around)
    return net.linear("fc", h.mean(axis=(1, 2)))


def mobilenet_v2(net: Layers, x: Array) -> Array:
    def block(name: str, x: Array, stride: int = 1) -> Array:
        return jax.nn.relu6(net.norm(f"{name}.1", net.conv(f"{name}.0", x, stride)))

    h, place = block("features.0", x, 2), 0
    for expansion, width, count, first in MOBILENET_STAGES:
        for number in range(count):
            place += 1
            name, stride = f"features.{place}.conv", first if number == 0 else 1
            inner = h if expansion == 1 else block(f"{name}.0", h)
            last = 1 if expansion == 1 else 2
            inner = block(f"{name}.{last - 1}", inner, stride)
            inner = net.norm(f"{name}.{last + 1}", net.conv(f"{name}.{last}", inner))
            h = h + inner if stride == 1 and h.shape[-1] == width else inner
    return net.linear("classifier.1", block(f"features.{place + 1}", h).mean(axis=(1, 2)))


NETWORKS = {
    "lenet5": lenet5,
    "small_vgg": small_vgg,
    "resnet18_cifar": resnet18,
    "resnet18": resnet18,
    "mobilenet_v2": mobilenet_v2,
}
