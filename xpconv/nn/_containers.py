"""Networks of layers: they compose the layers' ways back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from .. import ops
from .._typing import Array
from ..ops._layout import added
from ._gradients import prefixed, under_first_names
from ._module import Backward, Grads, Module
from ._pairs import PASSED, inferred_together, together
from ._way_back import WayBack, Wish, go_back


class _Container(Module):
    """Holds layers under names, in order."""

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named: dict[Any, Any] = dict(layers[0])
        else:
            named = {str(i): layer for i, layer in enumerate(layers)}
        for name, layer in named.items():
            if not isinstance(layer, Module):
                raise TypeError(f"layer {name!r} must be a Module, got {type(layer).__name__}")
            if not isinstance(name, str) or not name or "." in name:
                raise ValueError(f"a layer's name must be a text without dots, got {name!r}")
        self._layers: dict[str, Module] = named

    def children(self) -> dict[str, Module]:
        return dict(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._layers.values())

    def __getitem__(self, index: int) -> Module:
        """Return one of the layers, by number."""
        return list(self._layers.values())[index]


class Sequential(_Container):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Module, or one mapping of names to modules
        Without names they are numbered.

    Examples
    --------
    >>> from xpconv import nn
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    >>> list(model.state_dict())
    ['0.weight', '0.bias']
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        backs: list[tuple[str, Backward | None]] = []
        layers = list(self._layers.items())
        while len(backs) < len(layers):
            name, layer = layers[len(backs)]
            after, follower = (*layers, ("", None))[len(backs) + 1]
            pair = together(layer, follower, (x,), training)
            x, back = layer.forward(x, training=training) if pair is None else pair
            backs.append((name, back))
            if pair is not None:
                backs.append((after, PASSED))

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array | None, Grads]:
            grads: Grads = {}
            first = 0 if wish.input_grad else self._first_to_train()
            for place in reversed(range(first, len(backs))):
                name, back = backs[place]
                if wish.last:
                    backs[place] = name, None
                dy, inner = go_back(back, dy, wish.inside if place > first else wish)
                grads |= prefixed(name, inner)
            return dy if wish.input_grad else None, under_first_names(self, grads)

        return x, backward

    def _in_a_row(self) -> list[tuple[str, str]]:
        """Names of layers whose output goes to one other alone, and of that one."""
        names = list(self._layers)
        return list(pairwise(names))

    def _first_to_train(self) -> int:
        """The place of the first layer with parameters: no gradient is of use before it."""
        places = (place for place, layer in enumerate(self) if layer.parameters())
        return next(places, len(self))

    def __getitem__(self, index: int | slice) -> Any:
        """Return one of the layers, or a part of them as a network of its own, names kept."""
        if isinstance(index, slice):
            return Sequential(dict(list(self._layers.items())[index]))
        return super().__getitem__(index)

    def infer(self, x: Array) -> Array:
        layers = list(self)
        place = 0
        while place < len(layers):
            y = inferred_together(layers[place], (*layers, None)[place + 1], (x,))
            place += 1 if y is None else 2
            x = layers[place - 1](x) if y is None else y
        return x


class Residual(Module):
    """Add what a body computes to its input: ``body(x) + shortcut(x)``.

    Parameters
    ----------
    body : Module
        What is learned on top of the input.
    shortcut : Module, optional
        How the input goes around the body; by default as it is.
    """

    def __init__(self, body: Module, shortcut: Module | None = None) -> None:
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, back = self.body.forward(x, training=training)
        if self.shortcut is None:
            around, back_around = x, None
        else:
            around, back_around = self.shortcut.forward(x, training=training)

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array | None, Grads]:
            dx, inner = go_back(back, dy, wish)
            grads = prefixed("body", inner)
            if back_around is None:
                return added(dx, dy) if wish.input_grad else None, grads
            dx_around, inner = go_back(back_around, dy, wish)
            grads |= prefixed("shortcut", inner)
            return added(dx, dx_around) if wish.input_grad else None, under_first_names(self, grads)

        return ops.add(y, around), backward

    def infer(self, x: Array) -> Array:
        return ops.add(self.body(x), x if self.shortcut is None else self.shortcut(x))


class Concat(_Container):
    """Join branches along the channels, as in Inception: ``[b(x) for b in branches]``.

    Parameters
    ----------
    *branches : Module, or one mapping of names to modules
        Each sees the same input. Without any branch the layer joins its own inputs, as where
        branches of a graph meet.
    dim : int, default 1
        The axis to join along.
    """

    def __init__(self, *branches: Module | Mapping[str, Module], dim: int = 1) -> None:
        super().__init__(*branches)
        self.dim = dim

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Array, Backward]:
        if not self._layers:
            y, pullback = ops.vjp(ops.concat, *inputs, dim=self.dim)
            several = len(inputs) > 1
            return y, lambda dy: (pullback(dy) if several else pullback(dy)[0], {})
        x = self._single(inputs)
        runs = [layer.forward(x, training=training) for layer in self]
        y, pullback = ops.vjp(ops.concat, *(out for out, _ in runs), dim=self.dim)

        backs: list[Backward | None] = [back for _, back in runs]
        del runs  # the branches' outputs live on in their sum alone

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array | None, Grads]:
            dx: Any = None
            grads: Grads = {}
            for place, (name, part) in enumerate(zip(self._layers, pullback(dy), strict=True)):
                back = backs[place]
                if wish.last:
                    backs[place] = None
                share, inner = go_back(back, part, wish)
                if wish.input_grad:
                    dx = share if dx is None else added(dx, share)
                grads |= prefixed(name, inner)
            return dx, under_first_names(self, grads)

        return y, backward

    def infer(self, *inputs: Array) -> Array:
        if not self._layers:
            return ops.concat(*inputs, dim=self.dim)
        x = self._single(inputs)
        return ops.concat(*(layer(x) for layer in self), dim=self.dim)

    def _single(self, inputs: tuple[Array, ...]) -> Array:
        if len(inputs) != 1:
            raise ValueError(f"Concat with branches takes one input, got {len(inputs)}")
        return inputs[0]
