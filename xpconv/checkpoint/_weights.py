"""A model's weights alone, in a file that other libraries read too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from .._typing import Array
from ._file import CheckpointError, PathLike, read_file, write_file
from ._tree import host_array


class HasState(Protocol):
    """What is asked of a model; every `xpconv.nn.Module` has it."""

    def state_dict(self) -> dict[str, Array]:
        """Return parameters and buffers by name."""


def save_weights(
    path: PathLike,
    model: HasState | Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a model's ``state_dict()`` as a plain safetensors file, in one step.

    PyTorch reads it: ``torch_model.load_state_dict(safetensors.torch.load_file(path))``.

    Parameters
    ----------
    path : str or path
        The file to write, usually ``*.safetensors``. Its directory must exist.
    model : Module or mapping of str to array
        The model, or its ``state_dict()``.
    metadata : mapping of str to str, optional
        Texts to keep in the file, for `load_metadata`.

    Raises
    ------
    TypeError
        If it is neither, or if an array has a dtype that a file cannot hold.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from xpconv import checkpoint, nn
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "model.safetensors")
    ...     checkpoint.save_weights(path, nn.Linear(3, 2))
    ...     sorted(checkpoint.load_weights(path))
    ['bias', 'weight']
    """
    if not isinstance(model, Mapping) and not hasattr(model, "state_dict"):
        raise TypeError(f"model must be a Module or a state_dict, got {type(model).__name__}")
    state = model if isinstance(model, Mapping) else model.state_dict()
    arrays = {name: host_array(array, name) for name, array in state.items()}
    for name, array in arrays.items():
        if array.dtype == np.complex128:
            raise TypeError(f"{name} has dtype complex128, which a weights file cannot hold")
    # What the widespread readers look for to know the layout of weights: PyTorch's.
    write_file(path, arrays, {"format": "pt", **(metadata or {})})


def load_weights(path: PathLike) -> dict[str, np.ndarray]:
    """Read a file of weights, xpconv's or another library's, for ``model.load_state_dict``.

    Parameters
    ----------
    path : str or path
        A safetensors file.

    Returns
    -------
    dict of str to numpy.ndarray
        The arrays by name; bfloat16 as float32.

    Raises
    ------
    CheckpointError
        If the file is damaged, is no safetensors file or holds a whole checkpoint.
    OSError
        If there is no such file.
    ImportError
        If safetensors is not installed.
    """
    arrays, metadata = read_file(path)
    if "xpconv" in metadata:
        raise CheckpointError(
            f"{path} holds a whole checkpoint, not weights alone; "
            "read it with xpconv.Trainer.load or xpconv.checkpoint.load"
        )
    return arrays


def load_metadata(path: PathLike) -> dict[str, str]:
    """Read the texts that `save_weights` was given; errors as in `load_weights`."""
    return read_file(path)[1]
