"""Random numbers that are the same on every backend.

Initial weights and shuffles are drawn on the host from a NumPy generator. Dropout masks come from
Philox4x32-10, a counter-based generator written in array operations: every device draws the same
mask where the data is, without a transfer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ._shapes import ntuple
from ._typing import Array, Namespace

__all__ = ["Stream", "current_stream", "manual_seed", "random_bits", "use_stream"]

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


class Stream:
    """A seed, the host generator that it starts, and a count of the keys handed out.

    Parameters
    ----------
    seed : int
        Any non-negative integer.

    Attributes
    ----------
    generator : numpy.random.Generator
        Draws initial weights and shuffles on the host.

    Examples
    --------
    >>> stream = Stream(7)
    >>> stream.next_key() == Stream(7).next_key()
    True
    """

    def __init__(self, seed: int = 0) -> None:
        (self.seed,) = ntuple(seed, 1, "seed", minimum=0)
        self.generator = np.random.default_rng(self.seed)
        self._keys = 0

    def next_key(self) -> tuple[int, int]:
        """Return a new key for `random_bits`: two 32-bit words, never the same twice."""
        entropy = np.random.SeedSequence(self.seed, spawn_key=(self._keys,))
        self._keys += 1
        first, second = entropy.generate_state(2)
        return int(first), int(second)

    def state_dict(self) -> dict[str, Any]:
        """Return the stream's whole state as plain numbers and texts, fit for JSON."""
        return {
            "seed": self.seed,
            "keys": self._keys,
            "generator": self.generator.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where another stream's `state_dict` was taken."""
        self.seed = int(state["seed"])
        self._keys = int(state["keys"])
        self.generator = np.random.default_rng(self.seed)
        self.generator.bit_generator.state = state["generator"]


_DEFAULT = Stream(0)
_CURRENT: ContextVar[Stream | None] = ContextVar("xpconv_stream", default=None)


def current_stream() -> Stream:
    """Return the stream in force: the innermost `use_stream`'s, else the process-wide one."""
    return _CURRENT.get() or _DEFAULT


def manual_seed(seed: int) -> Stream:
    """Start the stream in force anew from a seed, and return it.

    Counterpart of ``torch.manual_seed``. Without any call the seed is 0.
    """
    stream = current_stream()
    stream.load_state_dict(Stream(seed).state_dict())
    return stream


@contextmanager
def use_stream(stream: Stream) -> Iterator[Stream]:
    """Draw every random number within a ``with`` block from the given stream."""
    token = _CURRENT.set(stream)
    try:
        yield stream
    finally:
        _CURRENT.reset(token)


def random_bits(
    key: tuple[int, int], shape: tuple[int, ...], *, xp: Namespace, device: Any
) -> Array:
    """Draw 32 random bits for every element of an array, by Philox4x32-10.

    Parameters
    ----------
    key : (int, int)
        Two 32-bit words, as from `Stream.next_key`.
    shape : tuple of int
        The wanted shape.
    xp, device
        The array namespace and the device to draw on.

    Returns
    -------
    array of int64, in [0, 2**32)
        The same numbers on every backend; element ``i`` (in row-major order) depends on nothing
        but ``key`` and ``i``.

    Notes
    -----
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). One round
    multiplies 32-bit words into 64-bit products. The words are kept in int64, because that dtype
    works in every library: the product may wrap around, but its bits are right, and masking after
    the (arithmetic) shift removes the copies of the sign.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> [hex(int(v)) for v in random_bits((0, 0), (4,), xp=b.xp, device=b.device)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    size = math.prod(shape)
    counter = xp.arange(-(-size // 4), dtype=xp.int64, device=device)
    zero = xp.zeros_like(counter)
    c0, c1, c2, c3 = counter & _MASK, counter >> 32, zero, zero
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((p1 >> 32) & _MASK) ^ c1 ^ k0,
            p1 & _MASK,
            ((p0 >> 32) & _MASK) ^ c3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    words = xp.reshape(xp.stack([c0, c1, c2, c3], axis=1), (-1,))
    return xp.reshape(words[:size], shape)
