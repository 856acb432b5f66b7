"""Layers whose weight is computed from other arrays at each call.

The wrapped layer is left as it is; each call computes the weight, puts it into a throwaway copy of
the layer (a handful of references) and lets that compute. So calls do not disturb one another.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

from .._arrays import require_floating
from .._typing import Array
from ..ops._precision import is_half, narrowed
from ._module import Backward, Grads, Module
from ._observe import unobserved
from ._way_back import WayBack, Wish, go_back

WeightBackward = Callable[[Array], Grads]  # to the gradients of what the weight was computed from


class Parametrised(Module):
    """What layers with a computed weight share.

    The arrays that the weight comes from are attributes under PyTorch's keys, dots included:
    ``parametrizations.weight.original`` and so on. A subclass makes them with `_keep`, names those
    that are not trained, and computes the weight.
    """

    sources: ClassVar[dict[str, str]]  # short names of the arrays -> how an older format had them
    constants: ClassVar[tuple[str, ...]] = ()  # those that are not trained

    def __init__(self, layer: Module, name: str, description: str) -> None:
        self._layer, self._name, self._description = copy.copy(layer), name, description
        setattr(self._layer, name, None)
        self._shared = tuple(self._layer._own_state())
        for key in self._shared:
            setattr(self, key, getattr(layer, key))
        self._moving = layer.buffer_names
        constants = tuple(map(self._key, self.constants))
        vars(self)["buffer_names"] = (*layer.buffer_names, *constants)
        computed = tuple(map(self._key, self.sources))
        vars(self)["float32_names"] = (*layer.float32_names, *computed)

    def _key(self, short: str) -> str:
        return f"parametrizations.{self._name}.{short}"

    def _keep(self, arrays: dict[str, Array]) -> None:
        for short, array in arrays.items():
            setattr(self, self._key(short), array)

    def _source(self, short: str) -> Array:
        return getattr(self, self._key(short))

    def _weight(self, training: bool) -> tuple[Array, WeightBackward]:
        raise NotImplementedError

    def _own_state(self) -> dict[str, Array]:
        keys = (*self._shared, *map(self._key, self.sources))
        return {key: vars(self)[key] for key in keys if key in vars(self)}

    def _old_keys(self) -> dict[str, str]:
        return {old.format(self._name): self._key(new) for new, old in self.sources.items()}

    def __getattr__(self, name: str) -> Any:
        """Return the computed weight, or what else the layer has."""
        if name.startswith("_"):  # also while a copy is being made, which has nothing yet
            raise AttributeError(name)
        return self._weight(False)[0] if name == self._name else getattr(self._layer, name)

    def plain(self, weight: Array) -> Module:
        """Return the layer itself, with a weight."""
        layer = copy.copy(self._layer)
        for key in self._shared:
            setattr(layer, key, getattr(self, key))
        setattr(layer, self._name, weight)
        return layer

    def _beside(self, weight: Array, inputs: tuple[Any, ...]) -> Array:
        """Return a weight as inputs of half precision take it; it was computed in single."""
        if is_half(inputs[0]) and self._name not in self._layer.float32_names:
            return narrowed(weight, inputs[0].dtype)
        return weight

    def forward(self, *inputs: Any, training: bool = False, **options: Any) -> tuple[Any, Backward]:
        weight, weight_back = self._weight(training)
        layer = self.plain(self._beside(weight, inputs))
        with unobserved(layer):
            y, back = layer.forward(*inputs, training=training, **options)
        for key in self._moving:
            setattr(self, key, getattr(layer, key))

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Any, Grads]:
            dx, grads = go_back(back, dy, wish)
            dweight = narrowed(grads[self._name], weight.dtype)
            inner = {self._key(short): g for short, g in weight_back(dweight).items()}
            return dx, {key: g for key, g in grads.items() if key != self._name} | inner

        return y, backward

    def infer(self, *inputs: Any, **options: Any) -> Any:
        layer = self.plain(self._beside(self._weight(False)[0], inputs))
        with unobserved(layer):
            return layer.infer(*inputs, **options)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return self._layer.flops(input_shapes, output_shape)

    def __repr__(self) -> str:
        """Return the layer and what is done to its weight."""
        return f"{type(self).__name__}({self._layer!r}, name={self._name!r}, {self._description})"


def weight_of(layer: Module, name: str) -> Array:
    """Return a layer's own parameter of a name, or say that it has none."""
    if not isinstance(layer, Module):
        raise TypeError(f"expected a layer, got {type(layer).__name__}")
    own = layer._own_state()
    if name not in own or name in layer.buffer_names or layer.children():
        raise ValueError(f"Module {layer!r} does not have a parameter of its own named {name!r}")
    weight = own[name]
    require_floating(**{name: weight})
    return weight


def remove_parametrizations(layer: Module) -> Module:
    """Return the plain layer inside a `weight_norm` or `spectral_norm`, with the weight as it is.

    Counterpart of ``torch.nn.utils.parametrize.remove_parametrizations``.
    """
    if not isinstance(layer, Parametrised):
        raise TypeError(f"{type(layer).__name__} has no parametrization to remove")
    return layer.plain(layer._weight(False)[0])
