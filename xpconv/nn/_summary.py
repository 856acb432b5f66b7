"""A table of a network's layers: shapes, parameters, work and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._arrays import itemsize
from .._shapes import ntuple
from ..backend import get_backend
from ._module import Module
from ._observe import observe


@dataclass(frozen=True)
class Row:
    """One layer, once for each time that it is used.

    ``memory`` counts the bytes of the output and, at the first use, of the layer's own arrays.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    flops: int
    memory: int


@dataclass(frozen=True)
class Summary:
    """What `summary` found; ``str()`` prints it as a table."""

    rows: tuple[Row, ...]
    input_shape: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """Floating-point operations of one inference; a multiply-add counts as two."""
        return sum(row.flops for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes of all outputs and all state, as training keeps them."""
        return sum(row.memory for row in self.rows)

    def __str__(self) -> str:
        """Return the table."""
        head = ("layer", "kind", "output shape", "parameters", "FLOPs", "memory")
        body = [
            (
                row.name or "(model)",
                row.kind,
                " x ".join(map(str, row.output_shape)),
                f"{row.parameters:,}",
                f"{row.flops:,}",
                _bytes(row.memory),
            )
            for row in self.rows
        ]
        shape = " x ".join(map(str, self.input_shape))
        total = ("total", f"input {shape}", "", f"{self.parameters:,}", f"{self.flops:,}")
        table = [head, *body, (*total, _bytes(self.memory))]
        widths = [max(len(row[i]) for row in table) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def summary(model: Module, input_shape: tuple[int, ...]) -> Summary:
    """Run one inference on zeros and note what every layer makes of it.

    Parameters
    ----------
    model : Module
        The network.
    input_shape : tuple of int
        Shape of one input without the batch axis, as (C, H, W).

    Returns
    -------
    Summary
        One row for each use of a layer, in order; shapes are without the batch axis.

    Raises
    ------
    ValueError
        If the network does not take such an input.

    Examples
    --------
    >>> from xpconv import nn
    >>> table = summary(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), (1, 8, 8))
    >>> table.parameters, table.rows[0].output_shape
    (40, (4, 6, 6))
    """
    shape = _checked_shape(input_shape)
    names: dict[int, str] = {}
    for name, module in model.named_modules():
        names.setdefault(id(module), name)
    rows: list[Row] = []
    seen: set[int] = set()

    def note(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        own = module._own_state() if id(module) not in seen else {}
        seen.add(id(module))
        if id(module) not in names or (module.children() and not own):
            return
        if isinstance(output, tuple):  # the values, before what else a layer returns
            output = output[0]
        kept = [(math.prod(a.shape), a.dtype) for a in own.values()]
        if not module.children():
            kept.append((math.prod(output.shape[1:]), output.dtype))
        trained = [a for k, a in own.items() if k not in module.buffer_names]
        rows.append(
            Row(
                name=names[id(module)],
                kind=type(module).__name__,
                output_shape=tuple(output.shape[1:]),
                parameters=sum(math.prod(a.shape) for a in trained),
                flops=module.flops(tuple(map(_single, inputs)), _single(output)),
                memory=sum(count * itemsize(dtype) for count, dtype in kept),
            )
        )

    backend = model.backend or get_backend()
    floating = [a.dtype for a in model.parameters().values()]
    dtype = floating[0] if floating else backend.xp.float32
    x = backend.xp.zeros((_BATCH, *shape), dtype=dtype, device=backend.device)
    with observe(note):
        y = model(x)
    first = y[0] if isinstance(y, tuple) else y
    if first.ndim == 0 or first.shape[0] != _BATCH:
        raise ValueError(
            f"input_shape {shape} is not the shape of one input of this model: for a batch of "
            f"{_BATCH} it returns an array of shape {tuple(first.shape)}"
        )
    return Summary(tuple(rows), shape)


# Two, not one: an input shape that lacks an axis cannot pass its batch off as a channel.
_BATCH = 2


def _single(array: Any) -> tuple[int, ...]:
    """Shape of an array as it would be for a batch of one."""
    return (1, *array.shape[1:])


def _checked_shape(input_shape: Any) -> tuple[int, ...]:
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, str):
        raise TypeError(f"input_shape must be a tuple such as (C, H, W), got {input_shape!r}")
    return ntuple(input_shape, len(input_shape), "input_shape", minimum=1)
