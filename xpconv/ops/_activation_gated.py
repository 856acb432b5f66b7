"""Activations that weigh the input by a gate between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable

from array_api_compat import array_namespace

from .._arrays import clip, is_complex, namespace, require_floating
from .._typing import Array, Namespace, Pullback
from ._activation_sigmoid import complex_logistic, decay, logistic
from ._axis import axis_of
from ._elementwise import elementwise, positive, step
from ._normal_tail import normal_tail
from ._precision import in_single, rule_in_single
from ._registry import differentiable

_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715
_FAR = 750.0  # beyond it exp(-u) is 0 in every dtype

Tail = Callable[[Array], tuple[Array, Callable[[], Array]]]


def _weighed(xp: Namespace, x: Array, tail: Tail) -> tuple[Array, Callable[[Array], Array]]:
    """``x F(x)`` for a symmetric distribution F, and the way back.

    ``tail(u)`` is the distribution's tail ``1 - F(u)`` for u >= 0, and how to get its density. With
    u = |x| the product is ``max(x, 0) - u tail(u)``, which loses no digits on either side, and its
    derivative ``tail(u) - u density(u)`` left of zero and 1 minus that right of it. At infinity
    there is NaN where PyTorch has it: in the product at the left end, in the derivative at both.
    """
    u = clip(xp, xp.abs(x), 0.0, _FAR)
    weight, density = tail(u)

    def way_back(dy: Array) -> Array:
        left = weight - xp.abs(x) * density()
        right = step(xp, x > 0, dy)
        return dy * (right + (1 - 2 * right) * left)

    return positive(xp, x) - xp.abs(clip(xp, x, -math.inf, _FAR)) * weight, way_back


@elementwise("complex floating")
def silu(x: Array) -> Array:
    """Weigh the input by its sigmoid, ``x * sigmoid(x)``, also called swish.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.silu``.
    """
    xp = array_namespace(x)
    if is_complex(x):
        s = complex_logistic(xp, x)
        return x * s, lambda dy: dy * s * (1 + x * (1 - s))

    z = decay(xp, x)
    s = logistic(xp, x, z)

    def way_back(dy: Array) -> Array:  # s + x s (1 - s), the last product without cancellation
        slope = z / (1 + z) ** 2
        slope *= x
        slope += s
        slope *= dy
        return slope

    return x * s, way_back


@elementwise()
def gelu(x: Array, approximate: str = "none") -> Array:
    r"""Weigh the input by the normal distribution, ``x * Phi(x)``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    approximate : {"none", "tanh"}, default "none"
        The exact form, or the approximation by tanh.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``approximate`` is neither.

    Notes
    -----
    Hendrycks and Gimpel, "Gaussian error linear units" (2016). The approximation is
    :math:`x (1 + \tanh(v)) / 2` with :math:`v = \sqrt{2/\pi} (x + 0.044715 x^3)`; as
    :math:`(1 - \tanh(v)) / 2 = 1 / (1 + e^{2v})` its tail needs no subtraction. Counterpart of
    ``torch.nn.functional.gelu``.
    """
    xp = array_namespace(x)

    def normal(u: Array) -> tuple[Array, Callable[[], Array]]:
        bell = xp.exp(-0.5 * u * u)
        return normal_tail(u, bell), lambda: bell * (1 / math.sqrt(2 * math.pi))

    def by_tanh(u: Array) -> tuple[Array, Callable[[], Array]]:
        square = u * u
        z = xp.exp(-2 * _SQRT_2_OVER_PI * u * (1 + _GELU_CUBIC * square))

        def density() -> Array:
            slope = 2 * _SQRT_2_OVER_PI * (1 + 3 * _GELU_CUBIC * square)
            return slope * z / (1 + z) ** 2

        return z / (1 + z), density

    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    return _weighed(xp, x, normal if approximate == "none" else by_tanh)


@elementwise()
def mish(x: Array) -> Array:
    r"""Weigh the input by the tanh of its softplus, ``x * tanh(log(1 + exp(x)))``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    Misra, "Mish: a self regularized non-monotonic activation function" (2019). With
    :math:`e^x = a / b`, a and b at most 1, the gate is :math:`n / (n + 2 b^2)` with
    :math:`n = a (a + 2 b)`, and its derivative :math:`4 a b^2 (a + b) / (n + 2 b^2)^2`: sums of
    positive numbers. Counterpart of ``torch.nn.functional.mish``.
    """
    xp = array_namespace(x)
    z = decay(xp, x)

    def gate() -> tuple[Array, Array, Array, Array]:
        right = step(xp, x >= 0, x)
        a, b = xp.maximum(z, right), xp.maximum(z, 1 - right)
        n = a * (a + 2 * b)
        return a, b, n, n + 2 * b * b

    def way_back(dy: Array) -> Array:
        a, b, n, d = gate()
        return dy * (n / d + x * (4 * a * b * b * (a + b) / d**2))

    _, _, n, d = gate()
    return x * (n / d), way_back


@rule_in_single
def _glu_vjp(x: Array, dim: int = -1) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    y = glu(x, dim)
    axis, first, second = _halves(x, dim)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        z = decay(xp, second)
        dfirst = dy * logistic(xp, second, z)
        dsecond = dy * first * z / (1 + z) ** 2
        return (xp.concat([dfirst, dsecond], axis=axis),)

    return y, pullback


@differentiable(_glu_vjp)
@in_single
def glu(x: Array, dim: int = -1) -> Array:
    """Weigh one half of the input by the sigmoid of the other, ``a * sigmoid(b)``.

    Parameters
    ----------
    x : array
        At least one axis, real floating dtype.
    dim : int, default -1
        The axis that is halved into a and b; its size is even.

    Returns
    -------
    array
        Of the dtype of ``x``, and half as long along ``dim``.

    Raises
    ------
    ValueError
        If the axis is out of range or its size odd.

    Notes
    -----
    Dauphin, Fan, Auli and Grangier, "Language modeling with gated convolutional networks" (2017).
    Counterpart of ``torch.nn.functional.glu``.
    """
    xp = namespace(x=x)
    require_floating(x=x)
    _, first, second = _halves(x, dim)
    return first * logistic(xp, second, decay(xp, second))


def _halves(x: Array, dim: int) -> tuple[int, Array, Array]:
    if x.ndim == 0:
        raise ValueError("glu does not support scalars because halving size must be even")
    axis = axis_of(x.shape, dim)
    size = x.shape[axis]
    if size % 2:
        raise ValueError(
            f"Halving dimension must be even, but dimension {axis} is size {size}, "
            f"in x of shape {tuple(x.shape)}"
        )
    before = (slice(None),) * axis
    return (
        axis,
        x[(*before, slice(None, size // 2), ...)],
        x[(*before, slice(size // 2, None), ...)],
    )
