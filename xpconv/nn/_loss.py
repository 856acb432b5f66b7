"""Losses as objects: an operation, its options, and the way back to the logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array
from ._options import constructor, input_names, options_of

LossBackward = Callable[..., Any]

_TARGETS = ("target", "labels")


class Loss:
    """A loss function with fixed options.

    ``loss(input, target)`` computes the loss; ``forward`` also returns the way back. A subclass
    names the operation in ``_op``; its constructor takes the operation's options, in their order
    and with their defaults, but for those that it names (``class MSELoss(Loss, without="weight")``)
    because PyTorch's class does not take them.
    """

    _op: ClassVar[Callable[..., Array]]
    _constructor: ClassVar[inspect.Signature]
    _inputs: ClassVar[tuple[int, ...]]
    _reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")

    def __init_subclass__(cls, *, without: str | None = None, **options: Any) -> None:
        """Read the constructor off the operation."""
        super().__init_subclass__(**options)
        if "_op" in cls.__dict__:
            names = input_names(cls._op)
            signature = constructor(cls._op)
            wanted = [p for p in signature.parameters.values() if p.name != without]
            cls._constructor = signature.replace(parameters=wanted)
            cls._inputs = tuple(i for i, name in enumerate(names) if name not in _TARGETS)
            if cls.__init__ is Loss.__init__:
                cls.__signature__ = cls._constructor  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        options = options_of(type(self), self._constructor, args, options)
        reduction = options.get("reduction", "mean")
        if reduction not in self._reductions:
            *known, last = map(repr, self._reductions)
            raise ValueError(f"reduction must be {', '.join(known)} or {last}, got {reduction!r}")
        self._names = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)
        self._check(options)

    def _check(self, options: dict[str, Any]) -> None:
        """Refuse options at once that the operation would refuse later, where PyTorch does."""

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    @property
    def operation(self) -> Callable[..., Array]:
        """The operation of `xpconv.ops` that computes it."""
        return type(self)._op

    def __call__(self, *inputs: Array) -> Array:
        """Return the loss."""
        return type(self)._op(*inputs, **self._options)

    def forward(self, *inputs: Array) -> tuple[Array, LossBackward]:
        """Return the loss and ``backward(dloss=None)``.

        ``backward`` returns the gradient of the input, or a tuple of gradients where a loss takes
        several inputs beside its target. Without ``dloss`` it is the loss' own gradient.
        """
        loss, pullback = ops.vjp(type(self)._op, *inputs, **self._options)

        def backward(dloss: Array | None = None) -> Any:
            if dloss is None:
                dloss = array_namespace(loss).ones_like(loss)
            gradients = pullback(dloss)
            wanted = tuple(gradients[i] for i in self._inputs)
            return wanted if len(wanted) > 1 else wanted[0]

        return loss, backward

    def __repr__(self) -> str:
        """Return the loss with its options."""
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({options})"
