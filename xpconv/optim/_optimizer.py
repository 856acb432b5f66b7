"""What all optimisers share: which parameters move, and the state that is kept for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from array_api_compat import array_namespace, device

from .._arrays import dtype_name, namespace, place, same_dtype
from .._late import Late
from .._typing import Array
from ..backend import backend_of
from ._counts import StepCounts

Slots = dict[str, Array]
"""What an update rule remembers of one parameter, under PyTorch's names (``exp_avg``, …)."""


class Move(NamedTuple):
    """One parameter of a step: what `Optimizer.update` is given of it."""

    name: str
    parameter: Array
    gradient: Array
    slots: Slots
    step: int | Array


Together = Callable[[Sequence[Move], Any, Array | None], Iterable[tuple[Array, Slots]]]
"""Moves of one kind, the learning rate and ``found_inf`` to the new parameters and states."""


class HasParameters(Protocol):
    """What an optimiser asks of a model; every `xpconv.nn.Module` has it."""

    def parameters(self) -> dict[str, Array]:
        """Return the parameters by name."""

    def update(self, values: Mapping[str, Array], /) -> Any:
        """Replace parameters by name."""


class Optimizer:
    """Base class: `step` walks over the parameters, a subclass's `update` moves one of them.

    Parameters
    ----------
    lr : float
        The learning rate.

    Notes
    -----
    Nothing here waits for the device, and no array is written to: `step` computes new arrays and
    gives them to the model all at once.
    """

    hyperparameters: ClassVar[tuple[str, ...]] = ("lr",)

    def __init__(self, lr: float) -> None:
        self.lr = at_least_zero("learning rate", lr)
        self._steps = StepCounts()
        self._slots: dict[str, Slots] = {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.hyperparameters)
        return f"{type(self).__name__}({given})"

    def update(
        self, parameter: Array, gradient: Array, slots: Slots, step: int | Array, lr: float
    ) -> tuple[Array, Slots]:
        """Return one parameter's new value and state; a pure function of its arguments.

        Parameters
        ----------
        parameter, gradient : array
            Of equal shape, dtype, library and device.
        slots : dict of str to array
            What the last call returned for this parameter; empty at first.
        step : int or 0-d floating array
            How many times this parameter has been updated, this time included: 1 at first. An array
            on the device where steps may be skipped (``found_inf``): how many were, only the device
            knows. It may be of a wider dtype than the parameter.
        lr : float
            The learning rate.

        Returns
        -------
        parameter, slots
            New arrays; those given are left as they are.

        Notes
        -----
        Where a step is recorded as a CUDA graph, numbers that change from step to step (``lr``, and
        ``step`` where it is no array) are not known yet: they can be computed with, also beside
        arrays, and not be looked at or converted. A rule that needs to leads to steps that are not
        recorded.
        """
        raise NotImplementedError

    def step(
        self,
        model: HasParameters,
        grads: Mapping[str, Array | None],
        *,
        lr: float | None = None,
        found_inf: Array | None = None,
    ) -> None:
        """Move the model's parameters along their gradients.

        Parameters
        ----------
        model : Module
            The model whose parameters are replaced.
        grads : mapping of str to array
            Gradients by parameter name, as ``backward`` returns them. A parameter whose gradient is
            absent or ``None`` stays as it is, and so does its state.
        lr : float, optional
            The learning rate of this step alone, as from a schedule; default ``self.lr``.
        found_inf : 0-d bool array, optional
            Where it is true, the step is skipped: parameters, state and step counts stay as they
            are. It is not looked at, only computed with, so nothing waits for the device.

        Raises
        ------
        ValueError
            If a gradient belongs to no parameter, or its shape is not the parameter's.
        TypeError
            If a gradient's dtype, library or device is not the parameter's.
        """
        rate: Any = self.lr if lr is None else lr
        if not isinstance(rate, Late):  # of which the trainer sees to it
            rate = at_least_zero("learning rate", rate)
        parameters = model.parameters()
        if unknown := [name for name in grads if name not in parameters]:
            raise ValueError(
                f"gradients for unknown parameter(s) {unknown}; the model has {list(parameters)}"
            )
        moves: list[Move] = []
        moved: dict[str, Array] = {}
        kept: dict[str, Slots] = {}
        counts = self._steps.next(found_inf)
        for name, parameter in parameters.items():
            gradient = grads.get(name)
            if gradient is None:
                continue
            _check_gradient(name, parameter, gradient)
            old = {key: _beside(parameter, slot) for key, slot in self._slots.get(name, {}).items()}
            moves.append(Move(name, parameter, gradient, old, counts.count(name)))
        for move, (new, slots) in zip(moves, self._updates(moves, rate, found_inf), strict=True):
            moved[move.name] = _as_array(new, move.parameter)
            kept[move.name] = {k: _as_array(slot, move.parameter) for k, slot in slots.items()}
        # Everything is computed: from here on nothing can fail half-way.
        model.update(moved)
        self._slots.update(kept)
        self._steps = counts

    def _updates(
        self, moves: Sequence[Move], lr: Any, found_inf: Array | None
    ) -> Iterator[tuple[Array, Slots]]:
        """Update many parameters: by one fused body for all, where there is one, else by turns."""
        fused = self._fused(moves[0]) if moves else None
        if fused is not None and len({_kind(move) for move in moves}) == 1:
            yield from fused(moves, lr, found_inf)
            return
        for _, parameter, gradient, old, count in moves:
            new, slots = self.update(parameter, gradient, old, count, lr)
            if found_inf is not None:
                new = _unless(found_inf, new, parameter)
                slots = {key: _unless(found_inf, slot, old.get(key)) for key, slot in slots.items()}
            yield new, slots

    def _fused(self, move: Move) -> Together | None:
        """Return what makes moves such as this one in one pass over the memory, or None."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Return kind, hyperparameters, step counts and state arrays, fit for `checkpoint.save`.

        Returns
        -------
        dict
            ``{"kind", "hyperparameters", "steps", "slots"}``; the arrays are the optimiser's own.
        """
        return {
            "kind": type(self).__name__,
            "hyperparameters": {name: getattr(self, name) for name in self.hyperparameters},
            "steps": self._steps.read(),
            "slots": {name: dict(slots) for name, slots in self._slots.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another optimiser's `state_dict` was taken, hyperparameters included.

        The arrays may be of any library: the next `step` brings them to the parameters' device.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned.

        Raises
        ------
        ValueError
            If the state is of another kind of optimiser.
        """
        if state["kind"] != type(self).__name__:
            raise ValueError(
                f"the state is of {state['kind']}, this optimizer is {type(self).__name__}"
            )
        checked = type(self)(**state["hyperparameters"])
        for name in self.hyperparameters:
            setattr(self, name, getattr(checked, name))
        self._steps = StepCounts({name: int(n) for name, n in state["steps"].items()})
        self._slots = {name: dict(slots) for name, slots in state["slots"].items()}


def at_least_zero(what: str, value: float) -> float:
    """Return a hyperparameter as a Python float, which leaves the dtype of arrays alone."""
    number = float(value)
    if not number >= 0.0:
        raise ValueError(f"Invalid {what}: {value}, must be at least 0")
    return number


def _kind(move: Move) -> tuple[Any, ...]:
    """What all parameters of one fused update share."""
    dtype, count = dtype_name(move.parameter.dtype), move.step
    count = count if isinstance(count, int) else f"array {id(count)}"
    return (dtype, str(place(move.parameter)), count, *sorted(move.slots))


def _together(a: Array, b: Array) -> bool:
    return type(a) is type(b) and a.dtype == b.dtype and bool(place(a) == place(b))


def _as_array(value: Array, parameter: Array) -> Array:
    """Undo what NumPy's arithmetic does: 0-d arrays become scalars, numbers widen bfloat16."""
    if value.ndim and value.dtype == parameter.dtype:
        return value
    xp = array_namespace(parameter)
    return xp.asarray(value, dtype=parameter.dtype, device=device(parameter))


def _unless(found_inf: Array, new: Array, old: Array | None) -> Array:
    """Return the new array, or the old one (at first: zeros) where a step is to be skipped."""
    xp = array_namespace(new)
    return xp.where(found_inf, xp.zeros_like(new) if old is None else old, new)


def _beside(parameter: Array, slot: Array) -> Array:
    """Bring a state array to its parameter: the model has moved, or the state was loaded."""
    if _together(parameter, slot):
        return slot
    return backend_of(parameter).asarray(slot, parameter.dtype)


def _check_gradient(name: str, parameter: Array, gradient: Array) -> None:
    if not _together(parameter, gradient):
        arrays = {f"parameter {name!r}": parameter, "its gradient": gradient}
        namespace(**arrays)
        same_dtype(**arrays)
    if gradient.shape != parameter.shape:
        raise ValueError(
            f"gradient of {name!r} has shape {tuple(gradient.shape)}, "
            f"the parameter has shape {tuple(parameter.shape)}"
        )
