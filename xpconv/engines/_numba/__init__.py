"""Compiled bodies for NumPy arrays, with Numba: the extra ``fast``.

Only `available` may be imported without Numba; it compiles at the first use, and keeps the machine
code in a cache beside the files, or in the user's cache directory.
"""

from __future__ import annotations

import os
from functools import cache

_VARIABLE = "XPCONV_NUMBA"


@cache
def refusal() -> str | None:
    """Say why the compiled bodies cannot be used; None where they can."""
    if os.environ.get(_VARIABLE, "1") == "0":
        return f"{_VARIABLE}=0 turns Numba off"
    try:
        import numba
    except ImportError as error:
        return f"Numba cannot be imported ({error}); pip install 'xpconv[fast]'"
    if numba.config.DISABLE_JIT:
        return "NUMBA_DISABLE_JIT is set"
    return None
