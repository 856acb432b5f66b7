"""Which engine computes a convolution: chosen, forced by the user, and explained."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from .._tf32 import tf32_allowed
from . import cudnn, depthwise, direct, im2col, pointwise, winograd
from ._engine import TASKS, Engine
from ._problem import Problem

_VARIABLE = "XPCONV_ENGINE"
_BY_PREFERENCE: tuple[Engine, ...] = (
    winograd,
    direct,
    cudnn,
    pointwise,
    depthwise,
    im2col,
)
_GROUPS = ("auto", "exact")
_NAMES: ContextVar[tuple[str, ...]] = ContextVar("xpconv_engine", default=())
_SEEN: ContextVar[dict[Problem, None] | None] = ContextVar("xpconv_problems", default=None)
_LOG = logging.getLogger("xpconv.engines")


@contextmanager
def engine(*names: str) -> Iterator[None]:
    """Say which engines may compute convolutions within a ``with`` block.

    Parameters
    ----------
    *names : str
        Names of engines, the first that can solve a problem computes it: ``"im2col"`` (the
        reference, for everything), ``"direct"`` (compiled, needs the extra ``fast``), ``"cudnn"``
        (CuPy arrays, needs the extra ``cudnn``), ``"pointwise"``, ``"depthwise"``, ``"winograd"``
        (fewer multiplications, larger rounding).
        ``"auto"`` stands for the choice that is made without this block, ``"exact"`` for the same
        among the engines that form the sums of the definition.

    Raises
    ------
    ValueError
        If there is no engine of that name; from a convolution, if none of the named engines can
        solve its problem, with each one's reason.

    Notes
    -----
    The environment variable ``XPCONV_ENGINE`` does the same for a whole process
    (``XPCONV_ENGINE=pointwise,im2col``). A block wins over it. Gradients are computed by the
    engines allowed where the way back is called. `xpconv.engines.explain` tells what was chosen,
    and so does the logger ``xpconv.engines`` at level ``DEBUG``, once for each problem.

    Examples
    --------
    >>> import xpconv
    >>> x, weight = (xpconv.get_backend("numpy").xp.ones((1, 2, 3, 3)) for _ in range(2))
    >>> with xpconv.engine("im2col"):
    ...     y = xpconv.ops.conv2d(x, weight)
    >>> with xpconv.engine("pointwise"):
    ...     y = xpconv.ops.conv2d(x, weight)
    Traceback (most recent call last):
    ...
    ValueError: engine 'pointwise' cannot solve 3x3 2>1, 3x3, batch 1, float64, numpy: the ...
    """
    token = _NAMES.set(_checked(names))
    try:
        yield
    finally:
        _NAMES.reset(token)


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    known = [*_GROUPS, *(e.name for e in _BY_PREFERENCE)]
    for name in names or ("",):
        if name not in known:
            raise ValueError(f"there is no engine {name!r}; known: {', '.join(known)}")
    return names


def allowed() -> tuple[str, ...]:
    """Return the names in force: the innermost `engine` block's, the environment's, or ``auto``."""
    names = _NAMES.get()
    if names:
        return names
    text = os.environ.get(_VARIABLE)
    if not text:
        return ("auto",)
    try:
        return _checked(tuple(name.strip() for name in text.split(",")))
    except ValueError as error:
        raise ValueError(f"the environment variable {_VARIABLE}: {error}") from None


def select(
    problem: Problem, task: str = "forward", declined: tuple[tuple[str, str], ...] = ()
) -> Engine:
    """Return the engine for one of the three tasks of a convolution.

    Parameters
    ----------
    problem : Problem
        The convolution.
    task : str, default "forward"
        One of the `TASKS`.
    declined : tuple of (str, str), default ()
        Engines that have found that they cannot solve it, and why.

    Raises
    ------
    ValueError
        If the user allows only engines that cannot solve the problem; the message says why.
    """
    seen = _SEEN.get()
    if seen is not None:
        seen.setdefault(problem)
    match problem:  # on CuPy the choice depends on what products are made in
        case Problem(library="cupy"):
            return _select(problem, task, allowed(), declined, tf32_allowed())
    return _select(problem, task, allowed(), declined)


@contextmanager
def chosen() -> Iterator[dict[Problem, None]]:
    """Collect the problems that engines are chosen for within a ``with`` block, each once.

    Yields
    ------
    dict
        Its keys are the problems, in the order of their first appearance.
    """
    problems: dict[Problem, None] = {}
    token = _SEEN.set(problems)
    try:
        yield problems
    finally:
        _SEEN.reset(token)


@lru_cache(maxsize=4096)
def _select(
    problem: Problem,
    task: str,
    names: tuple[str, ...],
    declined: tuple[tuple[str, str], ...],
    tf32: bool = False,
) -> Engine:
    """Choose once for each problem; engines ask for ``tf32`` themselves."""
    verdicts = list(_verdicts(problem, task, names, dict(declined)))
    for verdict in verdicts:
        if verdict.reason is None:
            _LOG.debug("%s: %s by %s", problem, task, verdict.engine.name)
            return verdict.engine
    raise ValueError(
        "; ".join(f"engine {v.engine.name!r} cannot solve {problem}: {v.reason}" for v in verdicts)
    )


@dataclass(frozen=True)
class _Verdict:
    engine: Engine
    reason: str | None


def _verdicts(
    problem: Problem, task: str, names: tuple[str, ...], declined: Mapping[str, str]
) -> Iterator[_Verdict]:
    """Judge the allowed engines in order; one that is asked for by name need not be the best."""
    for name in names:
        for candidate in _BY_PREFERENCE:
            if name not in (*_GROUPS, candidate.name) or (name == "exact" and not candidate.exact):
                continue
            reason = declined.get(candidate.name) or candidate.refusal(problem)
            if reason is None and name in _GROUPS:
                reason = candidate.drawback(problem, task)
            yield _Verdict(candidate, reason)


def explain(problem: Problem) -> str:
    """Say which engine is chosen for each task of a convolution, and why not the others.

    Parameters
    ----------
    problem : Problem
        The convolution, with its dtype and library.

    Examples
    --------
    >>> one = ((0, 0), (0, 0))
    >>> problem = Problem(1, 64, 256, (56, 56), (1, 1), (1, 1), one, (1, 1), 1, "int64", "numpy")
    >>> print(explain(problem))
    1x1 64>256, 56x56, batch 1, int64, numpy
      forward: pointwise
        not winograd: the kernel is not 3x3
        not direct: it is compiled for float32 and float64, not for int64
        not cudnn: the arrays are not CuPy's
      input_grad: pointwise
        not winograd: the kernel is not 3x3
        not direct: it is compiled for float32 and float64, not for int64
        not cudnn: the arrays are not CuPy's
      weight_grad: pointwise
        not winograd: the kernel is not 3x3
        not direct: it is compiled for float32 and float64, not for int64
        not cudnn: the arrays are not CuPy's
    """
    lines = [str(problem)]
    for task in TASKS:
        passed = []
        for verdict in _verdicts(problem, task, allowed(), {}):
            if verdict.reason is None:
                lines.append(f"  {task}: {verdict.engine.name}")
                break
            passed.append(f"    not {verdict.engine.name}: {verdict.reason}")
        else:
            lines.append(f"  {task}: none of the allowed engines")
        lines += passed
    return "\n".join(lines)
