"""Losses as objects: an operation, its options, and the way back to the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array

LossBackward = Callable[..., Array]


class Loss:
    """A loss function with fixed options.

    ``loss(logits, target)`` computes the loss; ``forward`` also returns the way back.
    """

    _op: ClassVar[Callable[..., Array]]

    def __init__(self, **options: Any) -> None:
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

    def __call__(self, logits: Array, target: Array) -> Array:
        """Return the loss."""
        return type(self)._op(logits, target, **self._options)

    def forward(self, logits: Array, target: Array) -> tuple[Array, LossBackward]:
        """Return the loss and ``backward(dloss=None) -> dlogits``.

        Without ``dloss`` the gradient of the loss itself is returned.
        """
        loss, pullback = ops.vjp(type(self)._op, logits, target, **self._options)

        def backward(dloss: Array | None = None) -> Array:
            if dloss is None:
                dloss = array_namespace(loss).ones_like(loss)
            return pullback(dloss)[0]

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

    def __init__(
        self,
        weight: Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )


class MSELoss(Loss):
    """Mean squared error; see `xpconv.ops.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the squares.
    """

    _op = staticmethod(ops.mse_loss)

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


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

    def __init__(
        self,
        weight: Array | None = None,
        reduction: str = "mean",
        pos_weight: Array | None = None,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)
