"""How many steps each parameter has taken, where some may be skipped without the host knowing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from array_api_compat import array_namespace, device

from .._late import Late
from .._typing import Array
from ..backend import backend_of, to_numpy

Count = int | Any
"""A Python number, or a 0-d int64 array once a step may have been skipped."""


class StepCounts:
    """The steps that each parameter has taken.

    Parameters
    ----------
    counts : mapping of str to int or 0-d array
        By the parameter's name.
    found_inf : 0-d bool array, optional
        Where it is true, `count` counts nothing.
    """

    def __init__(
        self, counts: Mapping[str, Count] | None = None, found_inf: Array | None = None
    ) -> None:
        self._counts, self._found_inf = dict(counts or {}), found_inf
        self._counted: dict[int, tuple[Count, Count]] = {}

    def next(self, found_inf: Array | None) -> StepCounts:
        """Return a copy that counts one step, or none where ``found_inf``; this one stays."""
        return StepCounts(self._counts, found_inf)

    def count(self, name: str) -> Count:
        """Count a parameter's step, and return its number as `Optimizer.update` wants it."""
        old = self._counts.get(name, 0)
        if id(old) not in self._counted:  # parameters that have moved together share an array
            self._counted[id(old)] = self._increment(old)
        number, self._counts[name] = self._counted[id(old)]
        return number

    def _increment(self, old: Count) -> tuple[Count, Count]:
        if self._found_inf is None:
            new = _as_int(old) + 1
            return new, new
        place = backend_of(self._found_inf)
        old = place.asarray(old, "int64")
        after = place.xp.where(self._found_inf, old, old + 1)
        return _widest(old + 1), place.asarray(after)

    def groups(self) -> list[list[str]]:
        """Return the parameters whose count is on the device, those together that share one."""
        found: dict[int, list[str]] = {}
        for name, count in self._counts.items():
            if not isinstance(count, int):
                found.setdefault(id(count), []).append(name)
        return list(found.values())

    def shared(self, names: Iterable[str]) -> Array | None:
        """Return the count on the device that some parameters share, or None if they do not."""
        counts = {id(count): count for name, count in self._counts.items() if name in names}
        return next(iter(counts.values())) if len(counts) == 1 else None

    def share(self, names: Iterable[str], count: Array) -> None:
        """Let some parameters have a count on the device."""
        self._counts.update(dict.fromkeys(names, count))

    def read(self) -> dict[str, int]:
        """Return the counts as Python numbers; those on a device are waited for."""
        known = {id(count): count for count in self._counts.values()}
        numbers = {key: _as_int(count) for key, count in known.items()}
        return {name: numbers[id(count)] for name, count in self._counts.items()}


class LateCounts(StepCounts):
    """Step counts of a step that is recorded, which counts anew each time it is repeated.

    Attributes
    ----------
    moved : list of str
        The parameters that the step at hand has moved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[str] = []
        self._late: dict[int, Late] = {}

    def begin(self) -> None:
        """Forget which parameters moved: a step is about to run."""
        self.moved, self._late = [], {}

    def next(self, found_inf: Array | None) -> StepCounts:
        """Return these counts themselves: `advance` moves them."""
        return self

    def count(self, name: str) -> Count:
        """Return the number of a parameter's step; those that move together share it."""
        old = self._counts.setdefault(name, 0)
        self.moved.append(name)
        if old not in self._late:
            self._late[old] = Late(lambda: self._counts[name] + 1)
        return self._late[old]

    def advance(self, names: Iterable[str]) -> None:
        """Count a step of some parameters."""
        for name in names:
            self._counts[name] += 1

    def take_over(self, counts: StepCounts) -> bool:
        """Go on from other counts, if the host knows them all."""
        self._counts = dict(counts._counts)
        return all(isinstance(count, int) for count in self._counts.values())

    def plain(self) -> StepCounts:
        """Return the same counts for steps that are not recorded."""
        return StepCounts(self._counts)


def _as_int(count: Count) -> int:
    return count if isinstance(count, int) else int(to_numpy(count))


def _widest(count: Array) -> Array:
    """Return a count in the device's widest floating dtype: powers of betas near 1 need digits."""
    xp = array_namespace(count)
    dtypes = xp.__array_namespace_info__().dtypes(device=device(count), kind="real floating")
    return xp.astype(count, dtypes.get("float64", xp.float32))


def as_factor(number: Any, parameter: Array) -> Any:
    """Return what multiplies a parameter, an array in its dtype: a wider one would widen it."""
    if isinstance(number, Late) or (isinstance(number, float) and not hasattr(number, "dtype")):
        return number
    return array_namespace(parameter).astype(number, parameter.dtype)
