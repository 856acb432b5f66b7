"""Batch normalisation folded into convolutions: in inference it is part of their weights."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TypeGuard

from array_api_compat import array_namespace

from ..ops._precision import narrowed, widened
from ._containers import Sequential
from ._conv import _Conv
from ._graph import Graph
from ._module import Module
from ._norm import _BatchNorm
from ._own import computes_as
from ._simple import Identity


def fuse(model: Module) -> Module:
    """Return a copy of a model for inference, with batch norms folded into their convolutions.

    See `Module.fuse`.
    """
    twin = copy.deepcopy(model)
    modules = [module for _, module in twin.named_modules()]
    places = Counter(map(id, modules))
    for module in modules:
        if isinstance(module, Sequential | Graph):
            for first, second in module._in_a_row():
                conv, norm = module._layers[first], module._layers[second]
                alone = places[id(conv)] == places[id(norm)] == 1
                if alone and computes_as(conv, _Conv) and _follows(norm, conv):
                    _fold(conv, norm)
                    module._layers[second] = Identity()
    return twin


def _follows(norm: Module, conv: _Conv) -> TypeGuard[_BatchNorm]:
    """Whether a layer is a batch norm of constants that fits a convolution's channels."""
    return (
        computes_as(norm, _BatchNorm)
        and norm.track_running_stats
        and norm.num_features == conv.out_channels
    )


def _fold(conv: _Conv, norm: _BatchNorm) -> None:
    """Let a convolution compute ``(y - mean) / sqrt(var + eps) * weight + bias``, too."""
    xp = array_namespace(conv.weight)
    mean, var, factor, shift = map(widened, norm._state)
    scale = 1 / xp.sqrt(var + norm.eps)
    if norm.affine:
        scale = scale * factor
    start = -mean if conv.bias is None else widened(conv.bias) - mean
    bias = start * scale + shift if norm.affine else start * scale
    each = (conv.out_channels, *(1,) * (conv.weight.ndim - 1))
    weight = widened(conv.weight) * xp.reshape(scale, each)
    dtype = conv.weight.dtype
    conv.weight, conv.bias = narrowed(weight, dtype), narrowed(bias, dtype)
