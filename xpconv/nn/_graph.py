"""Any directed acyclic network: call layers on symbolic inputs, then make a graph of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .._typing import Array
from ..ops._layout import added
from ._gradients import merge, prefixed, under_first_names
from ._graph_plan import Plan, Step
from ._module import Backward, Grads, Module
from ._node import Node
from ._pairs import PASSED, inferred_together, together
from ._way_back import WayBack, Wish, go_back


class Graph(Module):
    """A network made by calling layers on symbolic inputs.

    Parameters
    ----------
    inputs, outputs : Node or tuple of Node
        Where the network begins and ends. With several inputs ``forward`` takes as many arrays,
        with several outputs it returns a tuple, and ``backward`` takes one.
    names : mapping of str to Module, optional
        Names of layers in the state dict, in the order wanted there. Others are numbered in the
        order of computation.
    auxiliary : Node or tuple of Node, optional, keyword-only
        Further outputs that training computes and inference leaves out, as the second logits of
        Inception. With ``training=True``, ``forward`` returns a tuple of the outputs and these, in
        that order, and ``backward`` takes one. Their layers always stand in the state dict.

    Raises
    ------
    ValueError
        If an output does not depend on the inputs given, an input reaches no output, or a name
        belongs to no layer of the graph.

    Notes
    -----
    The way back runs the layers' own ways back in reverse order and sums where a value was used
    twice.

    Examples
    --------
    >>> from xpconv import nn
    >>> conv, add = nn.Conv2d(8, 8, 3, padding=1), nn.Add()
    >>> x = nn.Input()
    >>> model = nn.Graph(x, add(conv(x), x), names={"conv": conv})
    >>> list(model.state_dict())
    ['conv.weight', 'conv.bias']
    """

    def __init__(
        self,
        inputs: Node | tuple[Node, ...],
        outputs: Node | tuple[Node, ...],
        names: Mapping[str, Module] | None = None,
        *,
        auxiliary: Node | tuple[Node, ...] = (),
    ) -> None:
        starts = _nodes("inputs", inputs)
        ends = _nodes("outputs", outputs)
        extra = _nodes("auxiliary", auxiliary) if auxiliary != () else ()
        if len(set(map(id, starts))) < len(starts):
            raise ValueError("an nn.Input() is given twice among the graph's inputs")
        order = _topological(starts, ends + extra)
        self._layers = _named(order, names or {})
        by_id = {id(module): name for name, module in self._layers.items()}
        place = {id(node): i for i, node in enumerate([*starts, *order])}
        steps = tuple(
            Step(by_id[id(node.module)], tuple(place[id(source)] for source in node.inputs))
            for node in order
        )
        single, count = isinstance(outputs, Node), len(_topological(starts, ends))
        places = [place[id(node)] for node in ends + extra]
        # What the outputs need comes first in the order; the auxiliary ones only add to it.
        self._inference = Plan.of(steps[:count], tuple(places[: len(ends)]), single)
        self._training = Plan.of(steps, tuple(places), single and not extra)
        self._count = len(starts)
        self._followers = dict(self._in_a_row())
        used = {source for step in self._inference.steps for source in step.sources}
        for i in range(self._count):
            if i not in used.union(self._inference.ends):
                raise ValueError(f"input {i} of the graph reaches none of its outputs")

    def children(self) -> dict[str, Module]:
        return dict(self._layers)

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Any, Backward]:
        values = self._begin(inputs)
        plan = self._training if training else self._inference
        backs: list[Backward | None] = []
        done: set[str | None] = set()  # steps that were run together with the one before
        for k, step in enumerate(plan.steps):
            given = tuple(values[i] for i in step.sources)
            if step.name in done:
                y, back = given[0], PASSED
            else:
                layer, after = self._layers[step.name], self._followers.get(step.name)
                follower = None if after is None else self._layers[after]
                pair = together(layer, follower, given, training)
                y, back = layer.forward(*given, training=training) if pair is None else pair
                done.add(None if pair is None else after)
            values.append(y)
            backs.append(back)
            plan.let_go(values, k)
        shapes = len(values)
        count, steps = self._count, plan.steps

        @WayBack
        def backward(dy: Any, wish: Wish) -> tuple[Any, Grads]:
            matters = self._matters(plan, wish)
            dvalues: list[Any] = [None] * shapes

            def send(i: int, share: Array) -> None:
                if matters[i]:
                    dvalues[i] = share if dvalues[i] is None else added(dvalues[i], share)

            for i, share in zip(plan.ends, plan.cotangents(dy), strict=True):
                if share is None:
                    raise TypeError("backward needs a cotangent for every output, got None")
                send(i, share)
            grads: Grads = {}
            for place in reversed(range(len(steps))):
                if not matters[count + place]:
                    continue
                step, back = steps[place], backs[place]
                if wish.last:
                    backs[place] = None
                needed = any(matters[i] for i in step.sources)
                dx, inner = go_back(back, dvalues[count + place], wish.inside if needed else wish)
                dvalues[count + place] = None  # not needed any more
                merge(grads, prefixed(step.name, inner))
                if needed:
                    shares = dx if len(step.sources) > 1 else (dx,)
                    for i, share in zip(step.sources, shares, strict=True):
                        send(i, share)
            dinputs = tuple(dvalues[:count])
            grads = under_first_names(self, grads)
            return dinputs if count > 1 else dinputs[0], grads

        return plan.result(values), backward

    def _in_a_row(self) -> list[tuple[str, str]]:
        """Names of layers whose output goes to one other alone, and of that one."""
        plan = self._training
        uses = Counter(plan.ends) + Counter(i for step in plan.steps for i in step.sources)
        calls = Counter(step.name for step in plan.steps)
        pairs = []
        for name, sources in plan.steps:
            before = plan.steps[sources[0] - self._count].name if sources[0] >= self._count else ""
            if len(sources) == uses[sources[0]] == calls[name] == calls[before] == 1:
                pairs.append((before, name))
        return pairs

    def _matters(self, plan: Plan, wish: Wish) -> list[bool]:
        """For every value, whether its gradient is of use: to parameters before it, or itself."""
        matters = [wish.input_grad] * self._count
        for name, sources in plan.steps:
            before = any(matters[i] for i in sources)
            matters.append(before or bool(self._layers[name].parameters()))
        return matters

    def infer(self, *inputs: Array) -> Any:
        values = self._begin(inputs)
        plan = self._inference
        done: set[str | None] = set()
        for k, step in enumerate(plan.steps):
            given = tuple(values[i] for i in step.sources)
            y = given[0]
            if step.name not in done:
                layer, after = self._layers[step.name], self._followers.get(step.name)
                follower = None if after is None else self._layers[after]
                y = inferred_together(layer, follower, given)
                done.add(None if y is None else after)
                y = layer(*given) if y is None else y
            values.append(y)
            plan.let_go(values, k)
        return plan.result(values)

    def _begin(self, inputs: tuple[Array, ...]) -> list[Any]:
        if len(inputs) != self._count:
            raise ValueError(f"the graph takes {self._count} input(s), got {len(inputs)}")
        return list(inputs)


def _nodes(what: str, nodes: Node | tuple[Node, ...]) -> tuple[Node, ...]:
    sequence = nodes if isinstance(nodes, list | tuple) else (nodes,)
    if not sequence or not all(isinstance(node, Node) for node in sequence):
        raise TypeError(f"{what} must be symbolic: made by nn.Input() or by calling layers on it")
    return tuple(sequence)


def _topological(starts: tuple[Node, ...], ends: tuple[Node, ...]) -> list[Node]:
    """Nodes between starts and ends, each after what it needs."""
    order: list[Node] = []
    done = {id(node) for node in starts}
    stack = [(node, False) for node in reversed(ends)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if node.module is None:
            raise ValueError("an output depends on an nn.Input() that is not among the inputs")
        if ready:
            done.add(id(node))
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(node.inputs))
    return order


def _named(order: list[Node], names: Mapping[str, Module]) -> dict[str, Module]:
    """Name every layer once: as the user says, else by number."""
    present = {id(node.module) for node in order}
    layers: dict[str, Module] = {}
    for name, module in names.items():
        if id(module) not in present:
            raise ValueError(f"names has {name!r}, which is no layer of the graph")
        if not name or "." in name:
            raise ValueError(f"a layer's name must be a text without dots, got {name!r}")
        layers[name] = module
    known = {id(module) for module in layers.values()}
    number = 0
    for node in order:
        if node.module is not None and id(node.module) not in known:
            while str(number) in layers:
                number += 1
            layers[str(number)] = node.module
            known.add(id(node.module))
    return layers
