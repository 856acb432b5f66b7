"""Normalisation within samples by fused bodies, where a library has them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from .._typing import Array
from ..engines import body
from ._precision import narrowed
from ._standardise import Standardised


class Groups(NamedTuple):
    """An array as (samples, places, groups, each): statistics are taken over places and each.

    With ``last`` it is (N, C, ...), its channels in groups; else it is in plain order.
    """

    samples: int
    places: int
    groups: int
    each: int
    last: bool


def channel_groups(x: Array, groups: int) -> Groups:
    """Groups of the channels of x (N, C, ...)."""
    return Groups(x.shape[0], math.prod(x.shape[2:]), groups, x.shape[1] // groups, True)


def fused_sample_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, how: Groups
) -> Standardised | None:
    """Normalise every group by its own statistics, which come flat; None without a body for it.

    Weight and bias are of any shape with one number for each channel.
    """
    forward, grad, of_parameters = (
        body(name, x) for name in ("sample_norm", "sample_norm_grad", "sample_norm_parameters")
    )
    if forward is None or grad is None or of_parameters is None or math.prod(x.shape) == 0:
        return None
    xp = array_namespace(x)
    y, mean, var, rstd = forward(x, weight, bias, eps, how)

    def returned(gradient: Any, array: Array | None) -> Array | None:
        if array is None:
            return None
        return narrowed(xp.reshape(gradient, tuple(array.shape)), array.dtype)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx, dweight, dbias = grad(dy, x, mean, rstd, weight, how), None, None
        if weight is not None or bias is not None:
            dweight, dbias = of_parameters(dy, x, mean, rstd, how)
        return dx, returned(dweight, weight), returned(dbias, bias)

    return Standardised(y, pullback, mean, var)
