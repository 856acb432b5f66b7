"""What a parity check found."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ParityRow:
    """One value, compared between a backend and the reference.

    Parameters
    ----------
    name : str
        The layer, parameter or buffer, as in ``state_dict()``.
    kind : str
        ``"output"``, ``"loss"``, ``"input gradient"``, ``"gradient"`` or ``"buffer"``.
    layer : str
        The layer that computed it.
    backend : str
        The backend that was compared with the reference.
    shape, dtype
        Of the reference.
    max_abs : float
        The largest absolute difference.
    max_rel : float
        The same relative to the largest magnitude in the reference tensor.
    tolerance : float
        The absolute difference that was allowed.
    ok : bool
        Whether shape and dtype agree, ``max_abs`` is within ``tolerance``, and the reference holds
        no NaN, with which nothing agrees.
    """

    name: str
    kind: str
    layer: str
    backend: str
    shape: tuple[int, ...]
    dtype: str
    max_abs: float
    max_rel: float
    tolerance: float
    ok: bool


@dataclass(frozen=True)
class ParityReport:
    """The comparison of a model between backends.

    Parameters
    ----------
    backends : tuple of str
        The backends; the first is the reference.
    rows : tuple of ParityRow
        In the order of execution: outputs, loss, gradients from the last layer to the first, and
        the running statistics.
    first_bad : str or None
        The first layer that leaves tolerance.
    cause : str or None
        What its difference looks like.
    """

    backends: tuple[str, ...]
    rows: tuple[ParityRow, ...]
    first_bad: str | None
    cause: str | None

    @property
    def ok(self) -> bool:
        """Whether every row is within tolerance."""
        return all(row.ok for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, fit for JSON (what is not finite becomes None)."""
        rows = [
            {key: None if _not_finite(value) else value for key, value in asdict(row).items()}
            for row in self.rows
        ]
        return {
            "backends": list(self.backends),
            "ok": self.ok,
            "first_bad": self.first_bad,
            "cause": self.cause,
            "rows": rows,
        }

    def __str__(self) -> str:
        """Return the report as a table, with the verdict under it."""
        head = ("name", "kind", "shape", "max abs", "max rel", "allowed", "")
        cells = [head] + [
            (
                row.name + (f" ({row.backend})" if len(self.backends) > 2 else ""),
                row.kind,
                "x".join(map(str, row.shape)) or "scalar",
                f"{row.max_abs:.1e}",
                f"{row.max_rel:.1e}",
                f"{row.tolerance:.1e}",
                "" if row.ok else "<<<",
            )
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
        lines = [
            "  ".join(
                text.ljust(width) if column < 3 else text.rjust(width)
                for column, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, "", self._verdict()])

    def _verdict(self) -> str:
        between = " and ".join(self.backends)
        if self.ok:
            return f"{between} agree: {len(self.rows)} of {len(self.rows)} within tolerance"
        bad = sum(not row.ok for row in self.rows)
        return (
            f"{between} differ: {bad} of {len(self.rows)} outside tolerance, "
            f"first in {self.first_bad}\nlikely cause: {self.cause}"
        )


def _not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
