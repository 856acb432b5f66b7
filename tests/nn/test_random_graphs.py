"""Graphs drawn at random, against PyTorch's autograd on the same computation."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, strategies as st

from tests.backends import Library
from tests.nn.layers import placed
from xpconv import nn

# A plan is a list of steps, each a kind of layer and the values it takes, counted from the end.
KINDS = {"linear": 1, "linear again": 1, "tanh": 1, "sigmoid": 1, "add": 2, "add three": 3}
steps = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), *[st.integers(1, 6)] * KINDS[kind])
)
plans = st.lists(steps, min_size=1, max_size=10)
SIZE = 3


def layer_of(kind: str, layers: list[nn.Module]) -> nn.Module:
    """A new layer, or the linear layer that was used last."""
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if kind == "linear again" and linear:
        return linear[-1]
    if kind.startswith("linear"):
        return nn.Linear(SIZE, SIZE)
    return {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}.get(kind, nn.Add)()


def built(plan: list[Any], inputs: int, outputs: int) -> tuple[nn.Graph, list[Any], list[int]]:
    """The graph; each step's layer with the places of its inputs; the places of the outputs."""
    nodes = [nn.Input() for _ in range(inputs)]
    layers: list[nn.Module] = []
    wiring = []
    for kind, *back in plan:
        layer = layer_of(kind, layers)
        sources = [len(nodes) - 1 - (distance - 1) % len(nodes) for distance in back]
        nodes.append(layer(*(nodes[i] for i in sources)))
        layers.append(layer)
        wiring.append((layer, sources))
    # All inputs must be used: join the last values and the inputs in a last layer.
    last = nn.Add()
    sources = [*range(inputs), len(nodes) - 1]
    nodes.append(last(*(nodes[i] for i in sources)))
    wiring.append((last, sources))
    ends = [len(nodes) - 1 - i for i in range(outputs)]
    ends[0] = len(nodes) - 1
    return nn.Graph(tuple(nodes[:inputs]), tuple(nodes[i] for i in ends)), wiring, ends


@given(plan=plans, inputs=st.integers(1, 3), outputs=st.integers(1, 2), seed=st.integers(0, 999))
def test_as_autograd(backend: Library, torch, plan, inputs, outputs, seed) -> None:
    rng = np.random.default_rng(seed)
    model, wiring, ends = built(plan, inputs, outputs)
    numbers = {
        id(layer): [rng.normal(size=(SIZE, SIZE)) / 2, rng.normal(size=SIZE)]
        for layer, _ in wiring
        if isinstance(layer, nn.Linear)
    }
    arrays = [rng.normal(size=(2, SIZE)) for _ in range(inputs)]
    dys = [rng.normal(size=(2, SIZE)) for _ in range(outputs)]

    def leaf(array: np.ndarray) -> Any:
        return torch.tensor(array, requires_grad=True)

    tensors = {key: [leaf(array) for array in pair] for key, pair in numbers.items()}
    leaves = [leaf(array) for array in arrays]
    values = list(leaves)
    for layer, sources in wiring:
        given = [values[i] for i in sources]
        if isinstance(layer, nn.Linear):
            weight, bias = tensors[id(layer)]
            values.append(given[0] @ weight.T + bias)
        elif isinstance(layer, nn.Add):
            values.append(sum(given[1:], given[0]))
        else:
            values.append(getattr(torch, type(layer).__name__.lower())(given[0]))
    desired = [values[i] for i in ends]
    torch.autograd.backward(desired, [torch.tensor(dy) for dy in dys])

    modules = dict(model.named_modules())

    def owner(key: str) -> tuple[int, bool]:
        return id(modules[key.rpartition(".")[0]]), key.endswith("bias")

    model.update({key: numbers[i][j] for key in model.parameters() for i, j in [owner(key)]})
    placed(model, backend)
    outcomes, backward = model.forward(*map(backend.array, arrays), training=True)
    for actual, tensor in zip(outcomes, desired, strict=True):
        backend.assert_close(actual, tensor.detach().numpy())
    dx, grads = backward(tuple(map(backend.array, dys)))
    for actual, tensor in zip(dx if inputs > 1 else (dx,), leaves, strict=True):
        backend.assert_close(actual, tensor.grad.numpy())
    assert set(grads) == set(model.parameters())
    for key, gradient in grads.items():
        i, j = owner(key)
        backend.assert_close(gradient, tensors[i][j].grad.numpy())
