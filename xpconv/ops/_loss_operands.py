"""What a loss asks of its arrays: dtypes and shapes that fit, values in range."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .._arrays import is_complex, is_floating, namespace, same_dtype
from .._typing import Array, Namespace, Pullback
from ._precision import rule_in_single
from ._registry import Rule

_OPTIONAL = ("weight", "pos_weight")

_CHECKED: ContextVar[bool] = ContextVar("xpconv_labels_checked", default=False)


@contextmanager
def labels_checked() -> Iterator[None]:
    """Promise that labels are in range within a ``with`` block.

    Checking them, or probabilities and variances, means to wait for the device. Who has checked a
    whole data set on the host, as `Trainer` does, need not wait in every step.
    """
    token = _CHECKED.set(True)
    try:
        yield
    finally:
        _CHECKED.reset(token)


def fails(xp: Namespace, wrong: Array) -> bool:
    """Whether any element is wrong; inside `labels_checked` nobody looks."""
    return not _CHECKED.get() and bool(xp.any(wrong))


def loss_rule(rule: Rule) -> Rule:
    """Compute a loss' rule in single precision at least.

    Its pullback gives the gradients of the first arrays of the signature; the others have none.
    """
    parameters = inspect.signature(rule).parameters.values()
    arrays = sum(str(p.annotation).startswith("Array") for p in parameters)
    in_single = rule_in_single(rule)

    @functools.wraps(rule)
    def compute(*args: Any, **kwargs: Any) -> tuple[Array, Pullback]:
        y, pullback = in_single(*args, **kwargs)
        return y, lambda dy: (*pullback(dy), *(None,) * arrays)[:arrays]

    return compute


# --- operands -----------------------------------------------------------------------------------


def operands(
    *,
    integers: str = "beside",
    booleans: bool = False,
    complexes: bool = False,
    **arrays: Array | None,
) -> tuple[Namespace, list[Array]]:
    """Bring the arrays of a loss to one dtype, as far as PyTorch accepts theirs.

    Parameters
    ----------
    integers : {"refused", "beside", "float32", "kept"}
        Whether integer arrays are taken: nowhere, beside a floating one whose dtype they get, or
        alone as well, computed in float32 or as integers.
    booleans : bool
        Whether they may be truth values too.
    complexes : bool
        Whether they may be complex.
    **arrays
        Arrays under the names that the user knows them by; None stays None.
    """
    xp = namespace(tuple(name for name in arrays if name not in _OPTIONAL), **arrays)
    given = {name: array for name, array in arrays.items() if array is not None}
    floating = {name: array for name, array in given.items() if is_floating(array)}
    for name, array in given.items():
        if name in floating:
            taken = complexes or not is_complex(array)
        else:
            taken = integers != "refused" and (booleans or array.dtype != xp.bool)
        if not taken:
            raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")
    if floating:
        dtype = same_dtype(**floating)
    elif integers == "float32":
        dtype = xp.float32
    elif integers == "kept" and all(array.dtype != xp.bool for array in given.values()):
        dtype = xp.result_type(*given.values())
    else:
        name, array = next(iter(given.items()))
        raise TypeError(f"{name} must have a real floating dtype, got {array.dtype}")
    return xp, [
        a if a is None or a.dtype == dtype else xp.astype(a, dtype) for a in arrays.values()
    ]


def same_shape(**arrays: Array | None) -> None:
    """Refuse arrays whose shapes differ from the first one's."""
    given = {name: array for name, array in arrays.items() if array is not None}
    (first, reference), *others = given.items()
    for name, array in others:
        if array.shape != reference.shape:
            raise ValueError(
                f"{first} and {name} must have the same shape, got {tuple(reference.shape)} and "
                f"{tuple(array.shape)}"
            )


def broadcasts_to(reference: str, /, **arrays: Array | None) -> None:
    """Refuse arrays that do not broadcast to the shape of the one named ``reference``."""
    given = {name: array for name, array in arrays.items() if array is not None}
    goal = tuple(given[reference].shape)
    for name, array in given.items():
        shape = tuple(array.shape)
        pairs = zip(reversed(shape), reversed(goal), strict=False)
        if len(shape) > len(goal) or any(a not in (1, b) for a, b in pairs):
            raise ValueError(
                f"{name} of shape {shape} does not broadcast to the {reference}'s {goal}"
            )
