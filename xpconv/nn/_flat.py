"""A network as a list of its layers in the order of computation, whatever contains them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, TypeGuard

from ._activation import ACTIVATIONS
from ._containers import Concat, Residual, Sequential
from ._conv import _Conv
from ._dropout import _Drop
from ._graph import Graph
from ._module import Module
from ._own import computes_as
from ._simple import Add, Identity


class Step(NamedTuple):
    """A layer, the numbers of the values that it takes, and an activation to apply to its own.

    Values are the network's inputs, then one a step.
    """

    layer: Module
    sources: tuple[int, ...]
    activation: str | None = None


def flatten(model: Module, inputs: int) -> tuple[list[Step], int]:
    """Return the steps of a model's inference, and the number of the value that is its output.

    Sequences, graphs of one output, residual blocks and branches are taken apart; what the user
    has written stays one layer. What infers its input is left out. Activations that follow a
    convolution, or a sum, alone are part of its step.
    """
    steps: list[Step] = []
    result = _add(steps, inputs, model, tuple(range(inputs)))
    return _merged(steps, inputs, result)


def _add(steps: list[Step], inputs: int, layer: Module, sources: tuple[int, ...]) -> int:
    """Append what a layer computes from some values, and return the number of its own."""

    def step(layer: Module, *sources: int) -> int:
        return _add(steps, inputs, layer, sources)

    single = len(sources) == 1
    if single and (computes_as(layer, Identity) or computes_as(layer, _Drop)):
        return sources[0]
    if single and computes_as(layer, Sequential):
        value = sources[0]
        for inner in layer:
            value = step(inner, value)
        return value
    if single and computes_as(layer, Residual):
        body = step(layer.body, *sources)
        around = sources[0] if layer.shortcut is None else step(layer.shortcut, *sources)
        return step(Add(), body, around)
    if single and computes_as(layer, Concat) and len(layer):
        return step(Concat(dim=layer.dim), *[step(branch, *sources) for branch in layer])
    if computes_as(layer, Graph) and layer._inference.single:
        values = list(layer._begin(sources))
        for name, places in layer._inference.steps:
            values.append(step(layer._layers[name], *(values[i] for i in places)))
        return int(layer._inference.result(values))
    steps.append(Step(layer, sources))
    return inputs + len(steps) - 1


def _merged(steps: list[Step], inputs: int, result: int) -> tuple[list[Step], int]:
    """Let convolutions, and sums, apply the activations that alone see their output."""
    uses = Counter([result, *(source for step in steps for source in step.sources)])
    kept: list[Step] = []
    place = list(range(inputs))  # of each value of before among those that are left
    for layer, sources, _ in steps:
        now = tuple(place[source] for source in sources)
        kind = type(layer)
        activation = ACTIVATIONS.get(kind) if computes_as(layer, kind) else None
        last = now[0] - inputs
        if activation and last >= 0 and uses[sources[0]] == 1 and _takes(kept[last]):
            kept[last] = kept[last]._replace(activation=activation)
            place.append(now[0])
        else:
            place.append(inputs + len(kept))
            kept.append(Step(layer, now))
    return kept, place[result]


def _takes(step: Step) -> bool:
    """Whether a step, which has no activation so far, can apply one in the same pass."""
    return step.activation is None and (computes_as(step.layer, Add) or convolves(step.layer))


def convolves(layer: Module) -> TypeGuard[_Conv]:
    """Whether a layer is one of the library's convolutions, as it stands."""
    return computes_as(layer, _Conv)
