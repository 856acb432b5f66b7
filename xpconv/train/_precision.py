"""Mixed precision: float32 weights, steps computed in half of that or with TF32 products."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from array_api_compat import array_namespace

from .._arrays import is_floating
from .._tf32 import set_tf32, tf32
from .._typing import Array, DType
from ..backend import Backend, BackendError
from ..engines import own_products
from ..nn import Module
from ..nn._way_back import WayBack, Wish, go_back
from ..ops._precision import is_half
from ._losses import Loss
from ._scaler import LossScaler
from ._step import gradients

_LOG = logging.getLogger("xpconv")

HALVES = {"fp16": "float16", "bf16": "bfloat16"}
PRECISIONS = ("fp32", "tf32", *HALVES)
COMPUTE_IN_HALF = ("cupy", "torch")
"""The backends that gain by it, or at least have it: NumPy has no bfloat16 and a slow float16."""


class Precision:
    """What a `Trainer` computes in.

    Parameters
    ----------
    asked : {"fp32", "tf32", "fp16", "bf16"} or None
        As the user has it; None: as the model's parameters are.
    model : Module
        The model, whose parameters must be float32 if anything was asked for.
    backend : Backend
        Where it is trained. One that cannot compute so computes in float32, and says so.

    Attributes
    ----------
    asked : str or None
        As given.
    name : str or None
        What is computed in.
    scaler : LossScaler or None
        The loss scale; float16 alone needs one.

    Raises
    ------
    ValueError
        If there is no such precision, or the parameters are not float32.
    BackendError
        If products are left to CuPy, and it is too late to allow or forbid TF32 in this process.
    """

    def __init__(self, asked: str | None, model: Module, backend: Backend) -> None:
        self.asked = asked
        self.name = self._settle(model, backend)
        self.dtype: DType = None
        if self.name in HALVES:
            self.dtype = backend.asarray(0.0, HALVES[self.name]).dtype
        self.scaler = LossScaler(backend) if self.name == "fp16" else None

    def _settle(self, model: Module, backend: Backend) -> str | None:
        """Return the precision that the backend will compute in."""
        asked = self.asked
        if asked is None:
            return None
        if asked not in PRECISIONS:
            names = ", ".join(map(repr, PRECISIONS))
            raise ValueError(f"unknown precision {asked!r}; there are {names}")
        for key, array in model.parameters().items():
            if not str(array.dtype).endswith("float32") or is_half(array):
                raise ValueError(
                    f"precision={asked!r} keeps float32 parameters, but {key} is {array.dtype}; "
                    "convert the model with model.to(dtype='float32'), or leave precision out"
                )
        if backend.name == "cupy":
            if not own_products("cupy"):
                _settle_tf32(asked)
        elif asked == "tf32" or (asked in HALVES and backend.name not in COMPUTE_IN_HALF):
            where = "the CPU" if backend.name in ("numpy", "torch") else backend
            _LOG.warning(
                "precision %r is for GPUs: %s on %s computes in float32", asked, backend.name, where
            )
            return "fp32"
        return asked

    def products(self) -> AbstractContextManager[None]:
        """Allow TF32 in products within a ``with`` block, or forbid it, as was asked for.

        What was half precision loses nothing in TF32, whose mantissa is as long as float16's.
        """
        return nullcontext() if self.name is None else tf32(self.name != "fp32")

    @contextmanager
    def weights(self, model: Module) -> Iterator[None]:
        """Let a model compute with half-precision copies of its weights within a ``with`` block.

        Normalisations keep theirs in float32, which is what they compute in. Outside of the block
        the model has the float32 weights, which are all that an optimiser or a checkpoint sees.
        """
        if self.dtype is None:
            yield
            return
        weights = model.half_parameters()
        model.update({key: _cast(array, self.dtype) for key, array in weights.items()})
        try:
            yield
        finally:
            model.update(weights)

    def infer(self, model: Module, x: Array) -> Any:
        """Return a model's output for a batch; half precision as float32, within `weights`."""
        return model(x) if self.dtype is None else _single(model(_cast(x, self.dtype)))

    def gradients(
        self, model: Module, loss: Loss, x: Array, y: Array
    ) -> tuple[Array, Any, dict[str, Array], Array | None]:
        """Run a model forward and backward on one batch.

        Returns
        -------
        loss, logits
            As `train.gradients` returns them, float32 where half precision is computed in.
        grads : dict of str to array
            Float32 then, and not scaled.
        found_inf : 0-d bool array or None
            Whether the step must be skipped; None if it is never.
        """
        if self.dtype is None:
            return *gradients(model, loss, x, y), None
        with self.weights(model):
            value, logits, grads = gradients(_InHalf(model, self), loss, x, y)
        if self.scaler is None:
            return value, logits, {key: _single(grad) for key, grad in grads.items()}, None
        unscaled, found_inf = self.scaler.unscale(grads)
        self.scaler.update(found_inf)
        return value, logits, unscaled, found_inf

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        return {"scaler": None if self.scaler is None else self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another's was taken; one that computed in float32 has no scale to give."""
        if self.scaler is not None and state["scaler"] is not None:
            self.scaler.load_state_dict(state["scaler"])


def _settle_tf32(asked: str) -> None:
    """Forbid TF32 in CuPy's own products in fp32, and allow it in all else."""
    try:
        set_tf32(asked != "fp32")
    except BackendError as error:
        if asked not in HALVES:
            raise
        _LOG.warning("precision %r multiplies in float32: %s", asked, error)


class _InHalf:
    """A model whose input, output and cotangent are float32 outside and half precision inside."""

    def __init__(self, model: Module, precision: Precision) -> None:
        self._model, self._precision = model, precision

    def forward(self, x: Array, /, *, training: bool) -> tuple[Any, Callable[[Any], Any]]:
        dtype, scaler = self._precision.dtype, self._precision.scaler
        y, backward = self._model.forward(_cast(x, dtype), training=training)
        dtypes = _map(lambda part: part.dtype, y)

        @WayBack
        def backward_in_half(dy: Any, wish: Wish) -> Any:
            scale = 1.0 if scaler is None else scaler.scale
            dy = _map(lambda dpart, dtype: _cast(dpart * scale, dtype), dy, dtypes)
            return go_back(backward, dy, wish)

        return _single(y), backward_in_half


def _cast(x: Array, dtype: DType) -> Array:
    """Return floating arrays in another dtype, and everything else as it is."""
    xp = array_namespace(x)
    return xp.astype(x, dtype, copy=False) if is_floating(x) else x


def _single(value: Any) -> Any:
    """Return half-precision arrays, in tuples too, as float32."""
    return _map(lambda x: _cast(x, array_namespace(x).float32) if is_half(x) else x, value)


def _map(change: Callable[..., Any], first: Any, *rest: Any) -> Any:
    """Change an array, or those of a tuple, each together with its like in the others."""
    if isinstance(first, tuple | list):
        return tuple(_map(change, *parts) for parts in zip(first, *rest, strict=True))
    return None if first is None else change(first, *rest)
