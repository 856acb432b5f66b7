"""The argument parser, and the kinds of arguments that several subcommands take."""

from __future__ import annotations

import argparse
import math
import re
from typing import NoReturn

from ._errors import UsageError


class Parser(argparse.ArgumentParser):
    """An argument parser that keeps the layout of its epilogue and reports errors in one line."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{message} (see '{self.prog} --help')")


def positive_int(text: str) -> int:
    """Read a whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text!r}")
    return value


def seed(text: str) -> int:
    """Read a seed: a whole number of at most 32 bits, not negative."""
    if not re.fullmatch(r"\d+", text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(
            f"must be a whole number from 0 to 2**32 - 1, got {text!r}"
        )
    return int(text)


def positive_float(text: str) -> float:
    """Read a finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def shape(text: str) -> tuple[int, ...]:
    """Read a shape such as ``3x224x224`` or ``3,224,224``."""
    parts = re.split(r"[x,]", text.strip("()"))
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"must be sizes such as 3x224x224, got {text!r}")
    return tuple(int(part) for part in parts)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add ``--backend``."""
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="numpy, cupy, cupy:1, torch, torch:cuda, ... or auto "
        "(default: $XPCONV_BACKEND, else numpy)",
    )
