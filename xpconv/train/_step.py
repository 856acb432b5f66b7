"""One training step's forward and backward pass, without anything around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .._typing import Array
from ..nn import parameter_gradients
from ._losses import Loss, as_loss


class HasForward(Protocol):
    """What a step asks of a model; every `xpconv.nn.Module` has it."""

    def forward(self, x: Array, /, *, training: bool) -> tuple[Any, Callable[[Any], Any]]:
        """Return the output and the way back."""


def gradients(
    model: HasForward, loss: str | Callable[..., Array] | Loss, x: Array, y: Array
) -> tuple[Array, Array, dict[str, Array]]:
    """Run a model forward and backward on one batch.

    Parameters
    ----------
    model : Module
        The model. Its running statistics move, its parameters do not.
    loss : str, operation or loss layer
        As in `Trainer`.
    x, y : array
        A batch on the model's backend.

    Returns
    -------
    loss : 0-d array
        The batch's loss.
    logits : array
        The model's output.
    grads : dict of str to array
        The loss's gradient by parameter name, for ``optimizer.step(model, grads)``.

    Raises
    ------
    ValueError
        If the loss is not one number.
    """
    logits, backward = model.forward(x, training=True)
    value, loss_backward = as_loss(loss).forward(logits, y)
    if value.ndim != 0:
        raise ValueError(
            f"the loss must be one number to train on, got an array of shape {tuple(value.shape)}; "
            "use reduction='mean'"
        )
    return value, logits, parameter_gradients(backward, loss_backward())
