"""Gradient clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._arrays import itemsize, namespace
from .._typing import Array


def clip_grad_norm(
    grads: Mapping[str, Array | None], max_norm: float
) -> tuple[dict[str, Array | None], Array]:
    r"""Scale all gradients by one number, so that their common Euclidean norm is at most a limit.

    Parameters
    ----------
    grads : mapping of str to array
        Gradients by parameter name, all in one library and on one device; ``None`` is passed
        through.
    max_norm : float
        The largest norm allowed.

    Returns
    -------
    clipped : dict of str to array
        New arrays of the same dtypes.
    norm : 0-d array
        The norm before clipping, on the device; the Python number 0.0 if there are no gradients.

    Raises
    ------
    ValueError
        If ``max_norm`` is negative or not a number.

    Notes
    -----
    Every gradient is multiplied by :math:`\min(1, c / (\lVert g \rVert + 10^{-6}))`, computed where
    the gradients are: the host is never asked. Half-precision gradients are squared and summed in
    float32, where they cannot overflow. Counterpart of ``torch.nn.utils.clip_grad_norm_``.

    Examples
    --------
    >>> import numpy as np
    >>> from xpconv import optim
    >>> clipped, norm = optim.clip_grad_norm({"weight": np.asarray([3.0, 4.0])}, max_norm=1.0)
    >>> float(norm)
    5.0
    >>> clipped["weight"]
    array([0.6, 0.8])
    """
    limit = float(max_norm)
    if not limit >= 0.0:
        raise ValueError(f"max_norm must be at least 0, got {max_norm}")
    arrays = {f"gradient of {name!r}": gradient for name, gradient in grads.items()}
    if all(gradient is None for gradient in grads.values()):
        return dict(grads), 0.0
    xp = namespace(**arrays)
    norm = xp.sqrt(sum(_sum_of_squares(xp, g) for g in grads.values() if g is not None))
    factor = limit / (norm + 1e-6)
    factor = xp.minimum(factor, xp.ones_like(factor))  # a NaN stays one, as in PyTorch
    clipped = {
        name: None if gradient is None else gradient * xp.astype(factor, gradient.dtype, copy=False)
        for name, gradient in grads.items()
    }
    return clipped, norm


def _sum_of_squares(xp: Any, x: Array) -> Array:
    if itemsize(x.dtype) < 4:
        x = xp.astype(x, xp.float32)
    return xp.sum(x * x)
