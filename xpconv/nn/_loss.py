"""Losses as objects: an operation, its options, and the way back to the logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array
from ._options import constructor, input_names, options_of

LossBackward = Callable[..., Any]

_TARGETS = ("target", "labels")


class Loss:
    """A loss function with fixed options.

    ``loss(input, target)`` computes the loss; ``forward`` also returns the way back. A subclass
    names the operation in ``_op``; its constructor takes the operation's options, in their order
    and with their defaults.
    """

    _op: ClassVar[Callable[..., Array]]
    _constructor: ClassVar[inspect.Signature]
    _inputs: ClassVar[tuple[int, ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Read the constructor off the operation."""
        super().__init_subclass__(**options)
        if "_op" in cls.__dict__:
            names = input_names(cls._op)
            cls._constructor = constructor(cls._op)
            cls._inputs = tuple(i for i, name in enumerate(names) if name not in _TARGETS)
            if cls.__init__ is Loss.__init__:
                cls.__signature__ = cls._constructor  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        options = options_of(type(self), self._constructor, args, options)
        if options.get("reduction", "mean") not in ("mean", "sum", "none"):
            raise ValueError(
                f"reduction must be 'none', 'mean' or 'sum', got {options['reduction']!r}"
            )
        self._names = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def __call__(self, *inputs: Array) -> Array:
        """Return the loss."""
        return type(self)._op(*inputs, **self._options)

    def forward(self, *inputs: Array) -> tuple[Array, LossBackward]:
        """Return the loss and ``backward(dloss=None)``.

        ``backward`` returns the gradient of the input, or a tuple of gradients where a loss takes
        several inputs beside its target. Without ``dloss`` it is the loss' own gradient.
        """
        loss, pullback = ops.vjp(type(self)._op, *inputs, **self._options)

        def backward(dloss: Array | None = None) -> Any:
            if dloss is None:
                dloss = array_namespace(loss).ones_like(loss)
            gradients = pullback(dloss)
            wanted = tuple(gradients[i] for i in self._inputs)
            return wanted if len(wanted) > 1 else wanted[0]

        return loss, backward

    def __repr__(self) -> str:
        """Return the loss with its options."""
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({options})"


class CrossEntropyLoss(Loss):
    """Cross entropy from logits; see `xpconv.ops.cross_entropy`.

    Parameters
    ----------
    weight : array, shape (C,), optional
        How much each class counts.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the rows' losses.
    label_smoothing : float, default 0.0
        Share of the probability that is spread evenly over all classes.
    """

    _op = staticmethod(ops.cross_entropy)


class MSELoss(Loss):
    """Mean squared error; see `xpconv.ops.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the squares.
    """

    _op = staticmethod(ops.mse_loss)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy from logits; see `xpconv.ops.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : array, optional
        Factor of each element.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    pos_weight : array, optional
        Factor of the "yes" part.
    """

    _op = staticmethod(ops.binary_cross_entropy_with_logits)
