"""What losses of class labels share: checks, class weights, and where each label stands."""

from __future__ import annotations

from array_api_compat import device

from .._arrays import is_floating, same_dtype
from .._typing import Array, Namespace
from ._loss_operands import fails


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


def label_column(
    xp: Namespace, names: tuple[str, str], scores: Array, labels: Array, ignore_index: int
) -> Array:
    """Labels as int64 with an axis of size 1 for the classes; wrong ones are refused.

    ``names`` are those of the scores and of the labels, for the messages.
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
    if fails(xp, ((numbers < 0) | (numbers >= classes)) & (numbers != ignore_index)):
        low, high = int(xp.min(numbers)), int(xp.max(numbers))
        raise ValueError(
            f"{names[1]} must be in 0 to {classes - 1} (or ignore_index={ignore_index}) for "
            f"{names[0]} of shape {tuple(scores.shape)}, got values from {low} to {high}"
        )
    return xp.expand_dims(xp.reshape(numbers, expected), axis=axis)


def one_hot(xp: Namespace, scores: Array, column: Array, axis: int) -> Array:
    """Truth where a row's label is the class; nowhere in a row whose label is no class."""
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
