"""The rectifiers: ``source/activation.cuh``."""

from __future__ import annotations

from array_api_compat import array_namespace, device

from ..._typing import Array
from ._launch import c_type, index_dtype, index_type, launch, pack
from ._pools import channels_first_empty, channels_last_view


def relu(x: Array) -> Array:
    """Return max(x, 0), in channels-last memory where x is; NaN stays."""
    return _launched("relu", x)


def relu_grad(dy: Array, y: Array) -> Array:
    """Return dy where the output y is not <= 0, also where it is NaN; else zero."""
    return _launched("relu_grad", y, dy)


def relu6(x: Array) -> Array:
    """Return min(max(x, 0), 6), in channels-last memory where x is; NaN stays."""
    return _launched("relu6", x)


def relu6_grad(dy: Array, y: Array) -> Array:
    """Return dy where the output y is between 0 and 6; else zero."""
    return _launched("relu6_grad", y, dy)


def add_relu(x: Array, y: Array) -> Array:
    """Return max(x + y, 0), in channels-last memory where x is; NaN stays."""
    return _launched("add_relu", x, y)


def _launched(name: str, like: Array, *others: Array) -> Array:
    """Launch a body over arrays, brought to the memory order of one, and return what it makes."""
    xp = array_namespace(like)
    arrays = [*others, like]
    if like.ndim > 2 and not like.flags.c_contiguous:
        made, last = channels_first_empty(xp, like, like.shape[2:], like.dtype)
        flat = [xp.reshape(xp.ascontiguousarray(channels_last_view(a)), (-1,)) for a in arrays]
        target = xp.reshape(last, (-1,))
    else:
        made = xp.empty(like.shape, dtype=like.dtype, device=device(like))
        flat = [xp.reshape(xp.ascontiguousarray(a), (-1,)) for a in arrays]
        target = xp.reshape(made, (-1,))
    at_once = pack(*flat, target, channels=like.size)
    index = index_type(like.size)
    count = like.size // at_once
    types = (c_type(like), at_once, index)
    launch("activation", name, types, count, like, *flat, target, index_dtype(index)(count))
    return made
