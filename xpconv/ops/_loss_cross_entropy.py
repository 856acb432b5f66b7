"""Cross entropy: how much probability the logits take from the true class."""

from __future__ import annotations

from .._arrays import namespace, require_floating
from .._typing import Array, Pullback
from ..engines import body
from ._activation_softmax import log_softmax, powers
from ._loss_labels import are_probabilities, class_axis, class_weights, labelled
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
    namespace(("labels",), logits=logits, labels=labels, weight=weight)
    require_floating(logits=logits)
    class_axis("logits", logits)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    if not are_probabilities(logits, labels):
        if weight is None and not label_smoothing:
            plain = _plain(logits, labels, ignore_index, reduction)
            if plain is not None:
                return plain
        return _of_classes(logits, labels, weight, ignore_index, reduction, label_smoothing)
    if ignore_index >= 0:
        raise ValueError(
            f"ignore_index is not supported for labels with probabilities, got {ignore_index}"
        )
    return _of_probabilities(logits, labels, weight, reduction, label_smoothing)


def _plain(
    logits: Array, labels: Array, ignore_index: int, reduction: str
) -> tuple[Array, Pullback] | None:
    """Compute the usual case in one pass, where there is a body for it and nothing to refuse."""
    fused = body("label_entropy", logits)
    if fused is None or logits.ndim != 2 or tuple(labels.shape) != logits.shape[:1]:
        return None
    xp = namespace(logits=logits)
    found = fused(logits, labels, ignore_index) if xp.isdtype(labels.dtype, "integral") else None
    if found is None:
        return None
    losses, slopes, counts = found
    y, spread = reduce(xp, losses, reduction, int(xp.count_nonzero(counts)))

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        return (slopes * xp.where(counts, xp.expand_dims(spread(dy), axis=1), 0.0),)

    return y, pullback


def _of_classes(
    logits: Array,
    labels: Array,
    weight: Array | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> tuple[Array, Pullback]:
    rows = labelled(("logits", "labels"), logits, labels, weight, ignore_index)
    xp, axis = rows.xp, rows.axis
    fused, fused_grad = body("cross_entropy", logits), body("cross_entropy_grad", logits)
    if fused is not None and fused_grad is not None and 0 not in logits.shape:
        given = (logits, rows.column, rows.counts, rows.weights, weight, label_smoothing)
        losses, others, kept = fused(*given)
        y, spread = rows.reduced(losses, reduction)
        if others is not None:
            y = y + rows.reduced(others, reduction)[0]
        return y, lambda dy: (fused_grad(*given, kept, spread(dy)),)
    shifted, each, total = powers(logits, axis)
    log_total = xp.log(total)
    peak = rows.weights * (1 - label_smoothing)
    loss, mass = (log_total - rows.pick(shifted)) * peak, peak
    y, spread = rows.reduced(rows.counted(loss), reduction)
    if label_smoothing:  # every class counts a little; labels without weight make NaN of the mean
        classes = logits.shape[axis]
        weights = class_weights(xp, "logits", logits, weight)
        rest = weights * (label_smoothing / max(classes, 1))
        mass_of_rest = rest * classes if weight is None else xp.sum(rest, dtype=logits.dtype)
        mass = mass + mass_of_rest
        others = xp.sum(shifted * rest, axis=axis, keepdims=True, dtype=logits.dtype)
        y = y + rows.reduced(rows.counted(log_total * mass_of_rest - others), reduction)[0]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = rows.counted(spread(dy))  # also where no row counts, and the loss is NaN
        dlogits = rows.to_logits(each, total, -peak * share, -mass * share)
        if label_smoothing:
            dlogits -= rest * share
        return (dlogits,)

    return y, pullback


def _of_probabilities(
    logits: Array, labels: Array, weight: Array | None, reduction: str, label_smoothing: float
) -> tuple[Array, Pullback]:
    xp, axis = namespace(logits=logits), class_axis("logits", logits)
    weights = class_weights(xp, "logits", logits, weight)
    smooth = labels * (1 - label_smoothing) + label_smoothing / max(logits.shape[axis], 1)
    target = smooth * weights  # how much each class counts
    log_p = log_softmax(logits, axis)
    # A class that does not count adds nothing, even where its log p is -inf.
    counting = xp.where(target == 0, constant(xp, 0, logits), log_p)
    loss = -xp.sum(target * counting, axis=axis, dtype=logits.dtype)
    y, spread = reduce(xp, loss, reduction)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.expand_dims(spread(dy), axis=axis)
        mass = xp.sum(target, axis=axis, keepdims=True, dtype=logits.dtype)
        dlogits = (xp.exp(log_p) * mass - target) * share
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
