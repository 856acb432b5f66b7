"""Spectral normalisation: a layer's weight divided by its largest singular value."""

from __future__ import annotations

from typing import ClassVar

from array_api_compat import array_namespace

from .. import ops
from .._shapes import ntuple
from .._typing import Array
from ..backend import backend_of, to_numpy
from ..ops._precision import narrowed, widened
from ..ops._weight_norm import as_matrix, power_iteration
from ..random import Stream
from ._conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ._module import Module
from ._parametrised import Parametrised, WeightBackward, weight_of
from .init import normal


class SpectralNorm(Parametrised):
    """A layer whose weight is divided by its largest singular value; see `spectral_norm`.

    Parameters
    ----------
    layer, name, n_power_iterations, eps, dim, rng
        As in `spectral_norm`.
    """

    sources: ClassVar[dict[str, str]] = {"original": "{}_orig", "0._u": "{}_u", "0._v": "{}_v"}
    constants = ("0._u", "0._v")

    def __init__(
        self,
        layer: Module,
        name: str = "weight",
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        dim: int | None = None,
        *,
        rng: Stream | None = None,
    ) -> None:
        weight = weight_of(layer, name)
        if dim is None:
            transposed = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
            dim = 1 if isinstance(layer, transposed) else 0
        if not -weight.ndim <= dim < weight.ndim:
            raise ValueError(f"dim {dim} is out of range for a weight {tuple(weight.shape)}")
        (self._count,) = ntuple(n_power_iterations, 1, "n_power_iterations", minimum=1)
        self._eps, self._dim = eps, dim % weight.ndim
        description = f"n_power_iterations={n_power_iterations}, eps={eps}, dim={dim}"
        super().__init__(layer, name, description)
        self._keep({"original": weight})
        if weight.ndim > 1:  # the spectral norm of a vector is its length
            host = widened(to_numpy(weight))  # so that every backend starts from the same numbers
            xp = array_namespace(host)
            matrix = as_matrix(xp, host, self._dim)
            u, v = (xp.astype(normal((n,), rng=rng), matrix.dtype) for n in matrix.shape)
            u, v = power_iteration(xp, matrix, u, v, 15, eps)
            born = backend_of(weight).asarray
            self._keep({"0._u": born(u, dtype=weight.dtype), "0._v": born(v, dtype=weight.dtype)})

    def _weight(self, training: bool) -> tuple[Array, WeightBackward]:
        weight = self._source("original")
        if weight.ndim == 1:
            y, pullback = ops.vjp(ops.normalize, weight, dim=0, eps=self._eps)
        else:
            if training:
                self._turn(weight)
            u, v = map(self._source, self.constants)
            y, pullback = ops.vjp(ops.spectral_norm, weight, u, v, self._dim)
        return y, lambda dweight: {"original": pullback(dweight)[0]}

    def _turn(self, weight: Array) -> None:
        """Turn the vectors towards the weight's singular vectors: others, not the same changed."""
        xp = array_namespace(weight)
        matrix = as_matrix(xp, widened(weight), self._dim)
        u, v = (widened(self._source(short)) for short in self.constants)
        after = power_iteration(xp, matrix, u, v, self._count, self._eps)
        self._keep(
            {s: narrowed(x, weight.dtype) for s, x in zip(self.constants, after, strict=True)}
        )


def spectral_norm(
    layer: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    rng: Stream | None = None,
) -> SpectralNorm:
    """Divide a layer's weight by its largest singular value, estimated while training.

    Parameters
    ----------
    layer : Module
        A layer with a weight of its own, as `Linear`, `Conv2d` or `ConvTranspose2d`. It stays as it
        is; its other arrays are shared.
    name : str, default "weight"
        Which of its parameters.
    n_power_iterations : int, default 1
        Steps of power iteration in each training pass.
    eps : float, default 1e-12
        Least length to divide by when vectors are brought to length 1.
    dim : int, optional
        The axis that counts outputs; by default 0, and 1 for transposed convolutions.
    rng : Stream, optional
        Source of the first singular vectors; by default the current stream.

    Returns
    -------
    SpectralNorm
        Computes what the layer computes, from ``parametrizations.weight.original`` and the buffers
        ``parametrizations.weight.0._u`` and ``parametrizations.weight.0._v``, which a training
        pass replaces. Its attribute ``weight`` is the quotient.

    Notes
    -----
    Counterpart of ``torch.nn.utils.parametrizations.spectral_norm``; as there, the vectors are
    constants to the gradient. ``load_state_dict`` also takes the keys ``weight_orig``,
    ``weight_u`` and ``weight_v`` of the older ``torch.nn.utils.spectral_norm``.
    """
    return SpectralNorm(layer, name, n_power_iterations, eps, dim, rng=rng)
