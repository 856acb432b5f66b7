"""What all forms of dropout share, with masks that are the same on every backend.

The forms differ in what shares one fate (elements, channels, samples) and in what the dropped
become; one function knows the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from array_api_compat import device

from .._arrays import namespace, require_floating
from .._typing import Array, Pullback
from ..engines import body
from ..random import current_stream, random_bits
from ._layout import multiplied
from ._precision import rule_in_single
from ._registry import Rule

Key = tuple[int, int]

# What SELU gives for minus infinity, negated: the value that alpha dropout puts in.
_ALPHA = 1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def probability(p: float, kind: str = "dropout") -> float:
    """Return ``p``, or say that it is no probability."""
    if not 0 <= p <= 1:
        raise ValueError(f"{kind} probability has to be between 0 and 1, but got {p}")
    return p


# What shares one fate: the shape of the decisions, which stretches to that of x.


def elements(name: str, x: Array) -> tuple[int, ...]:
    return tuple(x.shape)


def channels(name: str, x: Array) -> tuple[int, ...]:
    if x.ndim < 2:
        raise ValueError(f"{name} needs x of at least 2 axes (N, C, ...), got {tuple(x.shape)}")
    return (*x.shape[:2], *(1,) * (x.ndim - 2))


def channels_1d(name: str, x: Array) -> tuple[int, ...]:
    return channels(name, x) if x.ndim == 3 else (x.shape[0], 1)


def channels_3d(name: str, x: Array) -> tuple[int, ...]:
    if x.ndim == 5:
        return channels(name, x)
    if x.ndim == 0:
        raise ValueError(f"{name} needs x of shape (N, C, D, H, W) or (C, D, H, W), got ()")
    return (x.shape[0], *(1,) * (x.ndim - 1))


def drop(
    x: Array, p: float, key: Key | None, shape: tuple[int, ...], alpha: bool = False
) -> tuple[Array, Pullback]:
    """Decide for each entry of ``shape``, which stretches to that of ``x``, whether it goes."""
    single = shape == tuple(x.shape) and p != 1 and not alpha
    fused = body("dropout", x) if single else None
    if fused is None:
        return _drop(x, p, key, shape, alpha)
    drawn = current_stream().next_key() if key is None else key
    limit, scale = round(p * 2**32), 1 / (1 - p)
    # The mask is not kept: the way back draws it again.
    return fused(x, drawn, limit, scale), lambda dy: (fused(dy, drawn, limit, scale),)


@rule_in_single
def _drop(
    x: Array, p: float, key: Key | None, shape: tuple[int, ...], alpha: bool
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    if p == 1:
        return xp.zeros_like(x) if x.dtype == xp.bool else x * 0, lambda dy: (dy * 0,)
    require_floating(x=x)
    key = current_stream().next_key() if key is None else key
    bits = random_bits(key, shape, xp=xp, device=device(x))
    keep = xp.astype(bits >= round(p * 2**32), x.dtype)
    if not alpha:
        factor = keep * (1 / (1 - p))
        return multiplied(x, factor), lambda dy: (multiplied(dy, factor),)
    # scale * x where kept and -scale * _ALPHA elsewhere, shifted: mean 0 and variance 1 stay
    scale = 1 / math.sqrt((_ALPHA**2 * p + 1) * (1 - p))
    factor = keep * scale
    return x * factor + ((keep - 1) + p) * (_ALPHA * scale), lambda dy: (dy * factor,)


def dropout_rule(
    name: str, fates: Callable[[str, Array], tuple[int, ...]], training: bool, alpha: bool = False
) -> Rule:
    """Make the rule of one form of dropout; ``training`` is its default."""
    by_default = training

    def rule(
        x: Array, p: float = 0.5, training: bool = by_default, *, key: Key | None = None
    ) -> tuple[Array, Pullback]:
        namespace(x=x)
        probability(p)
        if name == "dropout1d" and x.ndim not in (2, 3):
            raise ValueError(
                f"dropout1d: Expected 2D or 3D input (C, L) or (N, C, L), got {tuple(x.shape)}"
            )
        if not training or p == 0:
            return x, lambda dy: (dy,)
        return drop(x, p, key, fates(name, x), alpha)

    return rule
