"""A model's inference recorded once and repeated by one launch: a CUDA graph."""

from __future__ import annotations

import copy
import logging
from typing import Any

from array_api_compat import array_namespace

from .._arrays import dtype_name, is_array, namespace, put
from .._graphs import Recording, recorder
from .._late import Table
from .._typing import Array
from ..backend import backend_of
from ._module import Module

_LOG = logging.getLogger("xpconv")


class CapturedModel:
    """Computes what a model computed when it was captured; made by `capture`.

    Attributes
    ----------
    captured : bool
        Whether a call is one launch.
    """

    def __init__(self, model: Module, examples: tuple[Array, ...]) -> None:
        self._model = copy.deepcopy(model)  # weights of our own, which stay where they are
        self._inputs = [_copy(x) for x in examples]
        self._outputs: Any = None
        self._table = Table(backend_of(examples[0]))  # the constants that the recording reads
        self._recording = self._recorded()

    @property
    def captured(self) -> bool:
        return self._recording is not None

    def _recorded(self) -> Recording | None:
        backend = backend_of(self._inputs[0])
        found = recorder(backend)
        if found is None:
            _LOG.warning("capture: %s has no CUDA graphs, layers are computed one by one", backend)
            return None
        try:
            with backend.context():
                with self._table.in_force(recording=False):  # kernels are compiled, plans are made
                    self._model(*self._inputs)
                with found.record() as recording, self._table.in_force(recording=True):
                    self._outputs = self._model(*self._inputs)
        except Exception as error:
            raise RuntimeError(
                f"{type(self._model).__name__} cannot be captured: {error}"
            ) from error
        return recording

    def __call__(self, *inputs: Array) -> Any:
        """Return the model's output.

        Raises
        ------
        TypeError, ValueError
            If the inputs are not of the library, device, dtypes and shapes of the examples.
        """
        if len(inputs) != len(self._inputs):
            raise TypeError(
                f"the model was captured with {len(self._inputs)} input(s), got {len(inputs)}"
            )
        for x, ours in zip(inputs, self._inputs, strict=True):
            namespace(x=x, example=ours)
            if (tuple(x.shape), x.dtype) != (tuple(ours.shape), ours.dtype):
                raise ValueError(
                    f"the model was captured for {_words(ours)}, got {_words(x)}; capture it for "
                    "that, too, or call the model itself"
                )
        if self._recording is None:
            return self._model(*inputs)
        for x, ours in zip(inputs, self._inputs, strict=True):
            put(ours, (...,), x)
        self._recording.replay()
        return _copies(self._outputs)

    def __repr__(self) -> str:
        return (
            f"CapturedModel({type(self._model).__name__}, {', '.join(map(_words, self._inputs))})"
        )


def capture(model: Module, *examples: Array) -> CapturedModel:
    """Record a model's inference for inputs of one shape, to repeat it with one launch.

    A small network is computed faster than a CPU can launch its layers one by one. A CUDA graph
    launches all of them at once.

    Parameters
    ----------
    model : Module
        The model, on its device. It is copied: later changes of its weights are not seen.
    *examples : array
        One for each input, of the shape and dtype that are to be computed; their values do not
        matter.

    Returns
    -------
    callable
        Takes inputs like the examples, and returns what the model does: the same bits, in new
        arrays. It holds the memory of one inference. Where there are no CUDA graphs, as on a CPU,
        it calls the copied model, which is said once through the ``xpconv`` logger.

    Raises
    ------
    RuntimeError
        If the model cannot be recorded, because it asks the device for a value or copies from the
        host.

    Notes
    -----
    One call at a time, on one stream. Counterpart of ``torch.cuda.make_graphed_callables`` for
    inference; for training there is ``Trainer(cuda_graphs=True)``.

    Examples
    --------
    >>> import xpconv
    >>> model = xpconv.models.get_model("lenet5")
    >>> x = xpconv.get_backend().asarray([[[[0.0] * 28] * 28]], dtype="float32")
    >>> xpconv.capture(model, x)(x).shape
    (1, 10)
    """
    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    if not examples or not all(map(is_array, examples)):
        raise TypeError("capture needs an array for each input of the model")
    return CapturedModel(model, examples)


def _copy(array: Array) -> Array:
    return array_namespace(array).asarray(array, copy=True)


def _copies(value: Any) -> Any:
    return tuple(map(_copies, value)) if isinstance(value, tuple | list) else _copy(value)


def _words(array: Array) -> str:
    return f"{dtype_name(array.dtype)}{list(array.shape)}"
