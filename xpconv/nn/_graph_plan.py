"""What a run of a graph computes, in which order, and when its values are spent."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._typing import Array


class Step(NamedTuple):
    name: str
    sources: tuple[int, ...]


class Plan(NamedTuple):
    """What one kind of run computes: values by number, the inputs first, then one a step."""

    steps: tuple[Step, ...]
    ends: tuple[int, ...]
    single: bool
    spent: tuple[tuple[int, ...], ...]
    """For each step, the values that nobody needs after it."""

    @classmethod
    def of(cls, steps: tuple[Step, ...], ends: tuple[int, ...], single: bool) -> Plan:
        last_use = {i: k for k, step in enumerate(steps) for i in step.sources if i not in ends}
        spent: list[tuple[int, ...]] = [() for _ in steps]
        for i, k in last_use.items():
            spent[k] += (i,)
        return cls(steps, ends, single, tuple(spent))

    def let_go(self, values: list[Any], k: int) -> None:
        """Give the memory of what a step was the last to need back."""
        for i in self.spent[k]:
            values[i] = None

    def result(self, values: list[Any]) -> Any:
        """Return what the run hands out, from all its values."""
        return values[self.ends[0]] if self.single else tuple(values[i] for i in self.ends)

    def cotangents(self, dy: Any) -> tuple[Array, ...]:
        """Return one cotangent for each output."""
        if self.single:
            return (dy,)
        if not isinstance(dy, list | tuple) or len(dy) != len(self.ends):
            got = len(dy) if isinstance(dy, list | tuple) else type(dy).__name__
            raise ValueError(
                f"the graph has {len(self.ends)} outputs and backward takes a tuple of as many "
                f"arrays, got {got}"
            )
        return tuple(dy)
