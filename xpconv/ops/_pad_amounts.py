"""What `pad` adds and cuts off along each axis, and which amounts it refuses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._arrays import is_floating, largest
from .._shapes import integer
from .._typing import Array, Namespace, Pair

Pairs = tuple[Pair, ...]
Key = tuple[slice, ...]

MODES = ("constant", "reflect", "replicate", "circular")
CUT_FIRST = ("constant", "circular")  # "circular" wraps what is left, mirrors show the whole


def pairs_of(ndim: int, amounts: Any) -> Pairs:
    """(before, after) of every axis, from amounts that begin with the last one."""
    if isinstance(amounts, str) or not isinstance(amounts, Sequence):
        raise TypeError(f"pad must be a tuple of ints, got {amounts!r}")
    numbers = [integer(amount, "an entry of pad") for amount in amounts]
    if len(numbers) % 2:
        raise ValueError(f"padding length must be divisible by 2, got pad={tuple(numbers)}")
    if len(numbers) > 2 * ndim:
        raise ValueError(
            "padding length should be less than or equal to two times the input dimension, got "
            f"pad={tuple(numbers)} for an input of {ndim} dimension(s)"
        )
    pairs = [(before, after) for before, after in zip(numbers[::2], numbers[1::2], strict=True)]
    return ((0, 0),) * (ndim - len(pairs)) + tuple(reversed(pairs))


def grow_and_cut(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """What is added and what is cut off, both as positive numbers."""
    grow = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    cut = tuple((max(-before, 0), max(-after, 0)) for before, after in pairs)
    return grow, cut


def more(shape: Sequence[int], pairs: Pairs) -> tuple[int, ...]:
    return tuple(size + sum(pair) for size, pair in zip(shape, pairs, strict=True))


def less(shape: Sequence[int], pairs: Pairs) -> tuple[int, ...]:
    return tuple(size - sum(pair) for size, pair in zip(shape, pairs, strict=True))


def kept(shape: Sequence[int], cut: Pairs) -> Key:
    """Key of an array without its ends."""
    return tuple(
        slice(before, size - after) for size, (before, after) in zip(shape, cut, strict=True)
    )


def number_of(xp: Namespace, x: Array, value: Any, grow: Pairs) -> Any:
    """Return the constant as a Python number of the array's kind."""
    if not value or not any(map(any, grow)):
        return value or 0
    if _is_bool(x):
        return bool(value)
    number: Any = value
    whole = not is_floating(x)
    low: float
    high: float
    if whole:
        low, high = int(xp.iinfo(x.dtype).min), int(xp.iinfo(x.dtype).max)
    else:
        low, high = -largest(xp, x.dtype), largest(xp, x.dtype)
    unbounded = not whole and (number != number or abs(number) == math.inf)
    if not (low <= number <= high or unbounded):
        raise ValueError(f"value {number!r} cannot be converted to {x.dtype} without overflow")
    return math.trunc(number) if whole else float(number)


def _is_bool(x: Array) -> bool:
    return "bool" in str(x.dtype)


def check_mode(x: Array, mode: str, dims: int, number: Any) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    if mode == "constant":
        return
    if number:
        raise ValueError(f"padding mode {mode!r} doesn't take in a value, got {number}")
    if dims not in (1, 2, 3) or x.ndim - dims not in (1, 2):
        raise ValueError(
            f"padding size {2 * dims} is not supported for a {x.ndim}-D input in mode {mode!r}: "
            "give two amounts for each spatial dimension of (N, C, ...) or (C, ...), got shape "
            f"{tuple(x.shape)}"
        )
    if mode == "circular":
        return
    if _is_bool(x):
        raise TypeError(f"x must be of numbers in mode {mode!r}, got {x.dtype}")
    if 0 in x.shape[x.ndim - dims - 1 :]:  # only a batch may be empty
        raise ValueError(
            f"all dimensions of x but the batch must be positive in mode {mode!r}, got shape "
            f"{tuple(x.shape)}"
        )


def check_amounts(shape: tuple[int, ...], pairs: Pairs, mode: str, dims: int) -> None:
    """Refuse amounts that do not fit the dimension, each with its words."""
    for axis, (size, pair) in enumerate(zip(shape, pairs, strict=True)):
        left = size + min(pair[0], 0) + min(pair[1], 0)
        limit = {"reflect": size - 1, "circular": left}.get(mode, math.inf)
        if (left if mode in CUT_FIRST else size + sum(pair)) < 0:
            problem = "cuts off more than there is"
        elif max(pair) > max(limit, 0):
            problem = {
                "reflect": "padding size should be less than the input dimension",
                "circular": "padding value causes wrapping around more than once",
            }[mode]
        else:
            continue
        raise ValueError(
            f"{problem}: padding {pair} in mode {mode!r} at dimension {axis} of input {shape}"
        )
    if mode not in CUT_FIRST and max(more(shape, pairs)[-dims:]) < 1:
        raise ValueError(f"padding {pairs[-dims:]} leaves nothing of an input {shape}")
