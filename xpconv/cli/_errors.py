"""From exceptions to the one line that a user reads."""

from __future__ import annotations

import importlib.util

from .._place import where

EXTRAS = {
    "sklearn": "scikit-learn",
    "safetensors": "safetensors",
    "matplotlib": "matplotlib",
    "PIL": "pillow",
}


class UsageError(Exception):
    """What was asked for cannot be done; the message is one line for the user."""


def require(*modules: str) -> None:
    """Check that optional packages are there, before any work is done that needs them.

    Raises
    ------
    UsageError
        Names the packages that are missing and the command that installs them.
    """
    missing = [EXTRAS[name] for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"this needs {', '.join(missing)}: pip install 'xpconv[train]'")


def explain(error: Exception) -> str | None:
    """Say in one line what went wrong, or None where only a traceback helps.

    Notes
    -----
    The library raises `ValueError` and `TypeError` for what it was given, `OSError` comes from
    files, and the others say themselves what they are. Anything else is a defect.
    """
    from ..backend import BackendError

    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    if isinstance(error, MemoryError):
        return _one_line(error) or "out of memory; try a smaller --batch-size"
    if isinstance(
        error, UsageError | BackendError | ValueError | TypeError | ImportError | OSError
    ):
        return _one_line(error) or type(error).__name__
    return None


def _one_line(error: Exception) -> str:
    text, place = " ".join(str(error).split()), where(error)
    return f"{place}: {text}" if place and text else text
