"""Lp pooling layers."""

from __future__ import annotations

from typing import Any

from .. import ops
from ._pool import Pool


class _LPPool(Pool):
    norm_type: float

    @property
    def _options(self) -> dict[str, Any]:
        return {**super()._options, "norm_type": float(self.norm_type)}  # integers become floats


class LPPool1d(_LPPool):
    """Take the p-norm of each window of signals; see `xpconv.ops.lp_pool1d`.

    Parameters
    ----------
    norm_type : float
        The order of the norm.
    kernel_size, stride : int or tuple of int
        As in `LPPool2d`.
    ceil_mode : bool, default False
        As in `LPPool2d`.
    """

    _op = staticmethod(ops.lp_pool1d)


class LPPool2d(_LPPool):
    """Take the p-norm of each window of images; see `xpconv.ops.lp_pool2d`.

    Parameters
    ----------
    norm_type : float
        The order of the norm.
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    ceil_mode : bool, default False
        As in `xpconv.ops.lp_pool2d`.

    Notes
    -----
    Counterpart of ``torch.nn.LPPool2d``.
    """

    _op = staticmethod(ops.lp_pool2d)


class LPPool3d(_LPPool):
    """Take the p-norm of each window of volumes; see `xpconv.ops.lp_pool3d`.

    Parameters
    ----------
    norm_type : float
        The order of the norm.
    kernel_size, stride : int or tuple of int
        As in `LPPool2d`.
    ceil_mode : bool, default False
        As in `LPPool2d`.
    """

    _op = staticmethod(ops.lp_pool3d)
