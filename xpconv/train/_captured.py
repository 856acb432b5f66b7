"""Training steps that are recorded once and repeated by one launch: CUDA graphs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from array_api_compat import array_namespace

from .._arrays import dtype_name, put
from .._graphs import recorder
from .._late import Late, Table, Unrepeatable
from .._tf32 import tf32_allowed
from .._typing import Array
from .._workspace import workspace_budget
from ..backend import backend_of
from ..engines import allowed, body
from ..nn._observe import observing
from ..optim._optimizer import at_least_zero
from ..random import use_stream
from ._cells import same, settings, snapshot
from ._closed import ClosedState
from ._late_stream import LateStream

if TYPE_CHECKING:
    from ..backend import Backend
    from ._trainer import Trainer

_LOG = logging.getLogger("xpconv")

Plainly = Callable[..., Any]
"""Takes a step: ``plainly(x, y)``, or, with a learning rate that is late, ``plainly(x, y, lr=lr)``.
"""


class CapturedSteps:
    """How a `Trainer` takes its steps: one by one, or as CUDA graphs.

    Parameters
    ----------
    asked : bool
        Whether graphs were asked for.
    backend : Backend
        Where the trainer computes.

    Attributes
    ----------
    asked : bool
        As given.
    refusal : str or None
        Why steps are not captured; None where they are.
    """

    def __init__(self, asked: bool, backend: Backend) -> None:
        self.asked = asked
        self.refusal: str | None = None if asked else "cuda_graphs=True was not given"
        self._recorder: Any = recorder(backend) if asked else None
        self._state = ClosedState()
        self._rate = _Rate()
        self._settings: list[Any] = []
        self._graphs: dict[Any, _Graph] = {}
        self._last: _Graph | None = None
        if asked and self._recorder is None:
            where = "the CPU" if backend.name in ("numpy", "torch") else str(backend)
            self._refuse(f"{backend.name} on {where} has no CUDA graphs")

    def __repr__(self) -> str:
        return f"CapturedSteps(asked={self.asked}, refusal={self.refusal!r})"

    def take(self, trainer: Trainer, x: Array, y: Array, plainly: Plainly) -> Any:
        """Take a step, and return what ``plainly(x, y)`` does.

        Where the step is captured, what is returned is valid until the next step. The first step is
        taken plainly, since it makes the optimiser's state, and so is the first with a batch of a
        new shape, which prepares its capture.
        """
        if self.refusal is not None:
            return plainly(x, y)
        if observing() or not self._ready(trainer):
            self.open(trainer)
            result = plainly(x, y)
            self._state.settle(trainer)
            return result
        self._rate.now = at_least_zero("learning rate", trainer.lr)
        # Whatever else is said for a block decides what is recorded in it.
        said = allowed(), workspace_budget(0), tf32_allowed()
        key = (plainly.__name__, *_form(x), *_form(y), *said)
        graph = self._graphs.get(key)
        if graph is not None and graph.recording is not None:
            return self._repeat(trainer, graph, x, y)
        undo = snapshot(trainer)
        try:
            return self._prepare(trainer, key, x, y, plainly)
        except BaseException as error:
            undo()
            self._state.restore(trainer)
            if not isinstance(error, Exception):
                raise
            reason = f"{type(error).__name__}: {error}"
        self.open(trainer)
        result = plainly(x, y)  # what has nothing to do with graphs fails again
        self._drop()
        self._refuse(reason)
        return result

    def open(self, trainer: Trainer) -> None:
        """Let everybody look at the state: what they see stays as it is."""
        if self._state.closed:
            self._state.open(trainer)
            if self._last is not None and trainer.last_loss is self._last.result:
                trainer.last_loss = _copy(trainer.last_loss)

    def _ready(self, trainer: Trainer) -> bool:
        """Close the state, if it can be; drop the graphs of other settings than those of now."""
        if self._state.closed:
            return True
        if not self._state.close(trainer):
            self._drop()
            return False
        present = settings(trainer)
        if not same(present, self._settings):
            self._drop()
            self._settings = present
        return True

    def _prepare(self, trainer: Trainer, key: Any, x: Array, y: Array, plainly: Plainly) -> Any:
        """Take the first step with a batch of some shape, or record the second and launch it."""
        graph = self._graphs.get(key)
        if graph is None:
            graph = _Graph(trainer, x, y)
            with graph.table.in_force(recording=False):
                self._run(trainer, graph, plainly, x, y)
            self._graphs[key] = graph
            return self._done(graph)
        graph.fill(x, y)
        with self._recorder.record() as recording, graph.table.in_force(recording=True):
            self._run(trainer, graph, plainly, graph.x, graph.y)
        graph.table.write()
        recording.replay()
        graph.recording = recording
        return self._done(graph)

    def _repeat(self, trainer: Trainer, graph: _Graph, x: Array, y: Array) -> Any:
        graph.fill(x, y)
        graph.stream.draw()
        graph.table.write()
        graph.recording.replay()
        trainer.means.count += graph.counted
        return self._done(graph)

    def _done(self, graph: _Graph) -> Any:
        self._state.counts.advance(graph.moved)
        self._last = graph
        return graph.result

    def _run(self, trainer: Trainer, graph: _Graph, plainly: Plainly, x: Array, y: Array) -> None:
        """Take a step from our arrays to our arrays, with numbers that are late."""
        count = trainer.means.count
        self._state.counts.begin()
        graph.stream.restart()
        with use_stream(graph.stream):
            graph.result = plainly(x, y, lr=Late(self._rate.read))
        if not same(settings(trainer), self._settings):
            raise Unrepeatable("a layer keeps something of a step that is not its state")
        self._state.commit(trainer)
        graph.moved, graph.counted = self._state.counts.moved, trainer.means.count - count

    def _drop(self) -> None:
        """Drop all graphs, and the memory that they hold."""
        self._graphs, self._last, self._settings = {}, None, []

    def _refuse(self, reason: str) -> None:
        self.refusal = reason
        _LOG.warning("cuda_graphs: steps are taken one by one, because %s", reason)


class _Rate:
    """The learning rate of the step at hand."""

    now = 0.0

    def read(self) -> float:
        """Return it."""
        return self.now


class _Graph:
    """What belongs to one capture: its batch, what it asks the host for, and what it returns."""

    def __init__(self, trainer: Trainer, x: Array, y: Array) -> None:
        self.x, self.y = _copy(x), _copy(y)
        self.table = Table(trainer.backend, _write)
        self.stream = LateStream(trainer.stream)
        self.moved: list[str] = []
        self.counted = 0
        self.result: Any = None
        self.recording: Any = None  # a `Recording`, once there is one

    def fill(self, x: Array, y: Array) -> None:
        """Let the capture have another batch."""
        put(self.x, (...,), x)
        put(self.y, (...,), y)


def _write(target: Array, values: Any) -> None:
    store = body("store", target)
    if store is not None:
        store(target, values)
    else:
        put(target, (...,), backend_of(target).asarray(values))


def _copy(array: Array) -> Array:
    return array_namespace(array).asarray(array, copy=True)


def _form(array: Array) -> tuple[Any, ...]:
    return tuple(array.shape), dtype_name(array.dtype)
