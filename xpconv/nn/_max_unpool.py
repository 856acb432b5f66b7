"""Max unpooling layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .. import ops
from .._typing import Array, IntOrTuple
from ._module import Backward, Module


class _MaxUnpool(Module):
    _op: ClassVar[Callable[..., Array]]

    def __init__(
        self, kernel_size: IntOrTuple, stride: IntOrTuple | None = None, padding: IntOrTuple = 0
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(
        self,
        x: Array,
        indices: Array,
        output_size: Sequence[int] | None = None,
        training: bool = False,
    ) -> tuple[Array, Backward]:
        windows = self.kernel_size, self.stride, self.padding
        y, pullback = ops.vjp(type(self)._op, x, indices, *windows, output_size)
        return y, lambda dy: (pullback(dy), {})

    def __call__(self, x: Any, indices: Any, output_size: Sequence[int] | None = None) -> Any:
        """Infer, perhaps with an output size."""
        if output_size is None:
            return super().__call__(x, indices)
        return self.infer(x, indices, output_size)

    def infer(self, x: Array, indices: Array, output_size: Sequence[int] | None = None) -> Array:
        windows = self.kernel_size, self.stride, self.padding
        return type(self)._op(x, indices, *windows, output_size)

    def _describe(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Put the maxima of signals back to where they stood; see `xpconv.ops.max_unpool1d`.

    Parameters
    ----------
    kernel_size, stride, padding
        As in `MaxUnpool2d`.
    """

    _op = staticmethod(ops.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Put the maxima of images back to where they stood; see `xpconv.ops.max_unpool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Size of the windows that were pooled over.
    stride : int or (int, int), optional
        Their step; by default their size.
    padding : int or (int, int), default 0
        The padding that was pooled with.

    Notes
    -----
    Called with what `MaxPool2d` returns with ``return_indices=True``, and perhaps an
    ``output_size``. Its backward gives a gradient for each of both inputs, None for the indices.
    Counterpart of ``torch.nn.MaxUnpool2d``.
    """

    _op = staticmethod(ops.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Put the maxima of volumes back to where they stood; see `xpconv.ops.max_unpool3d`.

    Parameters
    ----------
    kernel_size, stride, padding
        As in `MaxUnpool2d`.
    """

    _op = staticmethod(ops.max_unpool3d)
