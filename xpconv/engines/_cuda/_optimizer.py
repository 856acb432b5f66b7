"""One step of an optimiser for many parameters in one launch: ``source/optimizer.cuh``.

A launch carries a table of at most `_ROWS` parameters by value, so that nothing is copied to the
device before, and a CUDA graph can hold it; more parameters take more launches. Numbers that change
from step to step stand in an array there, see `xpconv._late`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from ..._late import Late, side_by_side, table_in_force
from ..._typing import Array
from ._launch import address, c_type, launch_blocks, wide
from ._pools import channels_last_view

_ROWS = 48
_BLOCK = 1024  # numbers a block
_TABLE = np.dtype(
    [
        *((name, np.uintp, (_ROWS,)) for name in ("parameter", "gradient", "first", "second")),
        *((name, np.uintp, (_ROWS,)) for name in ("parameter_out", "first_out", "second_out")),
        ("count", np.int64, (_ROWS,)),
        *((name, np.int32, (_ROWS,)) for name in ("start", "channels", "taps")),
        ("rows", np.int32),
        ("unused", np.int32),
    ]
)


class _Row(NamedTuple):
    parameter: Array
    gradient: Array
    remembered: tuple[Array, ...]
    channels: int
    taps: int
    made: tuple[Array, ...]  # the parameter, and what is remembered of it


def sgd(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    buffers: Sequence[Array] | None,
    found_inf: Array | None,
    *,
    lr: float | Late,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> tuple[list[Array], list[Array]]:
    """Return new parameters and, with momentum, new buffers; ``buffers`` is None at first.

    All arrays are of one dtype and on one device. Where ``found_inf`` is true nothing moves.
    """
    kind = wide(parameters[0])
    names = ("lr", "momentum", "kept", "decay")
    options = np.zeros((), dtype=[*((name, kind) for name in names), ("nesterov", np.int64)])
    rates = side_by_side([lr], kind)
    by_value = lr if rates is None else 0.0
    options[()] = (by_value, momentum, 1 - dampening, weight_decay, nesterov)
    slots = [] if buffers is None else [buffers]
    remembered = 1 if momentum else 0
    extra = (_by_value(options), _flag(found_inf), rates)
    made = _step("sgd", parameters, gradients, slots, remembered, *extra)
    return made[0], made[1] if momentum else []


def adam(
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    averages: tuple[Sequence[Array], Sequence[Array]] | None,
    found_inf: Array | None,
    *,
    rate: float | Array | Late,
    root: float | Array | Late,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    shrink: float | Late,
) -> tuple[list[Array], list[Array], list[Array]]:
    """Return new parameters, and new averages of the gradients and of their squares.

    ``rate`` and ``root`` may be 0-d arrays: where steps may be skipped only the device knows how
    many there were. See `sgd`.
    """
    kind = wide(parameters[0])
    rates = _rates(parameters[0], kind, rate, root, shrink)
    if rates is not None:
        rate, root, shrink = 0.0, 0.0, 1.0
    fields = {
        "rate": rate,
        "root": root,
        "beta1": betas[0],
        "fresh1": 1 - betas[0],
        "beta2": betas[1],
        "fresh2": 1 - betas[1],
        "eps": eps,
        "decay": weight_decay,
        "shrink": shrink,
        "from_old": float(betas[0] > 0.5),
    }
    options = np.zeros((), dtype=[(name, kind) for name in fields])
    options[()] = tuple(fields.values())
    extra = (_by_value(options), _flag(found_inf), rates)
    made = _step("adam", parameters, gradients, averages or (), 2, *extra)
    return made[0], made[1], made[2]


def _rates(like: Array, kind: str, *numbers: float | Array | Late) -> Array | None:
    """Return the numbers in an array where the host does not know all of them yet, else None."""
    arrays = [n for n in numbers if not isinstance(n, Late) and hasattr(n, "dtype")]
    if not arrays:
        return side_by_side(numbers, kind)
    xp = array_namespace(like)

    def as_array(number: Any) -> Array:
        if isinstance(number, Late):
            return number.beside(arrays[0])
        if hasattr(number, "dtype"):
            return xp.asarray(number)
        return xp.full((), number, dtype=arrays[0].dtype, device=device(like))

    return xp.astype(xp.stack([as_array(number) for number in numbers]), getattr(xp, kind))


def _flag(found_inf: Array | None) -> Array | None:
    """Return a truth value as a kernel takes it: an array, where NumPy has scalars too."""
    return None if found_inf is None else array_namespace(found_inf).asarray(found_inf)


def _step(
    name: str,
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    slots: Sequence[Sequence[Array]],
    remembered: int,
    *args: Any,
) -> list[list[Array]]:
    """Launch a body over all parameters: new parameters, and one list for each thing remembered."""
    xp = array_namespace(parameters[0])
    by_parameter = zip(*slots, strict=True) if slots else ((),) * len(parameters)
    rows = [
        _row(xp, parameter, gradient, old, remembered)
        for parameter, gradient, old in zip(parameters, gradients, by_parameter, strict=True)
    ]
    waiting = iter(row for row in rows if row.parameter.size)
    while batch := list(islice(waiting, _ROWS)):
        table, blocks = _table(batch)
        like = batch[0].parameter
        launch_blocks("optimizer", name, (c_type(like),), (blocks,), like, table, *args)
    return [[row.made[k] for row in rows] for k in range(1 + remembered)]


def _row(
    xp: Any, parameter: Array, gradient: Array, remembered: tuple[Array, ...], count: int
) -> _Row:
    channels = taps = 0
    gradient = xp.asarray(gradient)
    if not gradient.flags.c_contiguous:
        # A convolution's is (O, taps, C) in memory.
        if gradient.ndim > 2 and channels_last_view(gradient).flags.c_contiguous:
            channels, taps = gradient.shape[1], math.prod(gradient.shape[2:])
        else:
            gradient = xp.ascontiguousarray(gradient)
    made: tuple[Array, ...] = (parameter, *remembered)
    if len(made) <= count or not _may_overwrite(made):
        place = device(parameter)
        made = tuple(
            xp.empty(parameter.shape, dtype=parameter.dtype, device=place) for _ in range(1 + count)
        )
    return _Row(
        xp.ascontiguousarray(parameter),
        gradient,
        tuple(map(xp.ascontiguousarray, remembered)),
        channels,
        taps,
        made,
    )


def _may_overwrite(arrays: Sequence[Array]) -> bool:
    """Whether what is made may take the place of what was: a step that is recorded owns it."""
    table = table_in_force()
    recorded = table is not None and table.recording
    return recorded and all(array.flags.c_contiguous for array in arrays)


def _table(rows: list[_Row]) -> tuple[np.ndarray[Any, Any], int]:
    """Return the table of some parameters as a kernel takes it, and how many blocks they need."""
    table = np.zeros((), dtype=_TABLE)
    sizes = [row.parameter.size for row in rows]
    blocks = [-(-size // _BLOCK) for size in sizes]
    columns = {
        "parameter": [address(row.parameter) for row in rows],
        "gradient": [address(row.gradient) for row in rows],
        "count": sizes,
        "start": [0, *accumulate(blocks)][:-1],
        "channels": [row.channels for row in rows],
        "taps": [row.taps for row in rows],
    }
    for k, name in enumerate(("first", "second")[: len(rows[0].remembered)]):
        columns[name] = [address(row.remembered[k]) for row in rows]
    for k, name in enumerate(("parameter_out", "first_out", "second_out")[: len(rows[0].made)]):
        columns[name] = [address(row.made[k]) for row in rows]
    for name, column in columns.items():
        table[name][: len(rows)] = column
    table["rows"] = len(rows)
    return _by_value(table), sum(blocks)


def _by_value(struct: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(struct.tobytes(), dtype=np.dtype((np.void, struct.nbytes)))
