"""Two layers in one pass: one with weights, a batch norm or a sum, and `ReLU` or `ReLU6` after it.

Both together compute what they compute in turn, to the last bit, and go over memory once less each
way; what stands between them is not kept. They run in turn while somebody watches the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._arrays import is_array, is_complex, is_floating
from .._typing import Array
from ._activation import ACTIVATIONS
from ._conv import _Conv
from ._linear import Linear
from ._module import Backward, Module
from ._norm import _BatchNorm
from ._observe import named, observing
from ._own import replaced
from ._simple import Add
from ._way_back import WayBack

Both = Callable[..., tuple[Any, Backward]]

_KINDS = (_Conv, Linear, _BatchNorm, Add)
# A layer's forward pass, which a subclass may replace, and the same with a rectifier after it.
_RECTIFIED: dict[Callable[..., Any], Both] = {kind.forward: kind._rectified for kind in _KINDS}
_INFERENCES = {kind.infer for kind in _KINDS}

PASSED: Backward = WayBack(lambda dy, wish: (dy, {}))
"""The way back of a layer whose work was done together with that of the one before."""


def together(
    first: Module, second: Module | None, inputs: tuple[Any, ...], training: bool
) -> tuple[Any, Backward] | None:
    """Run a layer and the one after it, whose input is seen by no other.

    Returns
    -------
    y, backward, or None
        The output of the second, and the way back to the inputs and parameters of the first; None
        where they are to be run in turn.
    """
    activation = None if second is None else ACTIVATIONS.get(type(second))
    if second is None or activation is None or observing():
        return None
    both = _RECTIFIED.get(type(first).forward)
    if both is None or not all(map(_is_real, inputs)):
        return None
    if replaced(first) or replaced(second):
        return None
    options = {"training": training, "activation": activation}
    return named(both, first, inputs, options)  # type: ignore[no-any-return]


def inferred_together(first: Module, second: Module | None, inputs: tuple[Any, ...]) -> Any:
    """Do the same in inference, and return the output alone."""
    if type(first).infer not in _INFERENCES:
        return None
    pair = together(first, second, inputs, training=False)
    return None if pair is None else pair[0]


def _is_real(x: Array) -> bool:
    return is_array(x) and is_floating(x) and not is_complex(x)
