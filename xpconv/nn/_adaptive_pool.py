"""Adaptive pooling layers."""

from __future__ import annotations

import math

from .. import ops
from ._stateless import Stateless


class _AdaptivePool(Stateless):
    """Every element lies in one window, or in a few."""

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return math.prod(input_shapes[0])


class AdaptiveAvgPool1d(_AdaptivePool):
    """Average signals down (or up) to a given size; see `xpconv.ops.adaptive_avg_pool1d`.

    Parameters
    ----------
    output_size : int or (int,)
        Size of the result.
    """

    _op = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Average images down (or up) to a given size; see `xpconv.ops.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size : int or (int or None, int or None)
        Size of the result; None keeps the size of the input along that axis.

    Notes
    -----
    Counterpart of ``torch.nn.AdaptiveAvgPool2d``.
    """

    _op = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """Average volumes down (or up) to a given size; see `xpconv.ops.adaptive_avg_pool3d`.

    Parameters
    ----------
    output_size : int or tuple of three, each int or None
        Size of the result; None keeps the size of the input along that axis.
    """

    _op = staticmethod(ops.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptivePool):
    """Keep the largest elements of signals, to a given size; see `xpconv.ops.adaptive_max_pool1d`.

    Parameters
    ----------
    output_size : int or (int,)
        Size of the result.
    return_indices : bool, default False
        Also return where the maxima stand.
    """

    _op = staticmethod(ops.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptivePool):
    """Keep the largest elements of images, to a given size; see `xpconv.ops.adaptive_max_pool2d`.

    Parameters
    ----------
    output_size : int or (int or None, int or None)
        Size of the result; None keeps the size of the input along that axis.
    return_indices : bool, default False
        Also return where the maxima stand.

    Notes
    -----
    Counterpart of ``torch.nn.AdaptiveMaxPool2d``.
    """

    _op = staticmethod(ops.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptivePool):
    """Keep the largest elements of volumes, to a given size; see `xpconv.ops.adaptive_max_pool3d`.

    Parameters
    ----------
    output_size : int or tuple of three, each int or None
        Size of the result; None keeps the size of the input along that axis.
    return_indices : bool, default False
        Also return where the maxima stand.
    """

    _op = staticmethod(ops.adaptive_max_pool3d)
