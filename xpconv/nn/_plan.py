"""Inference planned for one shape: what does not depend on the input's numbers is done once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import engines
from .._arrays import dtype_name, is_array, is_floating, namespace
from .._libraries import quiet
from .._shapes import ntuple
from .._typing import Array
from ..backend import backend_of, get_backend
from ..ops._activation_clipped import RECTIFIERS
from ..ops._conv_problem import conv_problem
from ..ops._layout import channels_first, channels_last
from ._conv import _Conv
from ._flat import Step, convolves, flatten
from ._module import Module
from ._simple import Add


class _Work(NamedTuple):
    """What computes one value, from which others; those that nothing needs afterwards."""

    function: Callable[..., Any]
    sources: tuple[int, ...]
    done: tuple[int, ...]


class Planned:
    """A network's inference for inputs of one shape; made by `Module.compile_for`.

    Attributes
    ----------
    input_shapes : tuple of tuple of int
        Shapes of the inputs, batch axis included.

    Notes
    -----
    It is a snapshot with weights of its own, laid out as the engines read them: training or
    loading into the model afterwards changes nothing here. Plan again then.
    """

    def __init__(self, model: Module, input_shapes: tuple[tuple[int, ...], ...]) -> None:
        self.input_shapes = tuple(
            ntuple(shape, len(shape), f"input_shapes[{i}]", minimum=0)
            for i, shape in enumerate(input_shapes)
        )
        self._backend = model.backend or get_backend()
        floating = [array for array in model.state_dict().values() if is_floating(array)]
        xp, device = self._backend.xp, self._backend.device
        some = floating[0] if floating else xp.zeros(0, dtype=xp.float32, device=device)
        self._dtype = some.dtype
        zeros = [xp.zeros(shape, dtype=self._dtype, device=device) for shape in self.input_shapes]
        steps, self._result = flatten(model.fuse(), len(zeros))
        self._works = _prepared(steps, zeros, self._result)

    def __call__(self, *inputs: Array) -> Any:
        """Compute the output.

        Parameters
        ----------
        *inputs : array
            Of the planned shapes, dtype, library and device.

        Raises
        ------
        TypeError, ValueError
            If an input is something else.
        """
        self._check(inputs)
        values: list[Any] = list(inputs)
        for function, sources, done in self._works:
            values.append(function(*[values[i] for i in sources]))
            for i in done:
                values[i] = None
        return values[self._result]

    def _check(self, inputs: tuple[Any, ...]) -> None:
        if len(inputs) != len(self.input_shapes):
            raise ValueError(f"planned for {len(self.input_shapes)} input(s), got {len(inputs)}")
        for x, shape in zip(inputs, self.input_shapes, strict=True):
            if not is_array(x) or x.dtype != self._dtype or backend_of(x) != self._backend:
                got = type(x).__name__
                if is_array(x):
                    got = f"one of {dtype_name(x.dtype)} on {backend_of(x)}"
                raise TypeError(
                    f"planned for arrays of {dtype_name(self._dtype)} on {self._backend}, got {got}"
                )
            if tuple(x.shape) != shape:
                raise ValueError(
                    f"planned for an input of shape {shape}, got {tuple(x.shape)}; call "
                    "compile_for again for another one"
                )


def _prepared(steps: list[Step], inputs: list[Array], result: int) -> list[_Work]:
    """Run the steps once, and make of each what is to be done for every input."""
    last = {source: number for number, step in enumerate(steps) for source in step.sources}
    values: list[Any] = list(inputs)
    works = []
    for number, step in enumerate(steps):
        taken = [values[i] for i in step.sources]
        function = _function(step, *taken)
        done = tuple(i for i in set(step.sources) if last[i] == number and i != result)
        works.append(_Work(function, step.sources, done))
        values.append(function(*taken))
        for i in done:
            values[i] = None
    return works


def _function(step: Step, *inputs: Array) -> Callable[..., Any]:
    layer = step.layer
    if convolves(layer) and _plannable(layer, *inputs):
        return _convolution(layer, inputs[0], step.activation)
    if step.activation is None:
        return layer
    after = step.activation
    if isinstance(layer, Add):
        return lambda *inputs: layer._rectified(*inputs, training=False, activation=after)[0]
    return lambda x: RECTIFIERS[after](layer(x))


def _plannable(layer: _Conv, x: Array) -> bool:
    """Whether a layer is what the engines compute: no other padding, no dtype to be widened."""
    whole = x.ndim == layer._n + 2 and layer.padding_mode == "zeros" and x.shape[1] > 0
    return whole and dtype_name(x.dtype) in ("float32", "float64")


def _convolution(layer: _Conv, x: Array, activation: str | None) -> Callable[[Array], Array]:
    xp = namespace(x=x, weight=layer.weight, bias=layer.bias)
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    problem = conv_problem(layer._n, x, layer.weight, layer.bias, *options).of(x)
    run = engines.prepare(problem, layer.weight, layer.bias, activation)

    def convolve(x: Array) -> Array:
        with quiet():  # as the operation is
            return channels_first(xp, run(channels_last(xp, x)))

    return convolve
