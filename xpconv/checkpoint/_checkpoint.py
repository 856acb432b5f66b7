"""A whole state in one file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._file import CheckpointError, PathLike, read_file, write_file
from ._tree import join, split

_VERSION = "1"


def save(path: PathLike, state: Mapping[str, Any]) -> None:
    """Write a nested state into one file, which takes the old one's place in one step.

    Parameters
    ----------
    path : str or path
        The file to write, usually ``*.safetensors``. Its directory must exist.
    state : mapping
        Texts to arrays (of any library and device), texts, numbers, bools, None, lists, and
        mappings of the same kind, to any depth.

    Raises
    ------
    TypeError
        If something else is in the state; the message says where.
    OSError
        If the file cannot be written; an old one is then still there.
    ImportError
        If safetensors is not installed.

    Notes
    -----
    The bytes go to a file of another name, are flushed to the disk, and then the file is renamed.
    bfloat16 is stored as float32, which holds it exactly. A checksum covers everything.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from xpconv import checkpoint
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "state.safetensors")
    ...     checkpoint.save(path, {"step": 3, "model": {"weight": np.ones(2)}})
    ...     checkpoint.load(path)
    {'step': 3, 'model': {'weight': array([1., 1.])}}
    """
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(split(state, arrays))
    metadata = {"xpconv": _VERSION, "state": text, "crc32": _checksum(text, arrays)}
    write_file(path, arrays, metadata)


def load(path: PathLike) -> dict[str, Any]:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict
        The state, with arrays on the host (NumPy) and tuples as lists.

    Raises
    ------
    CheckpointError
        If the file is damaged or is not a checkpoint; with the file and the cause.
    OSError
        If there is no such file.
    ImportError
        If safetensors is not installed.
    """
    arrays, metadata = read_file(path)
    if "xpconv" not in metadata:
        raise CheckpointError(
            f"{path} is a safetensors file but not a checkpoint; "
            "if it holds weights, read it with xpconv.checkpoint.load_weights"
        )
    if metadata["xpconv"] != _VERSION:
        raise CheckpointError(
            f"{path} has format {metadata['xpconv']!r}; this version of xpconv reads {_VERSION!r}"
        )
    text = metadata.get("state", "")
    if metadata.get("crc32") != _checksum(text, arrays):
        raise CheckpointError(f"{path} is damaged: its contents do not match its checksum")
    state: dict[str, Any] = join(json.loads(text), arrays)
    return state


def _checksum(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    total = zlib.crc32(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        total = zlib.crc32(f"{name}{array.dtype}{array.shape}".encode(), total)
        total = zlib.crc32(array.data, total) if array.size else total
    return f"{total:08x}"
