"""Check a state dict against a module's own, with PyTorch's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._typing import Array
from ..backend import backend_of, to_numpy


def load_state(
    owner: str, own: Mapping[str, Array], state: Mapping[str, Any], strict: bool
) -> dict[str, Array]:
    """Return the arrays of ``state`` that belong to ``own``, at their places and in their dtypes.

    Raises
    ------
    KeyError
        If ``strict`` and keys are missing or unexpected.
    ValueError
        If shapes differ.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"expected state_dict to be dict-like, got {type(state).__name__}")
    complaints = []
    if strict:
        missing = [repr(key) for key in own if key not in state]
        unexpected = [repr(key) for key in state if key not in own]
        if missing:
            complaints.append(f"Missing key(s) in state_dict: {', '.join(missing)}.")
        if unexpected:
            complaints.append(f"Unexpected key(s) in state_dict: {', '.join(unexpected)}.")
    sizes = []
    arrays = {}
    for key, target in own.items():
        if key not in state:
            continue
        value = state[key] if hasattr(state[key], "shape") else to_numpy(state[key])
        if tuple(value.shape) != tuple(target.shape):
            sizes.append(
                f"size mismatch for {key}: copying a param with shape {tuple(value.shape)} from "
                f"checkpoint, the shape in current model is {tuple(target.shape)}."
            )
        else:
            arrays[key] = _taken(key, target, value)
    if complaints or sizes:
        text = f"Error(s) in loading state_dict for {owner}: " + " ".join(complaints + sizes)
        raise StateDictError(text)
    return arrays


class StateDictError(KeyError, ValueError, RuntimeError):
    """A state dict does not fit the module; nothing was changed.

    It is a `RuntimeError` for those who catch what PyTorch raises.
    """

    def __str__(self) -> str:
        """Return the message itself; a `KeyError` would quote it."""
        return str(self.args[0])


def _taken(key: str, target: Array, value: Any) -> Array:
    """Bring a value to a target's place and dtype, sharing memory with nobody."""
    if "complex" in str(value.dtype) and "complex" not in str(target.dtype):
        raise TypeError(f"{key} is {target.dtype} and cannot take {value.dtype} values")
    backend = backend_of(target)
    array = backend.asarray(value)
    return backend.xp.astype(array, target.dtype, copy=array is value)
