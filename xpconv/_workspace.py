"""How much memory a convolution may take for its columns, as a budget that the user sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ._shapes import integer

_VARIABLE = "XPCONV_WORKSPACE"
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_BUDGET: ContextVar[int | None] = ContextVar("xpconv_workspace", default=None)


def parse_bytes(size: int | str) -> int:
    """Read a number of bytes such as ``65536``, ``"64MB"`` or ``"1.5 GiB"`` (powers of 1024)."""
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([KMG]?)(?:I?B)?\s*", size.upper())
        if match is None:
            raise ValueError(f"a size in bytes is a number or a text such as '64MB', got {size!r}")
        count = int(float(match[1]) * _UNITS[match[2]])
    else:
        count = integer(size, "a size in bytes")
    if count <= 0:
        raise ValueError(f"a workspace must be larger than 0 bytes, got {size!r}")
    return count


@contextmanager
def conv_workspace(size: int | str) -> Iterator[int]:
    """Bound the memory that convolutions use for their columns within a ``with`` block.

    Parameters
    ----------
    size : int or str
        Bytes, or a text such as ``"64MB"``. A convolution works through the batch, and where one
        image is too large through its rows, in pieces whose columns fit; it never takes less than
        one row of output.

    Yields
    ------
    int
        The budget in bytes.

    Notes
    -----
    The environment variable ``XPCONV_WORKSPACE`` sets the budget of a whole process. Without
    either, each array library has a default that suits its caches.

    Examples
    --------
    >>> import xpconv
    >>> with xpconv.conv_workspace("64MB") as budget:
    ...     budget
    67108864
    """
    token = _BUDGET.set(parse_bytes(size))
    try:
        yield parse_bytes(size)
    finally:
        _BUDGET.reset(token)


def workspace_budget(default: int) -> int:
    """Return the bytes in force: the innermost block's, the environment's, or the default."""
    budget = _BUDGET.get()
    if budget is not None:
        return budget
    return environment_budget() or default


def environment_budget() -> int | None:
    """Return the bytes that ``XPCONV_WORKSPACE`` allows, or None where it is not set.

    Raises
    ------
    ValueError
        When it is no size; the message names the variable.
    """
    text = os.environ.get(_VARIABLE)
    if not text:
        return None
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise ValueError(f"the environment variable {_VARIABLE}: {error}") from None
