"""How a test says that bad input is refused in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(*words: str, error: type[Exception] = ValueError) -> Iterator[None]:
    """The block raises ``error``, and its message holds every one of ``words``, in any order."""
    with pytest.raises(error) as caught:
        yield
    message = str(caught.value)
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
