"""Activations as layers."""

from __future__ import annotations

from .. import ops
from ._stateless import Stateless


class ReLU(Stateless, inplace=True):
    """Set what is negative to zero; see `xpconv.ops.relu`."""

    _op = staticmethod(ops.relu)


class LeakyReLU(Stateless, inplace=True):
    """Scale what is negative; see `xpconv.ops.leaky_relu`.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope left of zero.
    """

    _op = staticmethod(ops.leaky_relu)


class Sigmoid(Stateless):
    """Squash to (0, 1); see `xpconv.ops.sigmoid`."""

    _op = staticmethod(ops.sigmoid)


class Tanh(Stateless):
    """Squash to (-1, 1); see `xpconv.ops.tanh`."""

    _op = staticmethod(ops.tanh)


class GELU(Stateless):
    """Weigh the input by the normal distribution; see `xpconv.ops.gelu`.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default "none"
        The exact form or the approximation.
    """

    _op = staticmethod(ops.gelu)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
        super().__init__(approximate=approximate)


class SiLU(Stateless, inplace=True):
    """Weigh the input by its sigmoid; see `xpconv.ops.silu`."""

    _op = staticmethod(ops.silu)


class Softmax(Stateless):
    """Turn logits into probabilities; see `xpconv.ops.softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis that sums to 1.
    """

    _op = staticmethod(ops.softmax)


class LogSoftmax(Stateless):
    """Turn logits into log-probabilities; see `xpconv.ops.log_softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis whose probabilities sum to 1.
    """

    _op = staticmethod(ops.log_softmax)
