"""Everything on the device that a training step changes, and everything else that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from array_api_compat import array_namespace

from .._arrays import describe, dtype_name
from .._late import Unrepeatable
from .._typing import Array

if TYPE_CHECKING:
    from ._trainer import Trainer


class Cell(NamedTuple):
    """A place that holds an array, which a step replaces by another one."""

    name: str
    get: Callable[[], Array]
    set: Callable[[Array], None]


def form(array: Array | None) -> tuple[Any, ...]:
    """Return shape, dtype and place of an array."""
    return () if array is None else (tuple(array.shape), dtype_name(array.dtype), describe(array))


def cells(trainer: Trainer, sums: Mapping[str, Array]) -> list[Cell]:
    """Return all places that a step changes; ``sums`` are the means' sums after some step."""
    found = [*_of_model(trainer), *_of_optimizer(trainer)]
    scaler = trainer.precision.scaler
    if scaler is not None:
        found += [
            _attribute(f"the scaler's {name}", scaler, name) for name in ("scale", "_good_steps")
        ]
    return found + [_of_mean(trainer, name, like) for name, like in sums.items()]


def _of_model(trainer: Trainer) -> list[Cell]:
    seen, found = set(), []
    for key, (module, name) in trainer.model._slots().items():
        if (id(module), name) not in seen:
            seen.add((id(module), name))
            found.append(_attribute(key, module, name))
    return found


def _of_optimizer(trainer: Trainer) -> list[Cell]:
    slots = trainer.optimizer._slots
    found = [_slot(slots, name, key) for name, kept in slots.items() for key in kept]
    return found + [_count(trainer, names) for names in trainer.optimizer._steps.groups()]


def _attribute(name: str, owner: Any, attribute: str) -> Cell:
    return Cell(
        name, lambda: getattr(owner, attribute), lambda array: setattr(owner, attribute, array)
    )


def _slot(slots: dict[str, dict[str, Array]], name: str, key: str) -> Cell:
    # The inner dict is another one after every step.
    return Cell(
        f"{key} of {name}",
        lambda: slots[name][key],
        lambda array: slots[name].update({key: array}),
    )


def _count(trainer: Trainer, names: list[str]) -> Cell:
    def get() -> Array:
        count = trainer.optimizer._steps.shared(names)
        if count is None:
            raise Unrepeatable(
                f"it moves other parameters than the step before: not all of {names}"
            )
        return count

    return Cell(
        f"the count of {names[0]}", get, lambda array: trainer.optimizer._steps.share(names, array)
    )


def _of_mean(trainer: Trainer, name: str, like: Array) -> Cell:
    def get() -> Array:
        if name in trainer.means._sums:
            return trainer.means._sums[name]
        # Each epoch begins without sums; what is added to minus zero keeps all of its bits.
        return array_namespace(like).full_like(like, -0.0)

    return Cell(f"the sum of {name}", get, lambda array: trainer.means._sums.update({name: array}))


def settings(trainer: Trainer) -> list[Any]:
    """Return what a step depends on beside cells and batches, in order; compare with `same`."""
    optimizer, loss = trainer.optimizer, trainer.loss
    found: list[Any] = [optimizer, loss, trainer.clip_norm, *trainer.metrics.values()]
    found += [getattr(optimizer, name) for name in optimizer.hyperparameters if name != "lr"]
    found += getattr(loss, "__dict__", {}).values()
    for name, module in trainer.model.named_modules():
        state = module._own_state()
        found += [name, module]
        found += [value for key, value in vars(module).items() if key not in state]
    return found


def snapshot(trainer: Trainer) -> Callable[[], None]:
    """Return what undoes the changes that a step makes on the host."""
    means, count, drawn = trainer.means, trainer.means.count, trainer.stream.state_dict()
    held = [(vars(module), dict(vars(module))) for _, module in trainer.model.named_modules()]

    def undo() -> None:
        means.count = count
        trainer.stream.load_state_dict(drawn)
        for attributes, before in held:
            attributes.clear()
            attributes.update(before)

    return undo


_PLAIN = (bool, int, float, complex, str, tuple)


def same(one: Any, other: Any) -> bool:
    """Whether settings are the same: plain values that are equal, else the same objects."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, _PLAIN) and bool(one == other)
