"""One training step of a copy of a model, with every value on the way written down."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import Array
from ..backend import Backend, to_numpy, use_backend
from ..nn import Module
from ..random import Stream, use_stream
from ..train._losses import Loss

ROOT = "(model)"
LOSS = "loss"


@dataclass(frozen=True)
class Record:
    """One value of a step.

    Parameters
    ----------
    name, kind, layer : str
        As in `ParityRow`.
    value : numpy.ndarray
        The value, on the host.
    terms : int
        How many numbers were summed for one number of it.
    """

    name: str
    kind: str
    layer: str
    value: np.ndarray
    terms: int


@dataclass(frozen=True)
class Step:
    """What a training step gives in the end, on the host."""

    outputs: list[np.ndarray]
    loss: np.ndarray
    grads: dict[str, np.ndarray]


def run(
    model: Module,
    x: Array,
    y: Array,
    backend: Backend,
    loss: Loss,
    seed: int,
    recorder: Recorder | None = None,
) -> Step:
    """Copy a model to a backend and run forward, loss and backward there.

    Parameters
    ----------
    model : Module
        Is copied first and stays as it is.
    x, y : array
        A batch, of any library.
    backend : Backend
        Where to run.
    loss : Loss
        The loss.
    seed : int
        Decides the dropout masks.
    recorder : Recorder, optional
        Writes down what every layer does.

    Returns
    -------
    Step
        Output, loss and gradients.
    """
    twin = copy.deepcopy(model)
    with use_backend(backend), use_stream(Stream(seed)):
        twin.to(backend)
        if recorder is not None:
            recorder.watch(twin)
        output, backward = twin.forward(backend.asarray(x), training=True)
        logits = output if recorder is None else recorder.lead("x", -1, output)
        value, loss_backward = loss.forward(logits, backend.asarray(y))
        dy = loss_backward()
        if recorder is not None:
            recorder.add(LOSS, "loss", LOSS, value, _size(output))
            recorder.add(LOSS, "input gradient", LOSS, dy, 1)
        _, grads = backward(dy)
        if recorder is not None:
            recorder.add_buffers(twin)
    return Step(
        [np.array(to_numpy(part)) for part in _flat(output)],
        np.array(to_numpy(value)),
        {key: np.array(to_numpy(grad)) for key, grad in grads.items()},
    )


class Recorder:
    """Stands before every layer of a model and writes down what passes, forward and backward.

    Parameters
    ----------
    backend : Backend
        Where the model computes.
    leader : Recorder, optional
        That of the reference, whose inputs and incoming gradients each layer is given.

    Attributes
    ----------
    records : list of Record
        In the order of execution.
    """

    def __init__(self, backend: Backend, leader: Recorder | None = None) -> None:
        self.records: list[Record] = []
        self._backend = backend
        self._leader = leader
        self._given: dict[tuple[str, int], Any] = {}
        self._calls: dict[str, int] = {}
        self._count = 0
        self._sizes: dict[str, int] = {}
        self._last: Any = None

    def watch(self, model: Module) -> None:
        """Begin to watch a model that nobody else uses: its layers' ``forward`` is replaced."""
        seen: set[int] = set()
        for name, module in model.named_modules():
            if id(module) not in seen:
                seen.add(id(module))
                self._watch(module, name)

    def add(self, name: str, kind: str, layer: str, value: Any, terms: int) -> None:
        """Write down a value, or each of several."""
        parts = list(_flat(value))
        for index, part in enumerate(parts):
            label = f"{name}[{index}]" if len(parts) > 1 else name
            host = np.array(to_numpy(part))
            self.records.append(Record(label, kind, layer, host, max(1, terms)))
        self._last = value

    def add_buffers(self, model: Module) -> None:
        """Write down the running statistics that a step has left."""
        for key, buffer in model.buffers().items():
            layer = key.rpartition(".")[0] or ROOT
            self.add(key, "buffer", layer, buffer, self._sizes.get(layer, 1))

    def lead(self, what: str, call: int, values: Any) -> Any:
        """Return what the reference was given in this place; the reference notes what it gets."""
        if self._leader is None:
            self._given[what, call] = _map(to_numpy, values)
            return values
        if (what, call) not in self._leader._given:
            raise ValueError(f"the model takes another path on {self._backend}")
        return _map(self._backend.asarray, self._leader._given[what, call])

    def _watch(self, module: Module, name: str) -> None:
        forward, inner = module.forward, bool(module.children())

        def watched(*inputs: Array, training: bool = False) -> tuple[Any, Callable[..., Any]]:
            call, self._count = self._count, self._count + 1
            inputs = self.lead("x", call, inputs)
            output, backward = forward(*inputs, training=training)
            turn = self._calls[name] = self._calls.get(name, 0) + 1
            layer = _label(name or ROOT, turn)
            self._sizes[layer] = _size(output)
            # A container that passes on what its last layer gave has nothing to add.
            if not inner or output is not self._last:
                self.add(layer, "output", layer, output, _terms(module, inputs, output))

            def watched_backward(dy: Any) -> tuple[Any, dict[str, Array]]:
                dy = self.lead("dy", call, dy)
                dx, grads = backward(dy)
                for key, grad in grads.items():
                    if not inner or "." not in key:  # its own, not a child's
                        full = _label(f"{name}.{key}" if name else key, turn)
                        self.add(full, "gradient", layer, grad, _size(dy))
                if not inner or dx is not self._last:
                    self.add(layer, "input gradient", layer, dx, _terms(module, dy, dx))
                return dx, grads

            return output, watched_backward

        module.forward = watched  # type: ignore[method-assign]


def _label(name: str, turn: int) -> str:
    """Tell the uses of a layer that is used more than once apart."""
    return name if turn == 1 else f"{name} (use {turn})"


def _terms(module: Module, inputs: Any, output: Any) -> int:
    """Count the numbers that a layer sums for one number of its output.

    A weight matrix or kernel says it; a layer with a vector normalises each channel over all else;
    any other sums at most what it makes fewer, or (softmax) along one axis.
    """
    weight = getattr(module, "weight", None)
    shape = next((tuple(part.shape) for part in _flat(output)), ())
    channels = max(1, int(shape[1])) if len(shape) > 1 else 1
    if weight is not None and len(weight.shape) > 1:
        return _size(weight) // max(1, int(min(weight.shape[:2])))
    if weight is not None or getattr(module, "running_mean", None) is not None:
        return _size(output) // channels
    return max(_size(inputs) // max(1, _size(output)), channels)


def _size(value: Any) -> int:
    return sum(int(math.prod(part.shape)) for part in _flat(value))


def _flat(value: Any) -> Iterator[Array]:
    """Yield the arrays of an array, or of tuples of them; what has no gradient is left out."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from _flat(part)
    elif value is not None:
        yield value


def _map(change: Callable[[Array], Array], value: Any) -> Any:
    """Change the arrays in an array, or in tuples of them."""
    if isinstance(value, tuple | list):
        return tuple(_map(change, part) for part in value)
    return None if value is None else change(value)
