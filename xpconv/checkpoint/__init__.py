"""Checkpoints: everything that a run needs to go on, in one safetensors file.

Arrays lie in the file as they are, everything else as JSON in the file's metadata. Loading reads
numbers and text, and never executes code: nothing here is pickled. A file is written beside the
old one and takes its place in one step, so a run that is killed while it saves keeps the old file.
"""

from __future__ import annotations

from ._checkpoint import load as load, save as save
from ._file import CheckpointError as CheckpointError, replacing as replacing
from ._weights import (
    load_metadata as load_metadata,
    load_weights as load_weights,
    save_weights as save_weights,
)

__all__ = [
    "CheckpointError",
    "load",
    "load_metadata",
    "load_weights",
    "replacing",
    "save",
    "save_weights",
]
