"""Dropout in one pass: random words by Philox4x32-10, those of `random.random_bits`, and a product.

Words belong to places in plain order, four of them to a counter. Where channels lie side by side,
counters of neighbouring channels are worked out together, for four pixels at a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._rows import channels_last, required
from .._scratch import aligned
from ._jit import jit
from ._parts import in_parts
from ._team import run
from ._words import hand_over

_WORDS = 2**32 - 1
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LINE = 256  # counters of what counts as a row here
_U = np.uint64


def dropout(x: np.ndarray, key: tuple[int, int], limit: int, scale: float) -> np.ndarray:
    """Return x times ``scale`` where a random word is at least ``limit``, and x times 0 elsewhere.

    The memory of the result lies as that of x, if that is plain or channels-last.
    """
    numbers = tuple(_U(word) for word in (*key, limit)), x.dtype.type(scale)
    y = aligned(x.size, x.dtype)
    if x.ndim > 2 and not x.flags.c_contiguous and channels_last(x).flags.c_contiguous:
        given, pixels = required(channels_last(x)), math.prod(x.shape[2:])
        body, wide = (_four_pixels, 4) if pixels % 4 == 0 else (_pixels, 1)
        rows = x.shape[0] * pixels // wide
        in_parts(body, rows, wide * x.shape[1], given.reshape(-1), y, pixels, x.shape[1], *numbers)
        return y.reshape(given.shape).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
    given = required(x).reshape(-1)
    in_parts(_plain, -(-x.size // (4 * _LINE)), 4 * _LINE, given, y, *numbers)
    return y.reshape(x.shape)


@jit
def _factors(
    begin: Any, step: Any, shift: Any, words: Any, scale: Any, room: Any, made: Any
) -> None:
    """Fill four lines of factors, from the words of counters that are ``step`` apart.

    A round at a time, for all counters: such loops are made of vectors.
    """
    k0, k1, limit = words
    low, high, lines = _U(_WORDS), _U(32), made.shape[1]
    a, b, c, d = room[0], room[1], room[2], room[3]
    for i in range(lines):
        counter = (begin + _U(i) * step) >> shift
        a[i], b[i], c[i], d[i] = counter & low, counter >> high, _U(0), _U(0)
    for _ in range(10):
        for i in range(lines):
            p, q = (a[i] & low) * _U(_MULTIPLIERS[0]), (c[i] & low) * _U(_MULTIPLIERS[1])
            a[i], b[i] = (q >> high) ^ b[i] ^ k0, q & low
            c[i], d[i] = (p >> high) ^ d[i] ^ k1, p & low
        k0, k1 = (k0 + _U(_WEYL[0])) & low, (k1 + _U(_WEYL[1])) & low
    zero = made.dtype.type(0)
    for k in range(4):
        line, drawn = made[k], room[k]
        for i in range(lines):
            line[i] = scale if drawn[i] >= limit else zero


@jit
def _plain(turn: Any, edges: Any, x: Any, y: Any, words: Any, scale: Any) -> Any:
    """Do some lines of an array in plain order."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    room, made = np.empty((4, _LINE), np.uint64), np.empty((4, _LINE), x.dtype)
    for line in range(edges[turn.number], edges[turn.number + 1]):
        _factors(_U(line * _LINE), _U(1), _U(0), words, scale, room, made)
        at = line * 4 * _LINE
        given, target = x[at : at + 4 * _LINE], y[at : at + 4 * _LINE]
        for i in range(given.size // 4):
            for k in range(4):
                target[4 * i + k] = given[4 * i + k] * made[k, i]
        for i in range(given.size // 4 * 4, given.size):
            target[i] = given[i] * made[i % 4, i // 4]
    return True


@jit
def _four_pixels(
    turn: Any,
    edges: Any,
    x: Any,
    y: Any,
    pixels: int,
    channels: int,
    words: Any,
    scale: Any,
) -> Any:
    """Do some rows (n, four pixels) of channels, where counters end with the pixels."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    room, made = np.empty((4, channels), np.uint64), np.empty((4, channels), x.dtype)
    groups = pixels // 4
    factors = made.reshape(-1)
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, group, at = row // groups, row % groups, row * factors.size
        _factors(_U(n * channels * groups + group), _U(groups), _U(0), words, scale, room, made)
        given, target = x[at : at + factors.size], y[at : at + factors.size]
        for i in range(factors.size):
            target[i] = given[i] * factors[i]
    return True


@jit
def _pixels(
    turn: Any,
    edges: Any,
    x: Any,
    y: Any,
    pixels: int,
    channels: int,
    words: Any,
    scale: Any,
) -> Any:
    """Do some rows (n, pixel) of channels, where a counter's words belong to several of them."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    room, made = np.empty((4, channels), np.uint64), np.empty((4, channels), x.dtype)
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, pixel, at = row // pixels, row % pixels, row * channels
        begin = _U(n * channels * pixels + pixel)
        _factors(begin, _U(pixels), _U(2), words, scale, room, made)
        for i in range(channels):
            y[at + i] = x[at + i] * made[(pixel + (n * channels + i) * pixels) % 4, i]
    return True
