"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from array_api_compat import array_namespace

from .._typing import Array
from ..engines import body
from ._counts import as_factor
from ._optimizer import Move, Optimizer, Slots, Together, at_least_zero


class Adam(Optimizer):
    r"""Adam: steps scaled by running averages of the gradient and of its square.

    Parameters
    ----------
    lr : float, default 1e-3
        The learning rate :math:`\gamma`.
    betas : (float, float), default (0.9, 0.999)
        How slowly the two averages forget, in [0, 1).
    eps : float, default 1e-8
        Added to the denominator.
    weight_decay : float, default 0.0
        The L2 penalty :math:`\lambda`, added to the gradient.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    PyTorch's formulas, ``torch.optim.Adam`` (Kingma and Ba, 2014), with :math:`t` counted from 1:

    .. math::
        g &\leftarrow g + \lambda\,\theta \\
        m_t &= m_{t-1} + (1 - \beta_1)(g - m_{t-1}), \qquad
            v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g^2 \\
        \theta &\leftarrow \theta - \frac{\gamma}{1 - \beta_1^t}\,
            \frac{m_t}{\sqrt{v_t} / \sqrt{1 - \beta_2^t} + \epsilon}

    Examples
    --------
    >>> from xpconv import optim
    >>> optim.Adam(lr=0.01)
    Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("lr", "betas", "eps", "weight_decay")
    decoupled: ClassVar[bool] = False

    def __init__(
        self,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr)
        self.eps = at_least_zero("epsilon value", eps)
        self.weight_decay = at_least_zero("weight_decay value", weight_decay)
        first, second = (float(beta) for beta in betas)
        for index, beta in enumerate((first, second)):
            if not 0.0 <= beta < 1.0:
                raise ValueError(
                    f"Invalid beta parameter at index {index}: {beta}, must be in [0, 1)"
                )
        self.betas = (first, second)

    def update(
        self, parameter: Array, gradient: Array, slots: Slots, step: int | Array, lr: float
    ) -> tuple[Array, Slots]:
        """Return the parameter after one step, and both averages; see `Optimizer.update`."""
        xp = array_namespace(parameter, gradient)
        beta1, beta2 = self.betas
        if self.weight_decay and self.decoupled:
            parameter = parameter * (1 - lr * self.weight_decay)
        elif self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        mean = slots["exp_avg"] if slots else xp.zeros_like(parameter)
        square = slots["exp_avg_sq"] if slots else xp.zeros_like(parameter)
        if beta1 > 0.5:
            mean = mean + (1 - beta1) * (gradient - mean)
        else:  # from the other end, where rounding would swallow the gradient
            mean = gradient - beta1 * (gradient - mean)
        square = beta2 * square + (1 - beta2) * (gradient * gradient)
        root = as_factor((1 - beta2**step) ** 0.5, parameter)
        rate = as_factor(lr / (1 - beta1**step), parameter)
        parameter = parameter - rate * (mean / (xp.sqrt(square) / root + self.eps))
        return parameter, {"exp_avg": mean, "exp_avg_sq": square}

    def _fused(self, move: Move) -> Together | None:
        body_ = body("adam", move.parameter)
        if body_ is None or type(self).update is not Adam.update:
            return None

        def together(
            moves: Sequence[Move], lr: Any, found_inf: Array | None
        ) -> Iterable[tuple[Array, Slots]]:
            kept = ("exp_avg", "exp_avg_sq") if moves[0].slots else ()
            beta1, beta2 = self.betas
            step = moves[0].step
            parameters, means, squares = body_(
                [move.parameter for move in moves],
                [move.gradient for move in moves],
                tuple([move.slots[name] for move in moves] for name in kept) or None,
                found_inf,
                rate=lr / (1 - beta1**step),
                root=(1 - beta2**step) ** 0.5,
                betas=self.betas,
                eps=self.eps,
                weight_decay=0.0 if self.decoupled else self.weight_decay,
                shrink=1 - lr * self.weight_decay if self.decoupled else 1.0,
            )
            for new, mean, square in zip(parameters, means, squares, strict=True):
                yield new, {"exp_avg": mean, "exp_avg_sq": square}

        return together


class AdamW(Adam):
    r"""Adam with weight decay that does not pass through the averages.

    Parameters
    ----------
    lr : float, default 1e-3
        The learning rate :math:`\gamma`.
    betas : (float, float), default (0.9, 0.999)
        How slowly the two averages forget, in [0, 1).
    eps : float, default 1e-8
        Added to the denominator.
    weight_decay : float, default 1e-2
        The decay :math:`\lambda`.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    PyTorch's formulas, ``torch.optim.AdamW`` (Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2017): first :math:`\theta \leftarrow (1 - \gamma\lambda)\,\theta`, then
    `Adam`'s step without decay.

    Examples
    --------
    >>> from xpconv import optim
    >>> optim.AdamW().weight_decay
    0.01
    """

    decoupled: ClassVar[bool] = True

    def __init__(
        self,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(lr, betas, eps, weight_decay)
