"""Losses of masks and of rare objects: dice and the focal loss of yes-or-no questions."""

from __future__ import annotations

from .._typing import Array, Pullback
from ._activation_sigmoid import sigmoid
from ._loss_binary import binary_costs
from ._loss_operands import loss_rule, operands, same_shape
from ._loss_reduce import finished
from ._registry import differentiable


@loss_rule
def _sigmoid_focal_loss_vjp(
    input: Array,
    target: Array,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> tuple[Array, Pullback]:
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ValueError(f"alpha must be between 0 and 1, or -1 for none, got {alpha}")
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    xp, (input, target) = operands(input=input, target=target)
    same_shape(input=input, target=target)
    no, yes = binary_costs(xp, input)
    cost = (1 - target) * no + target * yes
    p, q = sigmoid(input), sigmoid(-input)
    missed = p * (1 - target) + q * target  # 1 - p_t
    damped = missed**gamma
    if alpha < 0:
        balance, dbalance = xp.ones_like(target), 0.0
    else:
        balance, dbalance = alpha * target + (1 - alpha) * (1 - target), 2 * alpha - 1

    none = missed == 0

    def dinput() -> Array:
        # d missed / missed = p q (1 - 2 t) / missed goes to 1 - 2 t where missed vanishes
        change = xp.where(none, 1 - 2 * target, p * q * (1 - 2 * target) / missed)
        return balance * damped * (gamma * change * cost + (1 - target) * p - target * q)

    def dtarget() -> Array:
        change = (q - p) * xp.where(none, 0.0, damped / missed)
        return dbalance * damped * cost + balance * (gamma * change * cost - damped * input)

    loss = balance * damped * cost
    return finished(xp, loss, reduction, [input, target], [dinput, dtarget])


@differentiable(_sigmoid_focal_loss_vjp)
def sigmoid_focal_loss(
    input: Array,
    target: Array,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> Array:
    r"""Binary cross entropy from logits that cares less for what is classified well already.

    Parameters
    ----------
    input : array
        Logits of "yes", real floating dtype.
    target : array, of the shape of ``input``
        Probability of "yes", 0 or 1; integers get the input's dtype.
    alpha : float, default 0.25
        Weight of "yes", against 1 - alpha of "no"; -1 for neither.
    gamma : float, default 2.0
        How little well classified elements count.
    reduction : {"none", "mean", "sum"}, default "none"
        What to do with the elements' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torchvision.ops.sigmoid_focal_loss``.

    Raises
    ------
    ValueError
        If the shapes differ, or ``alpha`` or ``gamma`` is out of range.

    Notes
    -----
    :math:`-\alpha_t (1 - p_t)^\gamma \log p_t`, where :math:`p_t` is the probability given to the
    truth (Lin et al., "Focal loss for dense object detection", 2017).
    """
    return _sigmoid_focal_loss_vjp(input, target, alpha, gamma, reduction)[0]


@loss_rule
def _dice_loss_vjp(
    input: Array, target: Array, smooth: float = 1.0, reduction: str = "mean"
) -> tuple[Array, Pullback]:
    if smooth < 0:
        raise ValueError(f"smooth must not be negative, got {smooth}")
    xp, (input, target) = operands(booleans=True, input=input, target=target)
    same_shape(input=input, target=target)
    if input.ndim < 2:
        raise ValueError(f"input must have shape (N, C, ...), got {tuple(input.shape)}")
    shape = tuple(input.shape)
    masks = (*shape[:2], -1) if 0 not in shape else (*shape[:2], 0)
    flat, there = (xp.reshape(array, masks) for array in (input, target))

    def total(x: Array) -> Array:
        return xp.sum(x, axis=-1, keepdims=True, dtype=x.dtype)

    whole = total(flat) + total(there) + smooth
    overlap = (2 * total(flat * there) + smooth) / whole

    def slope(other: Array) -> Array:
        return (overlap - 2 * other) / whole

    y, pullback = finished(
        xp,
        (1 - overlap)[..., 0],
        reduction,
        [flat, there],
        [lambda: slope(there), lambda: slope(flat)],
        axis=-1,
    )
    return y, lambda dy: tuple(xp.reshape(d, shape) for d in pullback(dy))


@differentiable(_dice_loss_vjp)
def dice_loss(input: Array, target: Array, smooth: float = 1.0, reduction: str = "mean") -> Array:
    r"""Measure how little predicted masks overlap the true ones, for each sample and channel.

    Parameters
    ----------
    input : array, shape (N, C, ...)
        Probabilities, as `sigmoid` or `softmax` return them; real floating dtype.
    target : array, of the shape of ``input``
        The true masks, 0 to 1; integers and truth values get the input's dtype.
    smooth : float, default 1.0
        Added above and below the line, so that empty masks that agree cost nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the masks' losses.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N, C)
        PyTorch has no counterpart.

    Raises
    ------
    ValueError
        If the shapes differ, there is no channel axis, or ``smooth`` is negative.

    Notes
    -----
    :math:`1 - (2 \sum_i p_i t_i + s) / (\sum_i p_i + \sum_i t_i + s)` over the pixels i of a mask
    (Dice, "Measures of the amount of ecologic association between species", 1945; Milletari et
    al., "V-Net", 2016, with squares below the line; without them as in MONAI's ``DiceLoss``).
    """
    return _dice_loss_vjp(input, target, smooth, reduction)[0]
