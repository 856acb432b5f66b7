"""Weight normalisation: directions and lengths of a layer's weight, each trained."""

from __future__ import annotations

from typing import ClassVar

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array
from ..backend import backend_of, to_numpy
from ..ops._precision import widened
from ..ops._weight_norm import norm_except
from ._module import Grads, Module
from ._parametrised import Parametrised, WeightBackward, weight_of


class WeightNorm(Parametrised):
    """A layer whose weight is a direction times a length, each trained; see `weight_norm`.

    Parameters
    ----------
    layer, name, dim
        As in `weight_norm`.
    """

    sources: ClassVar[dict[str, str]] = {"original0": "{}_g", "original1": "{}_v"}

    def __init__(self, layer: Module, name: str = "weight", dim: int | None = 0) -> None:
        weight = weight_of(layer, name)
        host = widened(to_numpy(weight))  # so that every backend starts from the same numbers
        lengths = norm_except(array_namespace(host), host, dim)
        super().__init__(layer, name, f"dim={dim}")
        self._dim = dim
        lengths = backend_of(weight).asarray(lengths, dtype=weight.dtype)
        self._keep({"original0": lengths, "original1": weight})

    def _weight(self, training: bool) -> tuple[Array, WeightBackward]:
        g, v = self._source("original0"), self._source("original1")
        weight, pullback = ops.vjp(ops.weight_norm, v, g, self._dim)

        def backward(dweight: Array) -> Grads:
            dv, dg = pullback(dweight)
            return {"original0": dg, "original1": dv}

        return weight, backward


def weight_norm(layer: Module, name: str = "weight", dim: int | None = 0) -> WeightNorm:
    """Train a layer's weight as directions and lengths.

    Parameters
    ----------
    layer : Module
        A layer with a weight of its own, as `Linear`, `Conv2d` or `ConvTranspose2d`. It stays as it
        is; its other arrays are shared.
    name : str, default "weight"
        Which of its parameters.
    dim : int or None, default 0
        The axis whose slices have lengths of their own; None, or -1 as in PyTorch, for one length.

    Returns
    -------
    WeightNorm
        Computes what the layer computes, from ``parametrizations.weight.original0`` (lengths) and
        ``parametrizations.weight.original1`` (directions). Its attribute ``weight`` is the product.

    Notes
    -----
    Counterpart of ``torch.nn.utils.parametrizations.weight_norm``. ``load_state_dict`` also takes
    the keys ``weight_g`` and ``weight_v`` of the older ``torch.nn.utils.weight_norm``. For the way
    back to a plain layer see `remove_parametrizations`.

    Examples
    --------
    >>> from xpconv import nn
    >>> list(nn.weight_norm(nn.Linear(3, 2)).state_dict())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return WeightNorm(layer, name, dim)
