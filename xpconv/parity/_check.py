"""The parity check."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from .._typing import Array
from ..backend import Backend, get_backend
from ..engines import allowed, engine
from ..nn import Module
from ..train._losses import Loss, as_loss
from ._cause import likely_cause
from ._compare import distance, kinks, rounding
from ._record import LOSS, Record, Recorder, Step, run
from ._report import ParityReport, ParityRow

END = "end to end"


def parity_check(
    model: Module,
    x: Array,
    y: Array,
    backends: Sequence[str | Backend] = ("numpy", "cupy"),
    *,
    loss: str | Callable[..., Array] | Loss = "cross_entropy",
    rtol: float | None = None,
    atol: float | None = None,
    seed: int = 0,
) -> ParityReport:
    r"""Run a training step of a model on two or more backends and compare everything.

    Parameters
    ----------
    model : Module
        The model. It is copied; it stays where it is and as it is, running statistics included.
    x : array, shape (N, ...)
        A batch of inputs, of any library, in the dtype of the model.
    y : array
        The targets.
    backends : sequence of str or Backend, default ("numpy", "cupy")
        At least two; the first is the reference.
    loss : str, operation or loss layer, default "cross_entropy"
        As for `xpconv.Trainer`.
    rtol : float, optional
        The difference that is allowed, relative to the largest magnitude of the reference. By
        default it follows from the dtype and the number of terms, see Notes.
    atol : float, optional
        The absolute difference that is allowed on top; 0 by default.
    seed : int, default 0
        Decides the dropout masks, on every backend the same.

    Returns
    -------
    ParityReport
        A row for each layer's output, each gradient and each buffer; ``ok``, ``first_bad``,
        ``cause``; as text a table.

    Raises
    ------
    ValueError
        When fewer than two backends are given, the batch is empty or does not fit the model, or a
        tolerance is below 0.
    TypeError
        When the model is no `Module`.
    BackendError
        When a backend cannot work here.

    Notes
    -----
    Each layer is given what the reference's layer was given, its inputs and the gradient that
    comes back to it: so a layer that differs does not make the next ones differ, and a ReLU at zero
    or a tie in max-pooling, which rounding would decide differently, is decided the same. Then a
    number summed of :math:`n` terms may differ by

    .. math:: 8\,u\,(1 + \sqrt{n})

    relative to the largest magnitude in its tensor, with :math:`u` the unit roundoff of its dtype
    (6e-8 for float32, 1.1e-16 for float64): sums taken in another order differ by about
    :math:`\sqrt{n}\,u` (Higham and Mary, 2019), and 8 allows for cancellation. TF32 does not pass.
    Convolutions are computed by engines that form the sums of the definition, unless
    `xpconv.engine` or ``XPCONV_ENGINE`` names others, as Winograd's rounding is not a backend's.
    A gradient is measured against the largest gradient of its layer, since the gradient of a bias
    in front of a batch normalisation is nothing but rounding.

    Three rows more compare the step as a whole, where differences add up: the output and the loss
    with the sum of all layers' tolerances, the gradients with :math:`400\sqrt{u}` (0.1 for
    float32, 4e-6 for float64), since there rounding does decide at kinks and ties.

    Examples
    --------
    >>> import numpy as np
    >>> from xpconv import nn, parity_check
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5, 1, 4, 4)).astype("float32")
    >>> report = parity_check(model, x, rng.integers(3, size=5), ("numpy", "numpy"))
    >>> report.ok, report.first_bad
    (True, None)
    """
    if len(backends) < 2 or isinstance(backends, str):
        raise ValueError(f"parity needs at least two backends, got {backends!r}")
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    if 0 in np.shape(x):
        raise ValueError(f"x holds no numbers to compare: its shape is {tuple(np.shape(x))}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    places = [get_backend(spec) for spec in backends]
    with engine(*("exact" if name == "auto" else name for name in allowed())):
        return _compared(model, x, y, places, as_loss(loss), rtol, atol, seed)


def _compared(
    model: Module,
    x: Array,
    y: Array,
    places: list[Backend],
    loss: Loss,
    rtol: float | None,
    atol: float | None,
    seed: int,
) -> ParityReport:
    step = functools.partial(run, model, x, y, loss=loss, seed=seed)
    leader = Recorder(places[0])
    reference = step(places[0], recorder=leader)
    rows: list[ParityRow] = []
    first: tuple[str, str] | None = None
    for place in places[1:]:
        follower = Recorder(place, leader)
        step(place, recorder=follower)
        judge = _Judge((str(places[0]), str(place)), rtol, atol)
        rows += judge.layers(leader.records, follower.records)
        rows += judge.whole(reference, step(place), leader.records)
        first = first or judge.first
    return ParityReport(tuple(map(str, places)), tuple(rows), *(first or (None, None)))


class _Judge:
    """Compares what two backends gave, and remembers the first difference that is too large."""

    def __init__(self, names: tuple[str, str], rtol: float | None, atol: float | None) -> None:
        self.names, self.rtol, self.atol = names, rtol, atol or 0.0
        self.first: tuple[str, str] | None = None

    def layers(self, ours: list[Record], theirs: list[Record]) -> list[ParityRow]:
        """Compare the values of all layers, each computed from the reference's inputs."""
        if [(a.name, a.kind) for a in ours] != [(b.name, b.kind) for b in theirs]:
            raise ValueError(f"the model takes another path on {self.names[1]}")
        largest: dict[tuple[str, str], float] = {}
        for record in ours:
            group = (record.layer, record.kind)
            largest[group] = max(largest.get(group, 0.0), _magnitude(record.value))
        return [
            self._row(
                a.name,
                a.kind,
                a.layer,
                (a.value, b.value),
                rounding(a.value.dtype, math.sqrt(a.terms)),
                _scale(a, largest[a.layer, a.kind]),
            )
            for a, b in zip(ours, theirs, strict=True)
        ]

    def whole(self, ours: Step, theirs: Step, records: list[Record]) -> list[ParityRow]:
        """Compare what the whole step gave, where differences add up."""
        steps = sum(math.sqrt(record.terms) for record in records if record.kind == "output")
        outputs = max(map(_magnitude, ours.outputs))
        rows = [
            self._row(END, "output", END, pair, rounding(pair[0].dtype, steps), outputs)
            for pair in zip(ours.outputs, theirs.outputs, strict=True)
        ]
        pair = (ours.loss, theirs.loss)
        scale = max(_magnitude(ours.loss), outputs)
        rows.append(self._row(END, "loss", END, pair, rounding(pair[0].dtype, steps), scale))
        if set(ours.grads) != set(theirs.grads):
            raise ValueError(f"the model has other gradients on {self.names[1]}")
        if ours.grads:
            pairs = [(grad, theirs.grads[key]) for key, grad in ours.grads.items()]
            worst = max(pairs, key=lambda pair: distance(*pair).max_abs)
            scale = max(_magnitude(grad) for grad in ours.grads.values())
            rows.append(self._row(END, "gradient", END, worst, kinks(worst[0].dtype), scale))
        return rows

    def _row(
        self,
        name: str,
        kind: str,
        layer: str,
        pair: tuple[np.ndarray, np.ndarray],
        rounded: float,
        scale: float,
    ) -> ParityRow:
        relative = rounded if self.rtol is None else self.rtol
        found = distance(*pair)
        allowed = relative * scale + self.atol
        unknown = bool(np.isnan(pair[0]).any())  # nothing agrees with NaN, not even NaN
        ok = pair[0].dtype == pair[1].dtype and found.max_abs <= allowed and not unknown
        if not ok and self.first is None:
            cause = likely_cause(*pair, self.names, relative)
            if unknown:
                cause = f"the reference itself holds NaN: {cause}"
            elif layer == END:
                cause = f"the layers agree one by one, so small differences add up: {cause}"
            elif "gradient" in kind:
                cause = f"only the gradient differs: {cause}"
            self.first = layer, cause
        return ParityRow(
            name=name,
            kind=kind,
            layer=layer,
            backend=self.names[1],
            shape=pair[0].shape,
            dtype=str(pair[0].dtype),
            max_abs=found.max_abs,
            max_rel=found.max_rel,
            tolerance=allowed,
            ok=ok,
        )


def _magnitude(value: np.ndarray) -> float:
    finite = np.abs(value[np.isfinite(value)].astype(np.float64))
    return float(np.max(finite, initial=0.0))


def _scale(record: Record, largest: float) -> float:
    """Return the magnitude that a difference is measured against.

    A parameter's gradient is measured against the largest of its layer, and the loss and its
    gradient against one sample's share, since both vanish where a model is certain.
    """
    if record.layer == LOSS:
        return max(largest, 1.0 if record.kind == "loss" else 1.0 / len(record.value))
    return largest
