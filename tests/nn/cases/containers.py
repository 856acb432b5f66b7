"""Containers."""

from __future__ import annotations

from tests.nn.layers import X1, X2, case
from xpconv import nn


def graph() -> nn.Module:
    """A diamond with an input of its own on either side."""
    x, z = nn.Input(), nn.Input()
    h = nn.Linear(4, 3)(x)
    return nn.Graph((x, z), nn.Add()(nn.Tanh()(h), nn.Sigmoid()(h), z))


def gated() -> nn.Module:
    """Squeeze-and-excitation: an image weighed by what its means say."""
    x = nn.Input()
    gates = nn.Sequential(nn.GlobalAvgPool(), nn.Conv2d(4, 4, 1), nn.Sigmoid())
    return nn.Graph(x, nn.Multiply()(gates(x), x))


def dropped() -> nn.Module:
    """A residual block whose body is left out at random."""
    return nn.Residual(nn.Sequential(nn.Conv1d(4, 4, 1), nn.StochasticDepth(0.5, "row")))


CONTAINERS = [
    case(lambda: nn.Sequential(nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(60, 2)), X2),
    case(lambda: nn.Residual(nn.Conv1d(4, 4, 3, padding=1)), X1),
    case(lambda: nn.Residual(nn.Conv1d(4, 3, 1), nn.Conv1d(4, 3, 1, bias=False)), X1),
    case(lambda: nn.Concat(nn.Conv1d(4, 2, 1), nn.Conv1d(4, 3, 1), nn.Identity()), X1),
    case(nn.Concat, (2, 3, 4), (2, 1, 4)),
    case(lambda: nn.Concat(dim=-1), X1),
    case(graph, (2, 4), (2, 3)),
    case(gated, X2),
    case(dropped, X1),
    case(dropped, X1, training=True),
]
