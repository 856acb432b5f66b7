"""Switches that a user sets for a whole process."""

from __future__ import annotations

import os

_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off")


def switch(name: str, default: bool = True) -> bool:
    """Return whether an environment variable turns something on.

    Parameters
    ----------
    name : str
        Name of the variable. ``1``, ``true``, ``yes`` and ``on`` turn on, ``0``, ``false``, ``no``
        and ``off`` turn off, in capitals or not.
    default : bool, optional
        What holds where the variable is not set, or empty.

    Raises
    ------
    ValueError
        If the variable says anything else; the message names it.
    """
    text = os.environ.get(name, "").strip().lower()
    if text in _ON:
        return True
    if text in _OFF:
        return False
    if text:
        raise ValueError(f"the environment variable {name} must be 0 or 1, got {text!r}")
    return default
