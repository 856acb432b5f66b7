"""Matrix products, by whatever a library does best."""

from __future__ import annotations

from array_api_compat import array_namespace

from .._typing import Array
from ._bias import with_bias
from ._bodies import body, of_library


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return ``a @ b`` plus one number per column, as a new array.

    Parameters
    ----------
    a : array, shape (M, K) or (G, M, K)
        Any order of memory does.
    b : array, shape (K, N), (K,) or (G, K, N)
        Of the same dtype.
    bias : array, shape (N,), optional
        Added on the way where that is possible.
    """
    fused = body("matmul", a)
    if fused is None:
        return with_bias(array_namespace(a).matmul(a, b), bias)
    return fused(a, b[:, None])[:, 0] if b.ndim == 1 else fused(a, b, bias)


def product(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return the same for two matrices of a layer, which are small more often than not."""
    fused = body("product", a)
    return matmul(a, b, bias) if fused is None else with_bias(fused(a, b), bias)


def own_products(library: str) -> bool:
    """Whether products of a library's arrays keep to what `xpconv.tf32` says, call by call."""
    return of_library("matmul", library, "float32") is not None
