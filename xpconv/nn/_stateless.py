"""Layers without state: an operation and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from .._typing import Array, IntOrTuple, Padding
from ._module import Backward, Module


class Stateless(Module):
    """A layer that calls one operation with fixed options.

    A subclass names the operation in ``_op``; keyword arguments of its constructor are kept as
    attributes and passed on.
    """

    _op: ClassVar[Callable[..., Array]]

    def __init__(self, **options: Any) -> None:
        self._names = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(type(self)._op, x, **self._options)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return type(self)._op(x, **self._options)

    def _describe(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._options.items())


class ReLU(Stateless):
    """Set what is negative to zero; see `xpconv.ops.relu`."""

    _op = staticmethod(ops.relu)

    def __init__(self) -> None:
        super().__init__()


class LeakyReLU(Stateless):
    """Scale what is negative; see `xpconv.ops.leaky_relu`.

    Parameters
    ----------
    negative_slope : float, default 0.01
        Slope left of zero.
    """

    _op = staticmethod(ops.leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)


class Sigmoid(Stateless):
    """Squash to (0, 1); see `xpconv.ops.sigmoid`."""

    _op = staticmethod(ops.sigmoid)

    def __init__(self) -> None:
        super().__init__()


class Tanh(Stateless):
    """Squash to (-1, 1); see `xpconv.ops.tanh`."""

    _op = staticmethod(ops.tanh)

    def __init__(self) -> None:
        super().__init__()


class GELU(Stateless):
    """Weigh the input by the normal distribution; see `xpconv.ops.gelu`.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default "none"
        The exact form or the approximation.
    """

    _op = staticmethod(ops.gelu)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
        super().__init__(approximate=approximate)


class SiLU(Stateless):
    """Weigh the input by its sigmoid; see `xpconv.ops.silu`."""

    _op = staticmethod(ops.silu)

    def __init__(self) -> None:
        super().__init__()


class Softmax(Stateless):
    """Turn logits into probabilities; see `xpconv.ops.softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis that sums to 1.
    """

    _op = staticmethod(ops.softmax)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class LogSoftmax(Stateless):
    """Turn logits into log-probabilities; see `xpconv.ops.log_softmax`.

    Parameters
    ----------
    dim : int, default -1
        The axis whose probabilities sum to 1.
    """

    _op = staticmethod(ops.log_softmax)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Flatten(Stateless):
    """Merge axes into one; see `xpconv.ops.flatten`.

    Parameters
    ----------
    start_dim, end_dim : int, default 1 and -1
        First and last axis to merge.
    """

    _op = staticmethod(ops.flatten)

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__(start_dim=start_dim, end_dim=end_dim)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class Unfold(Stateless):
    """Lay windows out as columns; see `xpconv.ops.unfold`.

    Parameters
    ----------
    kernel_size, dilation, padding, stride
        As in `xpconv.ops.unfold`.
    """

    _op = staticmethod(ops.unfold)

    def __init__(
        self,
        kernel_size: IntOrTuple,
        dilation: IntOrTuple = 1,
        padding: Padding = 0,
        stride: IntOrTuple = 1,
    ) -> None:
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class Fold(Stateless):
    """Add columns back to where windows took them from; see `xpconv.ops.fold`.

    Parameters
    ----------
    output_size, kernel_size, dilation, padding, stride
        As in `xpconv.ops.fold`.
    """

    _op = staticmethod(ops.fold)

    def __init__(
        self,
        output_size: IntOrTuple,
        kernel_size: IntOrTuple,
        dilation: IntOrTuple = 1,
        padding: Padding = 0,
        stride: IntOrTuple = 1,
    ) -> None:
        super().__init__(
            output_size=output_size,
            kernel_size=kernel_size,
            dilation=dilation,
            padding=padding,
            stride=stride,
        )

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return _product(input_shapes[0])


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
