"""What losses of class labels share: checks, class weights, and what the labels pick."""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import device

from .._arrays import is_floating, namespace, require_floating, same_dtype
from .._typing import Array, Namespace
from ._loss_operands import fails
from ._loss_reduce import Spread, reduce


class Labelled(NamedTuple):
    """Class labels beside scores (N, C, ...), checked; arrays of (N, 1, ...).

    Only what the labels pick is computed with, so that a loss costs few passes over the classes.
    """

    xp: Namespace
    axis: int
    column: Array  # the labels as int64, 0 where they are ignored
    counts: Array  # whether they are not
    weights: Array  # those of the labels' classes, 0 where labels are ignored

    def pick(self, values: Array) -> Array:
        """Each row's value at its label."""
        return _picked(self.xp, values, self.column, self.axis)

    def counted(self, rows: Array) -> Array:
        """Rows' numbers, and 0 for those that are ignored, whatever stood there."""
        return self.xp.where(self.counts, rows, 0.0)

    def reduced(self, loss: Array, reduction: str) -> tuple[Array, Spread]:
        """Reduce; the mean divides by the weights of the labels."""
        xp, axis = self.xp, self.axis
        divisor = xp.sum(self.weights, dtype=loss.dtype)
        y, spread = reduce(xp, xp.squeeze(loss, axis=axis), reduction, divisor)
        return y, lambda dy: xp.expand_dims(spread(dy), axis=axis)

    def here(self, scores: Array) -> Array:
        """Truth where a row's label is the class, and at class 0 where it is ignored."""
        return one_hot(self.xp, scores, self.column, self.axis)

    def to_logits(self, powers: Array, total: Array, slope: Array, slopes: Array) -> Array:
        """Go back through a log-softmax.

        ``powers`` over ``total`` are the probabilities. ``slope`` is the derivative with respect to
        the log-probability of each row's label, ``slopes`` the sum of those of all classes; those
        that other classes have besides are not added here.
        """
        dlogits = self.xp.astype(self.here(powers), slope.dtype)
        dlogits *= slope  # in place, where the library allows it: an array of this size is dear
        dlogits -= powers * (slopes / total)
        return dlogits


def labelled(
    names: tuple[str, str], scores: Array, labels: Array, weight: Array | None, ignore_index: int
) -> Labelled:
    """Check scores, labels and class weights; ``names`` are those of the first two."""
    xp = namespace(names[1:], **dict(zip(names, (scores, labels), strict=True)), weight=weight)
    require_floating(**{names[0]: scores})
    axis = class_axis(names[0], scores)
    factors = class_weights(xp, names[0], scores, weight)
    column, counts = _column(xp, names, scores, labels, ignore_index)
    weights = xp.astype(counts, scores.dtype)
    if weight is not None:
        factors = xp.broadcast_to(factors, tuple(scores.shape))
        weights = xp.where(counts, _picked(xp, factors, column, axis), 0.0)
    return Labelled(xp, axis, column, counts, weights)


def _picked(xp: Namespace, values: Array, column: Array, axis: int) -> Array:
    if values.shape[axis] == 0:  # then all labels are ignored
        return xp.zeros(tuple(column.shape), dtype=values.dtype, device=device(values))
    return xp.take_along_axis(values, column, axis=axis)


def class_axis(name: str, scores: Array) -> int:
    """The axis of the classes: 1 for (N, C, ...), 0 for (C,)."""
    if scores.ndim == 0:
        raise ValueError(f"{name} must have a class axis, got shape ()")
    return 1 if scores.ndim > 1 else 0


def class_weights(xp: Namespace, name: str, scores: Array, weight: Array | None) -> Array | float:
    """Class weights shaped to broadcast against the scores."""
    if weight is None:
        return 1.0
    same_dtype(**{name: scores}, weight=weight)
    axis = class_axis(name, scores)
    classes = scores.shape[axis]
    if tuple(weight.shape) != (classes,):
        raise ValueError(
            f"weight must have one entry per class, shape ({classes},) for {name} of shape "
            f"{tuple(scores.shape)}, got {tuple(weight.shape)}"
        )
    return xp.reshape(weight, _along(axis, scores, classes))


def _along(axis: int, scores: Array, size: int) -> tuple[int, ...]:
    return tuple(size if i == axis else 1 for i in range(scores.ndim))


def integer_labels(xp: Namespace, name: str, labels: Array) -> Array:
    """Labels as int64, which can count every class; what are no integers is refused."""
    if not xp.isdtype(labels.dtype, "integral"):
        kinds = "integers or probabilities" if name == "labels" else "integers"
        raise TypeError(f"{name} must be {kinds}, got {labels.dtype}")
    return xp.astype(labels, xp.int64)


def _column(
    xp: Namespace, names: tuple[str, str], scores: Array, labels: Array, ignore_index: int
) -> tuple[Array, Array]:
    """Labels with an axis of size 1 for the classes, and which of them count.

    Wrong ones are refused, and count for nothing where nobody looks.
    """
    axis = class_axis(names[0], scores)
    classes = scores.shape[axis]
    expected = (*scores.shape[:axis], *scores.shape[axis + 1 :])
    numbers = integer_labels(xp, names[1], labels)
    if tuple(labels.shape) != expected and not (scores.ndim == 1 and labels.shape == (1,)):
        raise ValueError(
            f"{names[1]} must have shape {expected} for {names[0]} of shape "
            f"{tuple(scores.shape)}, got {tuple(labels.shape)}"
        )
    inside, ignored = (numbers >= 0) & (numbers < classes), numbers == ignore_index
    if fails(xp, ~(inside | ignored)):
        low, high = int(xp.min(numbers)), int(xp.max(numbers))
        raise ValueError(
            f"{names[1]} must be in 0 to {classes - 1} (or ignore_index={ignore_index}) for "
            f"{names[0]} of shape {tuple(scores.shape)}, got values from {low} to {high}"
        )
    counts = inside & ~ignored
    numbers = numbers * xp.astype(counts, numbers.dtype)
    column, counts = (xp.reshape(array, expected) for array in (numbers, counts))
    return xp.expand_dims(column, axis=axis), xp.expand_dims(counts, axis=axis)


def one_hot(xp: Namespace, scores: Array, column: Array, axis: int) -> Array:
    """Truth where a row's label is the class."""
    classes = scores.shape[axis]
    number = xp.arange(classes, dtype=xp.int64, device=device(scores))
    return xp.reshape(number, _along(axis, scores, classes)) == column


def are_probabilities(logits: Array, labels: Array) -> bool:
    """Whether labels are class probabilities; their dtype and shape are the logits' then."""
    if not is_floating(labels):
        return False
    same_dtype(logits=logits, labels=labels)
    if labels.shape != logits.shape:
        raise ValueError(
            f"labels with probabilities must have the logits' shape {tuple(logits.shape)}, "
            f"got {tuple(labels.shape)}"
        )
    return True
