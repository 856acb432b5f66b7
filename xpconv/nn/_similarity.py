"""Layers that compare two inputs."""

from __future__ import annotations

from .. import ops
from .._typing import Array
from ._module import Backward
from ._stateless import Stateless


class _Comparison(Stateless):
    """A stateless layer of two inputs."""

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(type(self)._op, *inputs, **self._options)
        return y, lambda dy: (pullback(dy), {})

    def infer(self, *inputs: Array) -> Array:
        return type(self)._op(*inputs, **self._options)


class CosineSimilarity(_Comparison):
    """Cosine of the angle between vectors; see `xpconv.ops.cosine_similarity`.

    Parameters
    ----------
    dim : int, default 1
        The axis along which vectors lie.
    eps : float, default 1e-8
        Least length of a vector to divide by.
    """

    _op = staticmethod(ops.cosine_similarity)


class PairwiseDistance(_Comparison):
    """Distance between vectors along the last axis; see `xpconv.ops.pairwise_distance`.

    Parameters
    ----------
    p : float, default 2.0
        Order of the norm.
    eps : float, default 1e-6
        Added to every difference.
    keepdim : bool, default False
        Whether the last axis stays, with size 1.
    """

    _op = staticmethod(ops.pairwise_distance)
