"""Where a run's files go, and writing them whole or not at all."""

from __future__ import annotations

import itertools
import json
import math
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._errors import UsageError

DEFAULT = Path("runs")


def fresh_directory(dataset: str) -> Path:
    """Return the first of ``runs/digits``, ``runs/digits-2``, … that is not there yet."""
    return next(path for path in _directories(dataset) if not path.exists())


def latest_directory(dataset: str) -> Path:
    """Return the last of ``runs/digits``, ``runs/digits-2``, … that is there.

    Raises
    ------
    UsageError
        When there is none.
    """
    taken = list(itertools.takewhile(Path.exists, _directories(dataset)))
    if not taken:
        raise UsageError(f"there is no run to resume: {DEFAULT / dataset} does not exist")
    return taken[-1]


def _directories(dataset: str) -> Iterator[Path]:
    yield DEFAULT / dataset
    for count in itertools.count(2):
        yield DEFAULT / f"{dataset}-{count}"


def prepare_directory(path: Path) -> None:
    """Make a directory and see that files can be written there, before hours of work go into it.

    Raises
    ------
    UsageError
        When the path is a file, or nothing can be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        trial = path / f".{secrets.token_hex(4)}.tmp"
        trial.touch()
        trial.unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"--out {path}: {error.filename or path} is not a directory") from error
    except OSError as error:
        raise UsageError(f"cannot write to --out {path}: {error.strerror}") from error


def to_json(value: Any) -> str:
    """Write plain values as JSON that every reader takes: NaN and infinity become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
