"""Activations as layers."""

from __future__ import annotations

from .. import ops
from .._shapes import ntuple
from .._typing import Array
from ._born import born
from ._module import Backward, Module
from ._stateless import Stateless
from .init import constant


class ReLU(Stateless, inplace=True):
    """Set what is negative to zero; see `xpconv.ops.relu`."""

    _op = staticmethod(ops.relu)


class ReLU6(Stateless, inplace=True):
    """Clip to 0 ... 6; see `xpconv.ops.relu6`."""

    _op = staticmethod(ops.relu6)


ACTIVATIONS: dict[type[Module], str] = {ReLU: "relu", ReLU6: "relu6"}
"""Those that other layers apply while they write their output, by the names that engines know."""


class LeakyReLU(Stateless, inplace=True):
    """Scale what is negative; see `xpconv.ops.leaky_relu`.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope left of zero.
    """

    _op = staticmethod(ops.leaky_relu)


class RReLU(Stateless, inplace=True):
    """Scale what is negative, at random while training; see `xpconv.ops.rrelu`.

    Parameters
    ----------
    lower, upper : float, default 1/8 and 1/3
        The factors' bounds; in inference their mean is the factor.
    """

    _op = staticmethod(ops.rrelu)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.rrelu, x, **self._options, training=training)
        return y, lambda dy: (pullback(dy)[0], {})


class PReLU(Module):
    """Scale what is negative by learned slopes; see `xpconv.ops.prelu`.

    Parameters
    ----------
    num_parameters : int, default 1
        The number of channels, or 1: one slope for all.
    init : float, default 0.25
        The slopes at first.

    Attributes
    ----------
    weight : array, shape (num_parameters,)
        The slopes.

    Notes
    -----
    Counterpart of ``torch.nn.PReLU``.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        (num_parameters,) = ntuple(num_parameters, 1, "num_parameters", minimum=1)
        self.init = init
        self.weight: Array = born(constant((num_parameters,), init))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.prelu, x, self.weight)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, dweight = pullback(dy)
            return dx, {"weight": dweight}

        return y, backward

    def infer(self, x: Array) -> Array:
        return ops.prelu(x, self.weight)

    def _describe(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Threshold(Stateless, inplace=True):
    """Replace what is not above a threshold; see `xpconv.ops.threshold`.

    Parameters
    ----------
    threshold : float
        What is above it stays.
    value : float
        What all other elements become.
    """

    _op = staticmethod(ops.threshold)


class Hardtanh(Stateless, inplace=True):
    """Clip to an interval; see `xpconv.ops.hardtanh`.

    Parameters
    ----------
    min_val, max_val : float, default -1 and 1
        The interval.

    Raises
    ------
    ValueError
        If ``max_val`` is not above ``min_val``.
    """

    _op = staticmethod(ops.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not max_val > min_val:
            raise ValueError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        super().__init__(min_val, max_val, inplace)


class Hardsigmoid(Stateless, inplace=True):
    """Squash to 0 ... 1 along a straight line; see `xpconv.ops.hardsigmoid`."""

    _op = staticmethod(ops.hardsigmoid)


class Hardswish(Stateless, inplace=True):
    """Weigh the input by its hard sigmoid; see `xpconv.ops.hardswish`."""

    _op = staticmethod(ops.hardswish)


class Hardshrink(Stateless):
    """Set what is near zero to zero; see `xpconv.ops.hardshrink`.

    Parameters
    ----------
    lambd : float, default 0.5
        How near.
    """

    _op = staticmethod(ops.hardshrink)


class Softshrink(Stateless):
    """Move everything towards zero; see `xpconv.ops.softshrink`.

    Parameters
    ----------
    lambd : float, default 0.5
        How far.
    """

    _op = staticmethod(ops.softshrink)


class Tanhshrink(Stateless):
    """Subtract the hyperbolic tangent; see `xpconv.ops.tanhshrink`."""

    _op = staticmethod(ops.tanhshrink)


class Sigmoid(Stateless):
    """Squash to (0, 1); see `xpconv.ops.sigmoid`."""

    _op = staticmethod(ops.sigmoid)


class LogSigmoid(Stateless):
    """The logarithm of the sigmoid; see `xpconv.ops.logsigmoid`."""

    _op = staticmethod(ops.logsigmoid)


class Softplus(Stateless):
    """A rectifier without a corner; see `xpconv.ops.softplus`.

    Parameters
    ----------
    beta : float, default 1
        The larger, the sharper the bend.
    threshold : float, default 20
        Where ``beta * x`` is above it, the input is passed on.
    """

    _op = staticmethod(ops.softplus)


class Tanh(Stateless):
    """Squash to (-1, 1); see `xpconv.ops.tanh`."""

    _op = staticmethod(ops.tanh)


class Softsign(Stateless):
    """Squash to (-1, 1) by a ratio; see `xpconv.ops.softsign`."""

    _op = staticmethod(ops.softsign)


class ELU(Stateless, inplace=True):
    """Level off left of zero; see `xpconv.ops.elu`.

    Parameters
    ----------
    alpha : float, default 1
        Minus the value far left.
    """

    _op = staticmethod(ops.elu)


class CELU(Stateless, inplace=True):
    """Level off left of zero, smoothly; see `xpconv.ops.celu`.

    Parameters
    ----------
    alpha : float, default 1
        Minus the value far left.
    """

    _op = staticmethod(ops.celu)


class SELU(Stateless, inplace=True):
    """Level off left of zero, scaled for networks that normalise themselves; see `xpconv.ops.selu`.

    Its dropout is `AlphaDropout`.
    """

    _op = staticmethod(ops.selu)


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


class Mish(Stateless, inplace=True):
    """Weigh the input by the tanh of its softplus; see `xpconv.ops.mish`."""

    _op = staticmethod(ops.mish)


class GLU(Stateless):
    """Weigh one half of the input by the sigmoid of the other; see `xpconv.ops.glu`.

    Parameters
    ----------
    dim : int, default -1
        The axis that is halved.
    """

    _op = staticmethod(ops.glu)


class Softmax(Stateless):
    """Turn logits into probabilities; see `xpconv.ops.softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis that sums to 1.
    """

    _op = staticmethod(ops.softmax)


class Softmin(Stateless):
    """Softmax of the input's negative; see `xpconv.ops.softmin`.

    Parameters
    ----------
    dim : int, default -1
        The axis that sums to 1.
    """

    _op = staticmethod(ops.softmin)


class LogSoftmax(Stateless):
    """Turn logits into log-probabilities; see `xpconv.ops.log_softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis whose probabilities sum to 1.
    """

    _op = staticmethod(ops.log_softmax)


class Softmax2d(Module):
    """Turn the channels at each pixel of (N, C, H, W) or (C, H, W) into probabilities."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.softmax, self._image(x), -3)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return ops.softmax(self._image(x), -3)

    def _image(self, x: Array) -> Array:
        if x.ndim not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {x.ndim}D instead: {tuple(x.shape)}"
            )
        return x
