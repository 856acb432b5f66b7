"""Normalisation of each channel by its neighbours."""

from __future__ import annotations

from .._arrays import add_at, is_complex, is_floating, namespace
from .._shapes import ntuple
from .._typing import Array, Namespace, Pullback
from ._precision import rule_in_single
from ._registry import differentiable


def _window_sum(xp: Namespace, x: Array, before: int, after: int) -> Array:
    """Sum each channel of (N, C, ...) with so many before and after it."""
    channels = x.shape[1]
    total = xp.asarray(x, copy=True)
    for step in range(1, min(before, channels - 1) + 1):
        total = add_at(total, (slice(None), slice(step, None), ...), x[:, : channels - step, ...])
    for step in range(1, min(after, channels - 1) + 1):
        total = add_at(total, (slice(None), slice(None, channels - step), ...), x[:, step:, ...])
    return total


@rule_in_single
def _local_response_norm_vjp(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    (size,) = ntuple(size, 1, "size", minimum=1)
    if x.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (N, C, ...), got {x.ndim} dimensions: "
            f"{tuple(x.shape)}"
        )
    if is_complex(x) or not (is_floating(x) or x.dtype == xp.int64):
        raise TypeError(f"x must have a real floating dtype or int64, got {x.dtype}")
    before, after = size // 2, (size - 1) // 2
    squares = _window_sum(xp, x * x, before, after)
    if is_floating(x):
        mean = squares / size
    else:  # PyTorch pools integers into integers
        mean = xp.astype(squares // size, xp.float32)
        x = xp.astype(x, xp.float32)
    base = mean * alpha + k
    divisor = base**beta

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = dy / divisor
        share = _window_sum(xp, dx * x / base, after, before)
        return (dx - x * share * (2 * alpha * beta / size),)

    return x / divisor, pullback


@differentiable(_local_response_norm_vjp)
def local_response_norm(
    x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    r"""Divide each channel by a power of its neighbourhood's mean square.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        Input, with at least one spatial axis. int64 gives float32, as in PyTorch.
    size : int
        Number of channels in a neighbourhood; of an even number, one more lies before.
    alpha, beta, k : float, default 1e-4, 0.75 and 1.0
        As in the equation.

    Returns
    -------
    array
        Of the shape of ``x``.

    Raises
    ------
    ValueError
        If ``x`` has fewer than three axes, or ``size`` is not positive.

    Notes
    -----
    .. math:: y_c = x_c \Big/ \left(k + \frac{\alpha}{n} \sum_{c'} x_{c'}^2\right)^\beta

    where channels beyond the ends count as zero. Krizhevsky, Sutskever and Hinton, "ImageNet
    classification with deep convolutional neural networks" (2012). Counterpart of
    ``torch.nn.functional.local_response_norm``.
    """
    return _local_response_norm_vjp(x, size, alpha, beta, k)[0]
