"""Pooling layers."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from .._typing import IntOrTuple
from ._stateless import Stateless


class Pool(Stateless):
    """A pool touches every element of each window once."""

    kernel_size: IntOrTuple

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        kernel = self.kernel_size
        n = len(output_shape) - 2
        window = kernel**n if isinstance(kernel, int) else math.prod(kernel)
        return math.prod(output_shape) * window


class _MaxPool(Pool):
    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        dilation: IntOrTuple = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            return_indices=return_indices,
        )


class MaxPool1d(_MaxPool):
    """Keep the largest element under each window of signals; see `MaxPool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode
        As in `MaxPool2d`.
    """

    _op = staticmethod(ops.max_pool1d)


class MaxPool2d(_MaxPool):
    """Keep the largest element under each window of images; see `xpconv.ops.max_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    padding, dilation, ceil_mode
        As in `xpconv.ops.max_pool2d`.
    return_indices : bool, default False
        Also return where the maxima stand.

    Notes
    -----
    Counterpart of ``torch.nn.MaxPool2d``, whose order of arguments it keeps.
    """

    _op = staticmethod(ops.max_pool2d)


class MaxPool3d(_MaxPool):
    """Keep the largest element under each window of volumes; see `MaxPool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode
        As in `MaxPool2d`.
    """

    _op = staticmethod(ops.max_pool3d)


class _AvgPool(Pool):
    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        **divisor_override: Any,
    ) -> None:
        super().__init__(
            kernel_size=kernel_size,
            stride=kernel_size if stride is None else stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            **divisor_override,
        )


class AvgPool1d(_AvgPool):
    """Average the elements under each window of signals; see `AvgPool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in `AvgPool2d`.
    """

    _op = staticmethod(ops.avg_pool1d)

    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """Average the elements under each window of images; see `xpconv.ops.avg_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    padding, ceil_mode, count_include_pad, divisor_override
        As in `xpconv.ops.avg_pool2d`.

    Notes
    -----
    Counterpart of ``torch.nn.AvgPool2d``.
    """

    _op = staticmethod(ops.avg_pool2d)

    def __init__(
        self,
        kernel_size: IntOrTuple,
        stride: IntOrTuple | None = None,
        padding: IntOrTuple = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(
            kernel_size,
            stride,
            padding,
            ceil_mode,
            count_include_pad,
            divisor_override=divisor_override,
        )


class AvgPool3d(AvgPool2d):
    """Average the elements under each window of volumes; see `AvgPool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in `AvgPool2d`.
    """

    _op = staticmethod(ops.avg_pool3d)


class _GlobalPool(Stateless):
    def __init__(self) -> None:
        super().__init__()

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return math.prod(input_shapes[0])


class GlobalAvgPool(_GlobalPool):
    """Average each channel over all of its spatial dimensions: (N, C, ...) -> (N, C, 1, ...)."""

    _op = staticmethod(ops.global_avg_pool)


class GlobalMaxPool(_GlobalPool):
    """Keep the largest element of each channel: (N, C, ...) -> (N, C, 1, ...)."""

    _op = staticmethod(ops.global_max_pool)
