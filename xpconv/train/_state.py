"""A trainer's whole state as one nested dict, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint import CheckpointError
from ._history import History
from ._losses import loss_name

if TYPE_CHECKING:
    from ._run import Run
    from ._trainer import Trainer

_KIND = "xpconv.Trainer"


def collect(trainer: Trainer) -> dict[str, Any]:
    """Return everything that a run needs to go on, fit for `checkpoint.save`."""
    return {
        "kind": _KIND,
        "backend": str(trainer.backend),
        "settings": _settings(trainer),
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": None if trainer.schedule is None else trainer.schedule.state_dict(),
        "precision": trainer.precision.state_dict(),
        "stream": trainer.stream.state_dict(),
        "run": trainer.run.state_dict(),
        "means": trainer.means.state_dict(),
        "history": trainer.history.rows,
        "callbacks": [
            {"kind": type(callback).__name__, "state": callback.state_dict()}
            for callback in _with_state(trainer)
        ],
    }


def check(trainer: Trainer, state: Mapping[str, Any], path: Any, run: Run | None = None) -> None:
    """Refuse a state that does not belong to this trainer, or to the run it is about to continue.

    Raises
    ------
    CheckpointError
        With every difference named.
    """
    if state.get("kind") != _KIND:
        raise CheckpointError(f"{path} holds no training run that a Trainer has saved")
    differences = [*_differences(trainer, state), *_run_differences(state["run"], run)]
    if differences:
        raise CheckpointError(
            f"{path} does not fit: the checkpoint has " + "; the checkpoint has ".join(differences)
        )


def restore(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Give a checked state to the trainer; callbacks are left to `restore_callbacks`."""
    trainer.model.load_state_dict(state["model"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    if trainer.schedule is not None:
        trainer.schedule.load_state_dict(state["schedule"])
    if "precision" in state:  # not in files of older versions
        trainer.precision.load_state_dict(state["precision"])
    trainer.stream.load_state_dict(state["stream"])
    trainer.means.load_state_dict(state["means"], trainer.backend)
    trainer.history = History(state["history"])


def restore_callbacks(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Give the callbacks their parts of a checked state."""
    for callback, saved in zip(_with_state(trainer), state["callbacks"], strict=True):
        callback.load_state_dict(saved["state"])


def _with_state(trainer: Trainer) -> list[Any]:
    """Return the callbacks that a checkpoint knows, in their order."""
    return [callback for callback in trainer.callbacks if callback.state_dict()]


def _settings(trainer: Trainer) -> dict[str, Any]:
    return {
        "seed": trainer.seed,
        "loss": loss_name(trainer.loss),
        "metrics": list(trainer.metrics),
        "clip_norm": trainer.clip_norm,
        "precision": trainer.precision.asked,
    }


def _differences(trainer: Trainer, state: Mapping[str, Any]) -> Iterator[str]:
    for name, ours in _settings(trainer).items():
        theirs = state["settings"].get(name)
        if theirs != ours:
            yield f"{name} {theirs!r}, the trainer {ours!r}"
    kinds = (state["optimizer"]["kind"], type(trainer.optimizer).__name__)
    if kinds[0] != kinds[1]:
        yield f"the optimizer {kinds[0]}, the trainer {kinds[1]}"
    schedules = (
        None if state["schedule"] is None else state["schedule"]["kind"],
        None if trainer.schedule is None else type(trainer.schedule).__name__,
    )
    if schedules[0] != schedules[1]:
        yield f"the schedule {schedules[0]}, the trainer {schedules[1]}"
    callbacks = (
        [saved["kind"] for saved in state["callbacks"]],
        [type(callback).__name__ for callback in _with_state(trainer)],
    )
    if callbacks[0] != callbacks[1]:
        yield f"the callbacks {callbacks[0]}, the trainer {callbacks[1]}"
    yield from _model_differences(trainer.model.state_dict(), state["model"])


def _model_differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for name in _few(key for key in theirs if key not in ours):
        yield f"{name} in its model, the trainer's model has no such key"
    for name in _few(key for key in ours if key not in theirs):
        yield f"no {name} in its model, the trainer's model has it"
    for name in _few(key for key in ours if key in theirs and not _same(ours[key], theirs[key])):
        yield f"{name} {_describe(theirs[name])}, the trainer's model {_describe(ours[name])}"


def _run_differences(theirs: Mapping[str, Any], run: Run | None) -> Iterator[str]:
    if run is None:
        return
    for name, what in (
        ("samples", "training samples"),
        ("batch_size", "batch_size"),
        ("shuffle", "shuffle"),
    ):
        if theirs[name] != getattr(run, name):
            yield f"{what} {theirs[name]}, this run {getattr(run, name)}"


def _few(names: Iterable[str]) -> list[str]:
    """Return the first three: whoever has loaded another model needs no list of all its layers."""
    return list(names)[:3]


def _same(one: Any, other: Any) -> bool:
    return _describe(one) == _describe(other)


def _describe(array: Any) -> str:
    """Write dtype and shape in the same way for every library, and bfloat16 as it is stored."""
    dtype = str(array.dtype).rpartition(".")[2].replace("bfloat16", "float32")
    return f"{dtype}{list(array.shape)}"
