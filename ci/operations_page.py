"""Write docs/operations.md: every operation, its options, and what it is tested on.

Usage: python -m ci.operations_page

Nothing on the page is typed by hand. The operations come from the registry, their options from
their signatures, the gradients and the dtypes from the sample calls that the tests run on.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.ops.samples import SUBJECTS, Sample
from xpconv import ops

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
KINDS = {"half": ["float16"], "integer": ["int64", "uint8"], "complex": ["complex64"]}
HEAD = """# Operations

<!-- Written by `python -m ci.operations_page`; a test compares this page with the code. -->

The {count} differentiable operations of [`xpconv.ops`](reference/ops.md), with PyTorch's names,
options and defaults. Each runs on every array library: the same tests run on NumPy, on arrays that
cannot be written to, on array-api-strict's second device (the standard and nothing else) and on
PyTorch; one call of each also on JAX, forward and back; and on CuPy wherever a GPU is at hand.

- **Gradient** names the arguments whose gradient is checked against differences in float64, on each
  of these libraries.
- **Dtypes** beyond float32 and float64, which all take: *half* is float16, and bfloat16 where the
  library has it, whose sums are formed in float32 and rounded once; *integer* (int64 or uint8) and
  *complex* are taken where PyTorch takes them, with the dtype of its result. A test compares every
  operation and every dtype with PyTorch.

NaN and infinities pass through as in PyTorch, empty batches and sizes of 1 are no special cases,
inputs are never written to, and what cannot be computed is refused by name: `ValueError` for sizes
and values, `TypeError` for kinds, dtypes, libraries and devices.
"""


def arrays_of(sample: Sample, dtype: str) -> list[np.ndarray | None]:
    """The sample's arrays, floating ones in another dtype; classes and indices stay integers."""
    return [
        array.astype(dtype) if array is not None and array.dtype.kind == "f" else array
        for array in sample.arrays()
    ]


def takes(operation: Callable[..., Any], samples: list[Sample], dtype: str) -> bool:
    """Whether one of the sample calls works in a dtype."""
    for sample in samples:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arrays = arrays_of(sample, dtype)
                operation(*sample.positional(arrays), **sample.keywords(arrays))
        except (TypeError, ValueError):
            continue
        return True
    return False


def options(operation: Callable[..., Any]) -> Iterator[str]:
    """The signature without annotations, as a user would write it."""
    for p in inspect.signature(operation).parameters.values():
        star = "*" if p.kind is p.VAR_POSITIONAL else ""
        yield f"{star}{p.name}" + ("" if p.default is p.empty else f"={p.default!r}")


def gradients(operation: Callable[..., Any], samples: list[Sample]) -> str:
    """Names of the arguments whose gradient some sample asks for."""
    names = [
        (p.name, p.kind is p.VAR_POSITIONAL)
        for p in inspect.signature(operation).parameters.values()
        if str(p.annotation).startswith("Array")
    ]
    wanted = {min(place, len(names) - 1) for sample in samples for place in sample.wanted}
    return ", ".join(f"`{'*' * star}{name}`" for i, (name, star) in enumerate(names) if i in wanted)


def row(name: str, samples: list[Sample]) -> str:
    operation = getattr(ops, name)
    summary = (inspect.getdoc(operation) or "").partition("\n")[0].replace("|", "\\|")
    dtypes = ", ".join(
        kind
        for kind, dtypes in KINDS.items()
        if any(takes(operation, samples, dtype) for dtype in dtypes)
    )
    call = f"`{name}({', '.join(options(operation))})`".replace("|", "\\|")
    return f"| {call} | {summary} | {gradients(operation, samples)} | {dtypes} |"


def page() -> str:
    count = len({sample.operation for samples in SUBJECTS.values() for sample in samples})
    lines = [HEAD.format(count=count)]
    for subject, samples in SUBJECTS.items():
        lines += [f"## {subject}\n", "| call | what it does | gradient | dtypes |"]
        lines.append("|---|---|---|---|")
        for name in sorted({sample.operation for sample in samples}):
            lines.append(row(name, [sample for sample in samples if sample.operation == name]))
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
