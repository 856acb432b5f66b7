"""Safetensors files: read with one kind of error, written all at once or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

PathLike = str | os.PathLike[str]


class CheckpointError(ValueError):
    """A file is damaged, or is not what it should be; the message names the file and the cause."""


def write_file(
    path: PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write arrays and texts into one file, which takes the old one's place in one step.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is then still there.
    """
    safetensors = _import_safetensors()
    from safetensors.numpy import save_file

    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no directory {path.parent}")

    # A file holds bytes in row-major order, whatever the order in memory is. `order="C"` keeps 0-d
    # arrays 0-d, which `ascontiguousarray` does not.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        with replacing(path) as temporary:
            save_file(plain, temporary, metadata=dict(metadata))
            _sort_metadata(temporary)
    except safetensors.SafetensorError as error:  # a full disk, for instance
        raise OSError(f"cannot write {path}: {error}") from error


def _sort_metadata(path: Path) -> None:
    """Put a file's texts into the order of their names, so that equal contents give equal bytes.

    safetensors writes them in an order that changes from call to call. The header, which is JSON
    behind its length, keeps its length; a reader takes spaces at its end for nothing.
    """
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= size:
            file.seek(8)
            file.write(text.ljust(size))


def read_file(path: PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read arrays and texts from a file.

    Raises
    ------
    CheckpointError
        If the file is no whole safetensors file.
    OSError
        If there is no such file, or it may not be read.
    """
    path = Path(path)
    safetensors = _import_safetensors()
    if path.is_dir():
        raise CheckpointError(f"{path} is a directory, not a file")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            arrays = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    return arrays, metadata


def _tensor(path: Path, file: Any, name: str) -> np.ndarray:
    dtype = file.get_slice(name).get_dtype()
    if dtype == "BF16":
        return _bfloat16(path, name)
    try:
        return np.asarray(file.get_tensor(name))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {name} has dtype {dtype}, which NumPy has not") from error


def _bfloat16(path: Path, name: str) -> np.ndarray:
    """Read a bfloat16 array as float32, which holds it exactly and which NumPy has."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(size))[name]
        start, end = entry["data_offsets"]
        file.seek(8 + size + start)
        bits = np.frombuffer(file.read(end - start), dtype="<u2")
    # bfloat16 is the upper half of float32.
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[Path]:
    """Write a file all at once or not at all.

    Parameters
    ----------
    path : str or path
        The file to write. Its directory must exist.

    Yields
    ------
    Path
        Another name in the same directory. What is written there takes the old file's place, in one
        step, when the ``with`` block ends well, and is removed when it does not.

    Raises
    ------
    IsADirectoryError
        If the path is a directory.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xpconv import checkpoint
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "metrics.json")
    ...     with checkpoint.replacing(path) as temporary:
    ...         _ = temporary.write_text("{}")
    ...     path.read_text()
    '{}'
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a directory, not a file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode  # what the user's umask gives; some writers are stricter
        yield temporary
        temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new name is safe on the disk only once its directory is; not every system can do that.
    with contextlib.suppress(OSError):
        _flush(path.parent)


def _flush(path: Path) -> None:
    """Wait until a file or a directory is on the disk, so that a power cut cannot empty it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _import_safetensors() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise ImportError(
            "checkpoints need the package safetensors: pip install 'xpconv[train]'"
        ) from error
    return safetensors
