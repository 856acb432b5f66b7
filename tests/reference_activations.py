"""Activations number by number, from their definitions; never imports xpconv.

Each is (value, derivative) of one Python float. Where the textbook's form loses digits it is
written in one that does not, so that relative errors can be asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Curve = tuple[Callable[..., float], Callable[..., float]]

ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v)) if v > -700 else math.exp(v)


def bell(v: float) -> float:
    return math.exp(-v * v / 2) / math.sqrt(2 * math.pi)


def normal(v: float) -> float:
    return math.erfc(-v / math.sqrt(2)) / 2


def softplus(v: float, beta: float = 1.0, threshold: float = 20.0) -> float:
    if beta * v > threshold:
        return v
    return (max(beta * v, 0.0) + math.log1p(math.exp(-abs(beta * v)))) / beta


def softplus_slope(v: float, beta: float = 1.0, threshold: float = 20.0) -> float:
    return 1.0 if beta * v > threshold else sigmoid(beta * v)


def tanhshrink(v: float) -> float:
    if abs(v) > 0.3:
        return v - math.tanh(v)
    # Taylor's series, whose terms fall by more than 0.03 each
    terms = (1 / 3, -2 / 15, 17 / 315, -62 / 2835, 1382 / 155925, -21844 / 6081075)
    more = (929569 / 638512875, -6404582 / 10854718875, 443861162 / 1856156927625)
    return sum(c * v ** (3 + 2 * i) for i, c in enumerate((*terms, *more)))


def cubic(v: float) -> float:
    """Twice the argument of tanh in the approximate GELU."""
    return 2 * math.sqrt(2 / math.pi) * v * (1 + 0.044715 * v * v)


def gelu_tanh_slope(v: float) -> float:
    slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * v * v)
    s, r = sigmoid(cubic(v)), sigmoid(-cubic(v))
    return s + v * s * r * slope


def mish_slope(v: float) -> float:
    t = math.tanh(softplus(v, threshold=math.inf))
    return t + v * sigmoid(v) * (1 - t * t)


CURVES: dict[str, Curve] = {
    "relu": (lambda v: v if v > 0 else 0.0, lambda v: 1.0 if v > 0 else 0.0),
    "relu6": (lambda v: min(max(v, 0.0), 6.0), lambda v: 1.0 if 0 < v < 6 else 0.0),
    "leaky_relu": (
        lambda v, negative_slope=0.01: v if v > 0 else negative_slope * v,
        lambda v, negative_slope=0.01: 1.0 if v > 0 else negative_slope,
    ),
    "rrelu": (
        lambda v, lower=1 / 8, upper=1 / 3: v if v > 0 else v * (lower + upper) / 2,
        lambda v, lower=1 / 8, upper=1 / 3: 1.0 if v > 0 else (lower + upper) / 2,
    ),
    "threshold": (
        lambda v, threshold, value: v if v > threshold else value,
        lambda v, threshold, value: 1.0 if v > threshold else 0.0,
    ),
    "hardtanh": (
        lambda v, min_val=-1.0, max_val=1.0: min(max(v, min_val), max_val),
        lambda v, min_val=-1.0, max_val=1.0: 1.0 if min_val < v < max_val else 0.0,
    ),
    "hardsigmoid": (
        lambda v: min(max(v + 3, 0.0), 6.0) / 6,
        lambda v: 1 / 6 if -3 < v < 3 else 0.0,
    ),
    "hardswish": (
        lambda v: v * min(max(v + 3, 0.0), 6.0) / 6,
        lambda v: 0.0 if v <= -3 else 1.0 if v >= 3 else v / 3 + 0.5,
    ),
    "hardshrink": (
        lambda v, lambd=0.5: v if abs(v) > lambd else 0.0,
        lambda v, lambd=0.5: 1.0 if abs(v) > lambd else 0.0,
    ),
    "softshrink": (
        lambda v, lambd=0.5: math.copysign(max(abs(v) - lambd, 0.0), v),
        lambda v, lambd=0.5: 1.0 if abs(v) > lambd else 0.0,
    ),
    "tanhshrink": (tanhshrink, lambda v: math.tanh(v) ** 2),
    "elu": (
        lambda v, alpha=1.0: v if v > 0 else alpha * math.expm1(v),
        lambda v, alpha=1.0: 1.0 if v > 0 else alpha * math.exp(v),
    ),
    "celu": (
        lambda v, alpha=1.0: v if v > 0 else alpha * math.expm1(v / alpha),
        lambda v, alpha=1.0: 1.0 if v > 0 else math.exp(v / alpha),
    ),
    "selu": (
        lambda v: SCALE * (v if v > 0 else ALPHA * math.expm1(v)),
        lambda v: SCALE * (1.0 if v > 0 else ALPHA * math.exp(v)),
    ),
    "sigmoid": (sigmoid, lambda v: sigmoid(v) * sigmoid(-v)),
    "logsigmoid": (
        lambda v: min(v, 0.0) - math.log1p(math.exp(-abs(v))),
        lambda v: sigmoid(-v),
    ),
    "softplus": (softplus, softplus_slope),
    "softsign": (lambda v: v / (1 + abs(v)), lambda v: 1 / (1 + abs(v)) / (1 + abs(v))),
    "tanh": (math.tanh, lambda v: 1 - math.tanh(v) ** 2),
    "gelu": (lambda v: v * normal(v), lambda v: normal(v) + v * bell(v)),
    "gelu_tanh": (lambda v: v * sigmoid(cubic(v)), gelu_tanh_slope),
    "silu": (lambda v: v * sigmoid(v), lambda v: sigmoid(v) * (1 + v * sigmoid(-v))),
    "mish": (lambda v: v * math.tanh(softplus(v, threshold=math.inf)), mish_slope),
}


def activation(name: str, x: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives of one of `CURVES`, number by number, in float64."""
    return tuple(
        np.array([curve(float(v), **options) for v in x.ravel()]).reshape(x.shape)
        for curve in CURVES[name]
    )


def glu(x: np.ndarray, axis: int) -> np.ndarray:
    """One half times the sigmoid of the other."""
    first, second = np.split(x, 2, axis=axis)
    return first * np.vectorize(sigmoid, otypes=[float])(second)


def prelu(x: np.ndarray, weight: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    """Value and both gradients, pixel by pixel; channels are axis 1."""
    y, dx, dweight = np.zeros(x.shape), np.zeros(x.shape), np.zeros(weight.shape)
    for place in np.ndindex(x.shape):
        at = () if weight.ndim == 0 else (place[1] if weight.size > 1 else 0,)
        y[place] = x[place] if x[place] > 0 else weight[at] * x[place]
        dx[place] = dy[place] * (1 if x[place] > 0 else weight[at])
        dweight[at] += dy[place] * min(x[place], 0.0)
    return y, dx, dweight
