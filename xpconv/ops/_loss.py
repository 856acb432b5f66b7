"""Losses, computed from logits wherever probabilities would lose digits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from array_api_compat import device

from .._arrays import is_floating, namespace, require_floating, same_dtype
from .._typing import Array, Namespace, Pullback
from ._activation import log_softmax, sigmoid
from ._precision import rule_in_single
from ._registry import differentiable


def _reduce(
    xp: Namespace, loss: Array, reduction: str, divisor: Array | float | None = None
) -> tuple[Array, Callable[[Array], Array]]:
    """Reduce elementwise losses; also return what spreads the cotangent over the elements."""
    if reduction == "none":
        return loss, lambda dy: dy
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    total = xp.sum(loss, dtype=loss.dtype)
    if reduction == "sum":
        return total, lambda dy: xp.broadcast_to(dy, tuple(loss.shape))
    if divisor is None:
        divisor = math.prod(loss.shape)
        if divisor == 0:  # PyTorch's answer to the mean of nothing
            return total * math.nan, lambda dy: xp.broadcast_to(dy, tuple(loss.shape))
    return total / divisor, lambda dy: xp.broadcast_to(dy / divisor, tuple(loss.shape))


# --- classification -----------------------------------------------------------------------------


def _class_weights(xp: Namespace, logits: Array, weight: Array | None, axis: int) -> Array | float:
    """Class weights shaped to broadcast against the logits."""
    if weight is None:
        return 1.0
    classes = logits.shape[axis]
    if tuple(weight.shape) != (classes,):
        raise ValueError(
            f"weight must have one entry per class, shape ({classes},) for logits of shape "
            f"{tuple(logits.shape)}, got {tuple(weight.shape)}"
        )
    shape = [1] * logits.ndim
    shape[axis] = classes
    return xp.reshape(weight, tuple(shape))


_CHECKED: ContextVar[bool] = ContextVar("xpconv_labels_checked", default=False)


@contextmanager
def labels_checked() -> Iterator[None]:
    """Promise that labels are in range within a ``with`` block.

    Checking them means to wait for the device. Who has checked a whole data set on the host, as
    `Trainer` does, need not wait in every step.
    """
    token = _CHECKED.set(True)
    try:
        yield
    finally:
        _CHECKED.reset(token)


def _checked_labels(
    xp: Namespace, logits: Array, labels: Array, ignore_index: int, axis: int
) -> Array:
    """Refuse labels of a wrong kind, shape or range; return the others as int64."""
    expected = (*logits.shape[:axis], *logits.shape[axis + 1 :])
    if not xp.isdtype(labels.dtype, "integral"):
        raise TypeError(f"labels must be integers or probabilities, got {labels.dtype}")
    if tuple(labels.shape) != expected:
        raise ValueError(
            f"labels must have shape {expected} for logits of shape {tuple(logits.shape)}, "
            f"got {tuple(labels.shape)}"
        )
    labels = xp.astype(labels, xp.int64)
    classes = logits.shape[axis]
    wrong = ((labels < 0) | (labels >= classes)) & (labels != ignore_index)
    if not _CHECKED.get() and bool(xp.any(wrong)):
        low, high = int(xp.min(labels)), int(xp.max(labels))
        raise ValueError(
            f"labels must be in 0 to {classes - 1} (or ignore_index={ignore_index}) for logits of "
            f"shape {tuple(logits.shape)}, got values from {low} to {high}"
        )
    return labels


@rule_in_single
def _cross_entropy_vjp(
    logits: Array,
    labels: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Pullback]:
    xp = namespace(("labels",), logits=logits, labels=labels, weight=weight)
    require_floating(xp, logits=logits)
    same_dtype(logits=logits, weight=weight)
    if logits.ndim == 0:
        raise ValueError("logits must have a class axis, got shape ()")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    axis = min(1, logits.ndim - 1)
    classes = logits.shape[axis]
    weights = _class_weights(xp, logits, weight, axis)
    zero = xp.zeros((), dtype=logits.dtype, device=device(logits))
    probabilities = is_floating(xp, labels)
    divisor: Array | float | None

    # target: how much each class counts in each row; the loss is -sum(target * log p).
    if probabilities:
        same_dtype(logits=logits, labels=labels)
        if labels.shape != logits.shape:
            raise ValueError(
                f"labels with probabilities must have the logits' shape {tuple(logits.shape)}, "
                f"got {tuple(labels.shape)}"
            )
        target = weights * (labels * (1 - label_smoothing) + label_smoothing / classes)
        divisor = math.prod(logits.shape) / max(classes, 1)
    else:
        labels = _checked_labels(xp, logits, labels, ignore_index, axis)
        number = xp.arange(classes, dtype=xp.int64, device=device(logits))
        shape = [1] * logits.ndim
        shape[axis] = classes
        column = xp.expand_dims(labels, axis=axis)
        here = (xp.reshape(number, tuple(shape)) == column) & (column != ignore_index)
        counted = xp.astype(here, logits.dtype) * weights  # a weight per row, at its label
        divisor = xp.sum(counted, dtype=logits.dtype)
        divisor = xp.where(divisor == 0, xp.full_like(divisor, math.nan), divisor)
        target = counted
        if label_smoothing:
            valid = xp.astype(column != ignore_index, logits.dtype)
            smooth = valid * weights * (label_smoothing / classes)
            target = counted * (1 - label_smoothing) + smooth

    log_p = log_softmax(logits, axis)
    # A class that does not count adds nothing, even where its log p is -inf.
    loss = -xp.sum(target * xp.where(target == 0, zero, log_p), axis=axis, dtype=logits.dtype)
    y, spread = _reduce(xp, loss, reduction, divisor)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.expand_dims(spread(dy), axis=axis)
        mass = xp.sum(target, axis=axis, keepdims=True, dtype=logits.dtype)
        # Rows that do not count have no gradient, even where no row counts and the loss is NaN.
        dlogits = xp.where(mass == 0, zero, (xp.exp(log_p) * mass - target) * share)
        dlabels = -log_p * weights * (1 - label_smoothing) * share if probabilities else None
        return dlogits, dlabels, None

    return y, pullback


@differentiable(_cross_entropy_vjp)
def cross_entropy(
    logits: Array,
    labels: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    r"""Measure how much probability the logits take from the true class, in nats.

    Parameters
    ----------
    logits : array, shape (N, C, ...) or (C,)
        Unnormalised log-probabilities, floating dtype.
    labels : array of integers, shape (N, ...) or (), or of the dtype and shape of ``logits``
        The true class of each row, in 0 to C-1, or the probabilities of all classes.
    weight : array, shape (C,), optional
        How much each class counts.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean is weighted: divided by the sum of the true classes' weights.
    label_smoothing : float in [0, 1], default 0.0
        Share of the probability that is spread evenly over all classes.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, (N, ...)
        In the dtype of ``logits``.

    Raises
    ------
    ValueError
        If shapes do not fit or a label is out of range.
    TypeError
        If labels are neither integers nor of the dtype of ``logits``.

    Notes
    -----
    With logits z and label l it is :math:`-z_l + \log\sum_c e^{z_c}`, and its gradient
    softmax(z) minus the one-hot label. Counterpart of ``torch.nn.functional.cross_entropy``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> loss = cross_entropy(b.asarray([[0.0, 0.0]]), b.asarray([1]))
    >>> round(float(loss), 4)
    0.6931
    """
    return _cross_entropy_vjp(logits, labels, weight, ignore_index, reduction, label_smoothing)[0]


# --- regression and binary targets --------------------------------------------------------------


def _same_shape(input: Array, target: Array) -> None:
    if input.shape != target.shape:
        raise ValueError(
            f"input and target must have the same shape, got {tuple(input.shape)} and "
            f"{tuple(target.shape)}"
        )


@rule_in_single
def _mse_loss_vjp(input: Array, target: Array, reduction: str = "mean") -> tuple[Array, Pullback]:
    xp = namespace(("target",), input=input, target=target)
    require_floating(xp, input=input, target=target)
    same_dtype(input=input, target=target)
    _same_shape(input, target)
    difference = input - target
    y, spread = _reduce(xp, difference * difference, reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dinput = 2 * difference * spread(dy)
        return dinput, -dinput

    return y, pullback


@differentiable(_mse_loss_vjp)
def mse_loss(input: Array, target: Array, reduction: str = "mean") -> Array:
    """Square the differences.

    Parameters
    ----------
    input, target : array
        Of the same shape and floating dtype.
    reduction : {"mean", "sum", "none"}, default "mean"
        What to do with the squares.

    Returns
    -------
    array, shape () or, with ``reduction="none"``, that of ``input``
        Counterpart of ``torch.nn.functional.mse_loss``.

    Raises
    ------
    ValueError
        If the shapes differ; nothing is broadcast.
    """
    return _mse_loss_vjp(input, target, reduction)[0]


@rule_in_single
def _bce_with_logits_vjp(
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> tuple[Array, Pullback]:
    xp = namespace(("target",), input=input, target=target, weight=weight, pos_weight=pos_weight)
    require_floating(xp, input=input)
    same_dtype(input=input, target=target, weight=weight, pos_weight=pos_weight)
    _same_shape(input, target)
    for name, array in (("weight", weight), ("pos_weight", pos_weight)):
        if array is not None and not _broadcasts(tuple(array.shape), tuple(input.shape)):
            raise ValueError(
                f"{name} of shape {tuple(array.shape)} does not broadcast to the input's "
                f"{tuple(input.shape)}"
            )
    # -log(sigmoid(x)) = log(1 + exp(-|x|)) + max(-x, 0), with no exp of a large number.
    zero = xp.zeros_like(input)
    softplus = xp.log1p(xp.exp(-xp.abs(input))) + xp.maximum(-input, zero)
    extra: Array | float = 0.0 if pos_weight is None else pos_weight - 1
    loss = (1 - target) * input + (1 + extra * target) * softplus
    if weight is not None:
        loss = loss * weight
    y, spread = _reduce(xp, loss, reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = spread(dy) if weight is None else spread(dy) * weight
        dinput = (1 - target) - (1 + extra * target) * sigmoid(-input)
        dtarget = extra * softplus - input
        return dinput * share, dtarget * share, None, None

    return y, pullback


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    if len(shape) > len(to):
        return False
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))


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
        Logits of "yes", floating dtype.
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
    :math:`(1 - t)\,x + \log(1 + e^{-|x|}) + \max(-x, 0)`, which neither overflows nor cancels.
    """
    return _bce_with_logits_vjp(input, target, weight, reduction, pos_weight)[0]
