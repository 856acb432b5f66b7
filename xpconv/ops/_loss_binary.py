"""Losses of yes-or-no questions, from probabilities and from logits."""

from __future__ import annotations

from .._typing import Array, Namespace, Pullback
from ._activation_sigmoid import sigmoid
from ._loss_operands import broadcasts_to, fails, loss_rule, operands, same_shape
from ._loss_reduce import PYTORCH_EPSILON, constant, finished
from ._registry import differentiable

_LEAST_LOG = -100.0  # PyTorch's floor under the logarithm of a probability


def times(factor: Array | None, x: Array) -> Array:
    """Multiply by a weight, where there is one."""
    return x if factor is None else x * factor


def _binary_operands(
    input: Array, target: Array, weight: Array | None, pos_weight: Array | None = None
) -> tuple[Namespace, list[Array]]:
    """Input and target of one shape and dtype; weights, whole numbers too, that broadcast."""
    operands(integers="refused", input=input, target=target)
    xp, arrays = operands(input=input, target=target, weight=weight, pos_weight=pos_weight)
    same_shape(input=input, target=target)
    broadcasts_to("input", input=input, weight=weight, pos_weight=pos_weight)
    return xp, arrays


@loss_rule
def _binary_cross_entropy_vjp(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    xp, (input, target, weight, _) = _binary_operands(input, target, weight)
    for name, array in (("input", input), ("target", target)):
        if fails(xp, ~((array >= 0) & (array <= 1))):
            raise ValueError(f"all elements of {name} should be between 0 and 1")
    log_p, log_q = xp.log(input), xp.log1p(-input)
    floor = constant(xp, _LEAST_LOG, input)
    loss = (target - 1) * xp.maximum(log_q, floor) - target * xp.maximum(log_p, floor)

    def dinput() -> Array:
        spread = xp.maximum(input * (1 - input), constant(xp, PYTORCH_EPSILON, input))
        return times(weight, (input - target) / spread)

    slopes = [dinput, lambda: times(weight, log_q - log_p)]
    return finished(xp, times(weight, loss), reduction, [input, target], slopes)


@differentiable(_binary_cross_entropy_vjp)
def binary_cross_entropy(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    r"""Measure how far the probability of "yes" is from the truth, in nats.

    Parameters
    ----------
    input : array
        Probabilities of "yes", real floating dtype. From logits,
        `binary_cross_entropy_with_logits` keeps more digits.
    target : array, of the shape and dtype of ``input``
        The truth, 0 to 1.
    weight : array, optional
        Factor of each element; broadcasts to ``input``.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.binary_cross_entropy``.

    Raises
    ------
    ValueError
        If shapes do not fit, or an element of ``input`` or ``target`` is not between 0 and 1. To
        see that takes a look at the values, and is left out within `labels_checked`.

    Notes
    -----
    :math:`-t \log p - (1 - t) \log(1 - p)`. As in PyTorch no logarithm falls below -100, and the
    divisor :math:`p (1 - p)` of the derivative not below 1e-12.
    """
    return _binary_cross_entropy_vjp(input, target, weight, reduction)[0]


def binary_costs(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """-log(1 - s(x)) and -log s(x): what logits cost where the truth is "no", and "yes".

    Both are log(1 + exp(±x)), with no exp of a large number and no cancellation.
    """
    zero = constant(xp, 0, x)
    tail = xp.log1p(xp.exp(-xp.abs(x)))
    return tail + xp.maximum(x, zero), tail + xp.maximum(-x, zero)


@loss_rule
def _bce_with_logits_vjp(
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> tuple[Array, Pullback]:
    xp, (input, target, weight, pos_weight) = _binary_operands(input, target, weight, pos_weight)
    no, yes = binary_costs(xp, input)
    positive = times(pos_weight, target)
    loss = (1 - target) * no + positive * yes

    def dinput() -> Array:
        return times(weight, (1 - target) * sigmoid(input) - positive * sigmoid(-input))

    def dtarget() -> Array:
        # no - yes is the input itself, also where both are infinite
        return times(weight, -input if pos_weight is None else (pos_weight - 1) * yes - input)

    return finished(xp, times(weight, loss), reduction, [input, target], [dinput, dtarget])


@differentiable(_bce_with_logits_vjp)
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    r"""Measure how much probability the logits take from the true side of a yes-or-no question.

    Parameters
    ----------
    input : array
        Logits of "yes", real floating dtype.
    target : array, of the shape and dtype of ``input``
        Probability of "yes", 0 to 1.
    weight : array, optional
        Factor of each element; broadcasts to ``input``.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the elements' losses.
    pos_weight : array, optional
        Factor of the "yes" part; broadcasts to ``input``.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.binary_cross_entropy_with_logits``.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    :math:`-t \log \sigma(x) - (1 - t) \log(1 - \sigma(x))`, computed as
    :math:`t \log(1 + e^{-x}) + (1 - t) \log(1 + e^x)` with
    :math:`\log(1 + e^x) = \log(1 + e^{-|x|}) + \max(x, 0)`, which neither overflows nor cancels.
    """
    return _bce_with_logits_vjp(input, target, weight, reduction, pos_weight)[0]
