"""Cross entropy: how much probability the logits take from the true class."""

from __future__ import annotations

from .._arrays import namespace, require_floating
from .._typing import Array, Pullback
from ._activation_softmax import log_softmax
from ._loss_labels import are_probabilities, class_axis, class_weights, label_column, one_hot
from ._loss_operands import loss_rule
from ._loss_reduce import constant, reduce
from ._registry import differentiable


@loss_rule
def _cross_entropy_vjp(
    logits: Array,
    labels: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Array, Pullback]:
    xp = namespace(("labels",), logits=logits, labels=labels, weight=weight)
    require_floating(logits=logits)
    axis = class_axis("logits", logits)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    classes = max(logits.shape[axis], 1)
    weights = class_weights(xp, "logits", logits, weight)
    zero = constant(xp, 0, logits)
    probabilities = are_probabilities(logits, labels)
    divisor: Array | float | None = None

    # target: how much each class counts in each row; the loss is -sum(target * log p).
    if probabilities:
        if ignore_index >= 0:
            raise ValueError(
                f"ignore_index is not supported for labels with probabilities, got {ignore_index}"
            )
        smooth = labels * (1 - label_smoothing) + label_smoothing / classes
        target = smooth * weights
    else:
        column = label_column(xp, ("logits", "labels"), logits, labels, ignore_index)
        counts = column != ignore_index
        counted = xp.astype(one_hot(xp, logits, column, axis) & counts, logits.dtype) * weights
        divisor = xp.sum(counted, dtype=logits.dtype)  # the weight of each row's label
        target = counted
        if label_smoothing:
            rest = xp.astype(counts, logits.dtype) * weights * (label_smoothing / classes)
            target = counted * (1 - label_smoothing) + rest

    log_p = log_softmax(logits, axis)
    # A class that does not count adds nothing, even where its log p is -inf.
    counting = xp.where(target == 0, zero, log_p)
    loss = -xp.sum(target * counting, axis=axis, dtype=logits.dtype)
    y, spread = reduce(xp, loss, reduction, divisor)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.expand_dims(spread(dy), axis=axis)
        mass = xp.sum(target, axis=axis, keepdims=True, dtype=logits.dtype)
        dlogits = (xp.exp(log_p) * mass - target) * share
        if not probabilities:
            # Ignored rows have no gradient, even where no row counts and the loss is NaN.
            return (xp.where(counts, dlogits, zero),)
        dlabels = -log_p * weights * (1 - label_smoothing) * share
        if weight is None:
            return dlogits, dlabels
        others = tuple(i for i in range(logits.ndim) if i != axis)
        return dlogits, dlabels, xp.sum(-smooth * counting * share, axis=others, dtype=log_p.dtype)

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
        Unnormalised log-probabilities, real floating dtype.
    labels : array of integers, shape (N, ...) or (), or of the dtype and shape of ``logits``
        The true class of each row, in 0 to C-1, or the probabilities of all classes.
    weight : array, shape (C,), optional
        How much each class counts. It has a gradient where labels are probabilities.
    ignore_index : int, default -100
        Rows with this label count for nothing.
    reduction : {"mean", "sum", "none"}, default "mean"
        The mean is weighted: divided by the sum of the true classes' weights. With probabilities
        it divides by the number of rows.
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
