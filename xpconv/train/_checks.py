"""What can be known about the data before the first step, checked on the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._place import where
from .._typing import Array
from ..data import ArrayDataset
from ..nn import Module
from ..optim import Optimizer
from ..schedule import Schedule
from ._callbacks import Callback
from ._losses import Loss, loss_name, targets_of

if TYPE_CHECKING:
    from ._trainer import Trainer


def check_parts(model: Any, optimizer: Any, schedule: Any, progress: Any) -> None:
    """Refuse what a `Trainer` cannot train, or not by.

    Raises
    ------
    TypeError, ValueError
        With the argument's name, and what it must be.
    """
    if progress not in ("auto", "bar", "plain", True, False):
        raise ValueError(f"progress must be 'auto', 'bar', 'plain' or a bool, got {progress!r}")
    if schedule is not None and not isinstance(schedule, Schedule):
        raise TypeError(
            f"schedule must be a Schedule, got {_kind(schedule)}; "
            "for a function there is schedule.LambdaLR"
        )
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {_kind(model)}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"optimizer must be an Optimizer such as optim.SGD(lr=0.1), got {_kind(optimizer)}"
        )


def as_callbacks(callbacks: Any) -> list[Callback]:
    """Return callbacks as a list of their own.

    Raises
    ------
    TypeError
        If they are not callbacks, or one without a list around it.
    """
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be an iterable of Callback, got {_kind(callbacks)}")
    found = list(callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks must hold objects of Callback, got {_kind(callback)}")
    return found


def _kind(value: Any) -> str:
    """Name the type of a value, or the class that was given in place of an object."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def as_dataset(data: Any, what: str) -> ArrayDataset:
    """Return a dataset, made of a pair of arrays where the user gave one.

    Raises
    ------
    TypeError
        If it is neither; ``what`` names it in the message.
    """
    if isinstance(data, ArrayDataset):
        return data
    if isinstance(data, tuple | list) and len(data) == 2:
        return ArrayDataset(*data)
    raise TypeError(
        f"{what} must be an ArrayDataset or a pair of arrays (x, y), got {type(data).__name__}"
    )


def check_samples(x: Array, what: str) -> None:
    """Refuse samples that are not floating numbers: how to scale them is the user's to say."""
    if x.dtype.kind not in "fc":
        raise TypeError(
            f"x of the {what} data has dtype {x.dtype}, a network takes floating numbers; "
            "convert and scale it first, as in x.astype('float32') / 255"
        )


def check_targets(
    output_shape: tuple[int, ...], loss: Loss, dataset: ArrayDataset, what: str
) -> None:
    """Refuse targets that the loss cannot use with the model's output.

    A GPU cannot report a label that is out of range without being waited for, so it is done here.

    Parameters
    ----------
    output_shape : tuple of int
        The shape of the model's output for one sample, without the batch axis.
    loss : Loss
        Only the library's own losses are known.
    dataset : ArrayDataset
        Samples and targets.
    what : str
        ``"training"`` or ``"validation"``, for the messages.

    Raises
    ------
    TypeError
        If the targets have a dtype that the loss cannot use.
    ValueError
        If their shape does not fit, or a label is out of range.
    """
    targets, name, y = targets_of(loss), loss_name(loss), dataset.y
    probabilities = y.dtype.kind == "f" and y.shape[1:] == output_shape
    if targets == "values" or (targets == "classes" and probabilities):
        if y.dtype.kind != "f":
            raise TypeError(
                f"y of the {what} data has dtype {y.dtype}, {name} takes floating numbers"
            )
        if y.shape[1:] != output_shape:
            raise ValueError(
                f"y of the {what} data has shape {_batch(y.shape[1:])}, but the model's output has "
                f"shape {_batch(output_shape)}, and {name} takes equal shapes"
            )
    elif targets == "classes":
        _check_labels(output_shape, getattr(loss, "ignore_index", -100), y, what)


def _check_labels(output_shape: tuple[int, ...], ignore_index: int, y: Array, what: str) -> None:
    if y.dtype.kind not in "iu":
        raise TypeError(f"labels of the {what} data must be integers, got dtype {y.dtype}")
    if y.shape[1:] != output_shape[1:]:
        raise ValueError(
            f"labels of the {what} data have shape {_batch(y.shape[1:])}, but the model's output "
            f"has shape {_batch(output_shape)}: expected labels of shape "
            f"{_batch(output_shape[1:])}"
        )
    classes = output_shape[0] if output_shape else 0
    wrong = y[((y < 0) | (y >= classes)) & (y != ignore_index)]
    if len(wrong):
        raise ValueError(
            f"labels of the {what} data must be in 0 to {classes - 1}, because the model has "
            f"{classes} outputs, but {len(wrong)} are not: they go from {wrong.min()} to "
            f"{wrong.max()}"
        )


def _batch(shape: tuple[int, ...]) -> str:
    """Write a shape with the batch axis before it, as in ``(N, 3)``."""
    return f"(N{''.join(f', {size}' for size in shape) or ','})"


def check_data(trainer: Trainer, dataset: ArrayDataset, what: str) -> None:
    """Compare data, model and loss before anything is computed in earnest."""
    check_samples(dataset.x, what)
    first = trainer._there(dataset.x[:1])
    with refusing(dataset.x, what):
        output = trainer.model(first)
    check_targets(tuple(output.shape[1:]), trainer.loss, dataset, what)


@contextmanager
def refusing(x: Array, what: str) -> Iterator[None]:
    """Say which layer refuses the samples, where a model does so within a ``with`` block."""
    try:
        yield
    except (ValueError, TypeError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        layer = where(error) or "the model"
        raise kind(
            f"{layer} refuses the {what} data of shape {_batch(x.shape[1:])}: {error}"
        ) from error


def check_monitors(watchers: Iterable[Any], metrics: Iterable[str], *, validation: bool) -> None:
    """Refuse callbacks and schedules that watch what no epoch will give.

    Raises
    ------
    ValueError
        With what there is to watch.
    """
    names = ["loss", *metrics]
    names += [f"val_{name}" for name in names] if validation else []
    for watcher in watchers:
        monitor = getattr(watcher, "monitor", None)
        if monitor is not None and monitor not in names:
            hint = "" if validation else "; for 'val_…', pass validation data"
            raise ValueError(
                f"{type(watcher).__name__} monitors {monitor!r}, but an epoch gives {names}{hint}"
            )
