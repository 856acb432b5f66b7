"""One face for all losses: the layers of `xpconv.nn`, the operations of `xpconv.ops`, and names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array

CLASSES = ("cross_entropy", "nll_loss", "focal_loss")
VALUES = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
    "hinge_embedding_loss",
    "kl_div",
    "poisson_nll_loss",
    "dice_loss",
)
NAMES = (*CLASSES, *VALUES, "multi_margin_loss")
"""The losses that have a name: operations that take (output, target) and return one number.

Every other one is passed as an operation or a layer.
"""


class Loss(Protocol):
    """What a `Trainer` asks of a loss; every loss layer of `xpconv.nn` has it."""

    def forward(self, logits: Array, target: Array, /) -> tuple[Array, Callable[..., Array]]:
        """Return the loss, a 0-d array, and the way back to the logits."""


class OperationLoss:
    """A differentiable operation ``(logits, target)`` as a loss.

    Parameters
    ----------
    operation : callable
        An operation of `xpconv.ops` that returns a 0-d array.
    """

    def __init__(self, operation: Callable[..., Array]) -> None:
        self.operation = operation

    def forward(self, logits: Array, target: Array) -> tuple[Array, Callable[..., Array]]:
        """Return the loss and the way back; see `Loss`."""
        value, pullback = ops.vjp(self.operation, logits, target)

        def backward(dloss: Array | None = None) -> Array:
            if dloss is None:
                dloss = array_namespace(value).ones_like(value)
            return pullback(dloss)[0]

        return value, backward


def as_loss(loss: str | Callable[..., Array] | Loss) -> Loss:
    """Return what the user gave as the loss of a `Trainer` in the form that it works with.

    Raises
    ------
    ValueError
        If no loss has that name.
    TypeError
        If it is neither a name, nor a differentiable operation, nor a loss layer.
    """
    if isinstance(loss, str):
        if loss not in NAMES:
            raise ValueError(f"unknown loss {loss!r}; there are {', '.join(map(repr, NAMES))}")
        return OperationLoss(getattr(ops, loss))
    if hasattr(loss, "forward"):
        return loss
    if loss in ops.registered():
        return OperationLoss(loss)
    raise TypeError(
        "loss must be a name, a differentiable operation of xpconv.ops or a loss layer of "
        f"xpconv.nn, got {loss!r}"
    )


def loss_name(loss: Any) -> str:
    """Return the name of an operation or of a layer's class."""
    if isinstance(loss, OperationLoss):
        return loss.operation.__name__
    return type(loss).__name__


def targets_of(loss: Loss) -> str | None:
    """Say what a loss compares the output with, where the loss is one of the library's.

    Returns
    -------
    {"classes", "values", None}
        Class numbers, an array of the output's shape, or unknown.
    """
    name = getattr(getattr(loss, "operation", None), "__name__", None)
    return "classes" if name in CLASSES else "values" if name in VALUES else None
