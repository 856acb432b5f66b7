"""Padding layers: `xpconv.ops.pad` for the spatial dimensions, one class for each mode."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import ops
from .._shapes import ntuple
from .._typing import Array, IntOrTuple
from ._module import Backward, Module


class _Pad(Module):
    """What padding layers of every mode and dimension share."""

    _n: ClassVar[int]
    _mode: ClassVar[str] = "constant"

    def __init__(self, padding: IntOrTuple) -> None:
        self.padding = ntuple(padding, 2 * self._n, "padding")

    @property
    def _options(self) -> dict[str, Any]:
        return {"pad": self.padding, "mode": self._mode}

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.pad, x, **self._options)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return ops.pad(x, **self._options)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0  # nothing is computed

    def _describe(self) -> str:
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding: IntOrTuple, value: float) -> None:
        super().__init__(padding)
        self.value = value

    @property
    def _options(self) -> dict[str, Any]:
        return super()._options | {"value": self.value}

    def _describe(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`ConstantPad2d` of signals, (N, C, L) or (C, L); ``padding``: int or (left, right)."""

    _n = 1


class ConstantPad2d(_ConstantPad):
    """Put a number around images, (N, C, H, W) or (C, H, W); see `xpconv.ops.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many elements at each end, or (left, right, top, bottom); a negative number cuts off.
    value : float
        The number.

    Notes
    -----
    Counterpart of ``torch.nn.ConstantPad2d``.
    """

    _n = 2


class ConstantPad3d(_ConstantPad):
    """`ConstantPad2d` of volumes, (N, C, D, H, W) or (C, D, H, W).

    As a tuple ``padding`` is (left, right, top, bottom, front, back).
    """

    _n = 3


class ZeroPad1d(_Pad):
    """`ZeroPad2d` of signals, (N, C, L) or (C, L); ``padding``: int or (left, right)."""

    _n = 1


class ZeroPad2d(_Pad):
    """Put zeros around images, (N, C, H, W) or (C, H, W); see `xpconv.ops.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many elements at each end, or (left, right, top, bottom); a negative number cuts off.

    Notes
    -----
    Counterpart of ``torch.nn.ZeroPad2d``.
    """

    _n = 2


class ZeroPad3d(_Pad):
    """`ZeroPad2d` of volumes, (N, C, D, H, W) or (C, D, H, W).

    As a tuple ``padding`` is (left, right, top, bottom, front, back).
    """

    _n = 3


class ReflectionPad1d(_Pad):
    """`ReflectionPad2d` of signals, (N, C, L) or (C, L); ``padding``: int or (left, right)."""

    _n, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Mirror images at their edges, (N, C, H, W) or (C, H, W); see `xpconv.ops.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many elements at each end, or (left, right, top, bottom); a negative number cuts off.

    Notes
    -----
    The edges themselves are not repeated.
    Counterpart of ``torch.nn.ReflectionPad2d``.
    """

    _n, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """`ReflectionPad2d` of volumes, (N, C, D, H, W) or (C, D, H, W).

    As a tuple ``padding`` is (left, right, top, bottom, front, back).
    """

    _n, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """`ReplicationPad2d` of signals, (N, C, L) or (C, L); ``padding``: int or (left, right)."""

    _n, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeat the edges of images, (N, C, H, W) or (C, H, W); see `xpconv.ops.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many elements at each end, or (left, right, top, bottom); a negative number cuts off.

    Notes
    -----
    Counterpart of ``torch.nn.ReplicationPad2d``.
    """

    _n, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """`ReplicationPad2d` of volumes, (N, C, D, H, W) or (C, D, H, W).

    As a tuple ``padding`` is (left, right, top, bottom, front, back).
    """

    _n, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    """`CircularPad2d` of signals, (N, C, L) or (C, L); ``padding``: int or (left, right)."""

    _n, _mode = 1, "circular"


class CircularPad2d(_Pad):
    """Continue images with their other end, (N, C, H, W) or (C, H, W); see `xpconv.ops.pad`.

    Parameters
    ----------
    padding : int or (int, int, int, int)
        How many elements at each end, or (left, right, top, bottom); a negative number cuts off.

    Notes
    -----
    Counterpart of ``torch.nn.CircularPad2d``.
    """

    _n, _mode = 2, "circular"


class CircularPad3d(_Pad):
    """`CircularPad2d` of volumes, (N, C, D, H, W) or (C, D, H, W).

    As a tuple ``padding`` is (left, right, top, bottom, front, back).
    """

    _n, _mode = 3, "circular"
