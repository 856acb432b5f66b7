"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from array_api_compat import array_namespace

from .._typing import Array
from ..engines import body
from ._optimizer import Move, Optimizer, Slots, Together, at_least_zero


class SGD(Optimizer):
    r"""Stochastic gradient descent with momentum.

    Parameters
    ----------
    lr : float, default 0.01
        The learning rate :math:`\gamma`.
    momentum : float, default 0.0
        How much of the last direction is kept, :math:`\mu`.
    dampening : float, default 0.0
        How much of the new gradient is left out, :math:`\tau`.
    weight_decay : float, default 0.0
        The L2 penalty :math:`\lambda`, added to the gradient.
    nesterov : bool, default False
        Look ahead: move along the gradient plus the momentum that it will have.

    Raises
    ------
    ValueError
        If a number is negative, or Nesterov is asked for without momentum or with dampening.

    Notes
    -----
    PyTorch's formulas, ``torch.optim.SGD``:

    .. math::
        g \leftarrow g + \lambda\,\theta, \qquad
        b_1 = g,\quad b_t = \mu\, b_{t-1} + (1 - \tau)\, g, \qquad
        \theta \leftarrow \theta - \gamma\, b_t

    and with Nesterov :math:`g + \mu\, b_t` in the place of the last :math:`b_t` (Sutskever et al.,
    "On the importance of initialization and momentum in deep learning", 2013).

    Examples
    --------
    >>> import numpy as np
    >>> from xpconv import nn, optim
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = layer.update({"weight": np.asarray([[1.0]], dtype=np.float32)})
    >>> optim.SGD(lr=0.5).step(layer, {"weight": np.asarray([[1.0]], dtype=np.float32)})
    >>> layer.weight
    array([[0.5]], dtype=float32)
    """

    hyperparameters: ClassVar[tuple[str, ...]] = (
        "lr",
        "momentum",
        "dampening",
        "weight_decay",
        "nesterov",
    )

    def __init__(
        self,
        lr: float = 0.01,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(lr)
        self.momentum = at_least_zero("momentum value", momentum)
        self.dampening = float(dampening)
        self.weight_decay = at_least_zero("weight_decay value", weight_decay)
        self.nesterov = bool(nesterov)
        if self.nesterov and (self.momentum == 0.0 or self.dampening != 0.0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def update(
        self, parameter: Array, gradient: Array, slots: Slots, step: int | Array, lr: float
    ) -> tuple[Array, Slots]:
        """Return the parameter after one step, and its momentum; see `Optimizer.update`."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        if not self.momentum:
            return parameter - lr * gradient, {}
        if "momentum_buffer" in slots:
            buffer = self.momentum * slots["momentum_buffer"] + (1 - self.dampening) * gradient
            if self.dampening and hasattr(step, "dtype"):
                # Only the device knows whether the steps before were all skipped.
                buffer = array_namespace(gradient).where(step == 1, gradient, buffer)
        else:
            # A copy, because the gradient is the caller's.
            buffer = array_namespace(gradient).astype(gradient, gradient.dtype, copy=True)
        direction = gradient + self.momentum * buffer if self.nesterov else buffer
        return parameter - lr * direction, {"momentum_buffer": buffer}

    def _fused(self, move: Move) -> Together | None:
        body_ = body("sgd", move.parameter)
        if body_ is None or type(self).update is not SGD.update:
            return None
        if self.dampening and hasattr(move.step, "dtype"):
            return None  # only the device knows which step is a parameter's first

        def together(
            moves: Sequence[Move], lr: Any, found_inf: Array | None
        ) -> Iterable[tuple[Array, Slots]]:
            old = self.momentum and moves[0].slots
            parameters, buffers = body_(
                [move.parameter for move in moves],
                [move.gradient for move in moves],
                [move.slots["momentum_buffer"] for move in moves] if old else None,
                found_inf,
                lr=lr,
                momentum=self.momentum,
                dampening=self.dampening,
                weight_decay=self.weight_decay,
                nesterov=self.nesterov,
            )
            slots = [{"momentum_buffer": buffer} for buffer in buffers] or [{} for _ in moves]
            return zip(parameters, slots, strict=True)

        return together
