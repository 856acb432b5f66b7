"""A stand-in for CUDA graphs: work on PyTorch's CPU tensors is recorded and done again.

What it does again is what a graph would: the same operations on the same memory, with every number
of the host as it was. Nothing of what is recorded is done at the time: memory that was there before
is left as it was, and what was made holds NaN until the first replay. What CuPy refuses while it
records (to read from the device, to copy from the host) is refused here too, and so are replays
that use memory which nobody has kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

READS = ("_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "_unique2")


class TorchRecorder:
    """Recorder for PyTorch's tensors on the CPU; see `xpconv._graphs.Recorder`."""

    def __init__(self) -> None:
        self.recordings: list[TorchRecording] = []

    @contextmanager
    def record(self) -> Iterator[TorchRecording]:
        recording = TorchRecording()
        try:
            with _Watch(recording):
                yield recording
        finally:
            recording.undo()
        self.recordings.append(recording)


class TorchRecording:
    """The operations, and the tensors that they have made."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, list[torch.Tensor | None]]] = []
        self.inside: dict[int, torch.Tensor] = {}  # by their memory
        self.before: list[tuple[_Outside, torch.Tensor]] = []  # what was written over
        self.written: set[int] = set()
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        for function, args, options, outputs in self.calls:
            args, options = tree_map(_again, (args, options))
            made = tree_leaves(function(*args, **options))
            for old, new in zip(outputs, made, strict=True):
                if old is not None:
                    old.copy_(new)

    def undo(self) -> None:
        for place, values in self.before:
            place.get().copy_(values)
        for tensor in self.inside.values():
            tensor.fill_(torch.nan if tensor.is_floating_point() else 77)


class _Outside:
    """A tensor that was there before the recording, which does not keep its memory alive."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._memory = tensor.untyped_storage()._weak_ref()
        self._form = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
        self._dtype = tensor.dtype

    def __del__(self) -> None:
        torch.UntypedStorage._free_weak_ref(self._memory)

    def get(self) -> torch.Tensor:
        memory = torch.UntypedStorage._new_with_weak_ptr(self._memory)
        assert memory is not None, "a replay uses memory that was given back"
        return torch.empty(0, dtype=self._dtype).set_(memory, *self._form)


def _again(value: Any) -> Any:
    return value.get() if isinstance(value, _Outside) else value


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


class _Watch(TorchDispatchMode):
    """Sees every operation on tensors."""

    def __init__(self, recording: TorchRecording) -> None:
        super().__init__()
        self._recording = recording

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        kwargs, name = kwargs or {}, function._schema.name.partition("::")[2]
        if name in READS:
            raise RuntimeError("the current stream is capturing, so D2H transfers are disallowed")
        # CuPy has the addresses of many arrays copied to the device.
        many = name in ("cat", "stack") and len(args[0]) > 8
        if many or name.startswith("lift_fresh"):
            raise RuntimeError("the current stream is capturing, so H2D transfers are disallowed")
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        self._keep_what_is_written_over(function, args, kwargs)
        kept = tree_map(self._kept, (args, kwargs))
        made = function(*args, **kwargs)
        old = {_memory(tensor) for tensor in given}
        outputs = [
            None if leaf is None or _memory(leaf) in old else leaf for leaf in tree_leaves(made)
        ]
        for output in outputs:
            if output is not None:
                self._recording.inside[_memory(output)] = output
        views = not function._schema.is_mutable and not any(o is not None for o in outputs)
        if not views and not name.startswith(("empty", "new_empty")):
            self._recording.calls.append((function, *kept, outputs))
        return made

    def _kept(self, value: Any) -> Any:
        """An argument for later: tensors of the recording as they are."""
        outside = isinstance(value, torch.Tensor) and _memory(value) not in self._recording.inside
        return _Outside(value) if outside else value

    def _keep_what_is_written_over(self, function: Any, args: Any, kwargs: Any) -> None:
        recording = self._recording
        for number, argument in enumerate(function._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            for tensor in tree_leaves(
                args[number] if number < len(args) else kwargs[argument.name]
            ):
                memory = _memory(tensor)
                if memory not in recording.inside and memory not in recording.written:
                    recording.written.add(memory)
                    whole = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                    recording.before.append((_Outside(whole), whole.clone()))
