"""Layers that drop at random while training, and pass on in inference."""

from __future__ import annotations

from typing import Any

from .. import ops
from .._typing import Array
from ..ops._drop import probability
from ..ops._dropout import drop_mode
from ._module import Backward
from ._stateless import Stateless


class _Drop(Stateless):
    """A stateless layer whose operation asks whether it trains."""

    p: float

    def __init_subclass__(cls, **options: Any) -> None:
        """Show the constructor that was read off the operation."""
        super().__init_subclass__(**options)
        cls.__signature__ = cls._constructor  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        probability(self.p)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(type(self)._op, x, **self._options, training=training)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return type(self)._op(x, **self._options, training=False)


class Dropout(_Drop, inplace=True):
    """Set elements to zero at random while training; see `xpconv.ops.dropout`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of an element to be set to zero.

    Notes
    -----
    Masks come from the stream in force (`xpconv.random`), one key for each forward pass.
    Counterpart of ``torch.nn.Dropout``.
    """

    _op = staticmethod(ops.dropout)


class Dropout1d(_Drop, inplace=True):
    """Drop channels of (N, C, L) or (C, L) while training; see `xpconv.ops.dropout1d`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of a channel to be set to zero.
    """

    _op = staticmethod(ops.dropout1d)


class Dropout2d(_Drop, inplace=True):
    """Drop channels of (N, C, H, W) while training; see `xpconv.ops.dropout2d`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of a channel to be set to zero.
    """

    _op = staticmethod(ops.dropout2d)


class Dropout3d(_Drop, inplace=True):
    """Drop channels of (N, C, D, H, W) or (C, D, H, W); see `xpconv.ops.dropout3d`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of a channel to be set to zero.
    """

    _op = staticmethod(ops.dropout3d)


class AlphaDropout(_Drop, inplace=True):
    """Dropout that keeps mean 0 and variance 1, for SELU; see `xpconv.ops.alpha_dropout`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of an element to be dropped.
    """

    _op = staticmethod(ops.alpha_dropout)


class FeatureAlphaDropout(_Drop, inplace=True):
    """Alpha dropout of whole channels; see `xpconv.ops.feature_alpha_dropout`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of a channel to be dropped.
    """

    _op = staticmethod(ops.feature_alpha_dropout)


class StochasticDepth(_Drop):
    """Drop what a residual block adds, while training; see `xpconv.ops.stochastic_depth`.

    Parameters
    ----------
    p : float
        Probability to drop.
    mode : {"batch", "row"}
        Whether the whole batch shares one fate, or each sample has its own.

    Notes
    -----
    Counterpart of ``torchvision.ops.StochasticDepth``.
    """

    _op = staticmethod(ops.stochastic_depth)
    mode: str

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        drop_mode(self.mode)
