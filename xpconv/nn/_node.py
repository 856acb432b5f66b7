"""Symbolic values: what layers are called on to describe a graph."""

from __future__ import annotations

from typing import Any


class Node:
    """A value that is not computed yet: an input, or what a layer will make of other nodes."""

    def __init__(self, module: Any = None, inputs: tuple[Node, ...] = ()) -> None:
        self.module = module
        self.inputs = inputs

    @classmethod
    def of(cls, module: Any, inputs: tuple[Any, ...]) -> Node:
        """Return the node of a layer called on nodes; arrays in between are refused."""
        for i, x in enumerate(inputs):
            if not isinstance(x, Node):
                raise TypeError(
                    f"{type(module).__name__} was called on symbolic inputs, but input {i} is "
                    f"{type(x).__name__}"
                )
        return cls(module, inputs)


def Input() -> Node:
    """Return a symbolic input, to call layers on and to make a `Graph` of."""
    return Node()
