"""Products with weights: a fully connected layer, and a bilinear form."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from .._arrays import conjugate, namespace, permuted, reshaped, same_dtype, sum_over
from .._typing import Array, Namespace, Pullback
from ..engines import clipped, matmul, product
from ._activation_rectified import rectified_grad
from ._precision import rule_in_single
from ._registry import differentiable


def _numbers(**arrays: Array | None) -> Namespace:
    """Return the namespace of numbers of one dtype; None may stand for ``bias``."""
    xp = namespace(tuple(name for name in arrays if name != "bias"), **arrays)
    if same_dtype(**arrays) == xp.bool:
        raise TypeError(f"{next(iter(arrays))} must have a numeric dtype, got bool")
    return xp


@partial(rule_in_single, native="matmul")
def _linear_vjp(
    x: Array, weight: Array, bias: Array | None = None, activation: str | None = None
) -> tuple[Array, Pullback]:
    xp = _numbers(x=x, weight=weight, bias=bias)
    if weight.ndim not in (1, 2):
        raise ValueError(f"weight must have shape (O, I) or (I,), got {tuple(weight.shape)}")
    out, features = tuple(weight.shape[:-1]), weight.shape[-1]
    if x.ndim < 1 or x.shape[-1] != features:
        raise ValueError(
            f"x has shape {tuple(x.shape)} but weight {tuple(weight.shape)} expects "
            f"{features} features in the last axis"
        )
    if bias is not None and tuple(bias.shape) != out:
        raise ValueError(
            f"bias must have shape {out} for weight of shape {tuple(weight.shape)}, got "
            f"{tuple(bias.shape)}"
        )
    # One 2-D product, (rows, I) @ (I, O): batched products are slow on some libraries.
    flat = (math.prod(x.shape[:-1]), features)
    matrix = reshaped(xp, weight, (math.prod(out), features))
    last = None if bias is None else reshaped(xp, bias, (matrix.shape[0],))
    y = product(reshaped(xp, x, flat), permuted(xp, matrix, (1, 0)), last)
    y = clipped(y, activation)

    def pullback(dy: Array, input_grad: bool = True) -> tuple[Array | None, ...]:
        dy2 = reshaped(xp, dy, (flat[0], matrix.shape[0]))
        dx = None
        if input_grad:
            dx = reshaped(xp, product(dy2, conjugate(xp, matrix)), x.shape)  # (rows, O) @ (O, I)
        x2 = conjugate(xp, reshaped(xp, x, flat))
        dweight = product(permuted(xp, dy2, (1, 0)), x2)  # (O, rows) @ (rows, I)
        dbias = None if bias is None else reshaped(xp, sum_over(xp, dy2, (0,)), out)
        return dx, reshaped(xp, dweight, weight.shape), dbias

    return reshaped(xp, y, (*x.shape[:-1], *out)), pullback


def _rectified_vjp(activation: str, *args: Any, **kwargs: Any) -> tuple[Array, Pullback]:
    """Rule of a linear map and `relu` or `relu6`."""
    y, back = _linear_vjp(*args, **kwargs, activation=activation)

    def pullback(dy: Array, input_grad: bool = True) -> tuple[Array | None, ...]:
        return back(rectified_grad(dy, y, activation), input_grad=input_grad)  # type: ignore[call-arg]

    return y, pullback


@differentiable(_linear_vjp, selective=True, rectified=_rectified_vjp)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    r"""Apply an affine map to the last axis, ``y = x @ weight.T + bias``.

    Parameters
    ----------
    x : array, shape (..., I)
        Input, with any number of leading axes.
    weight : array, shape (O, I) or (I,)
        One row per output feature; without the axis O there is one, and no axis for it.
    bias : array, shape (O,) or (), optional
        One number per output feature.

    Returns
    -------
    array, shape (..., O) or (...)
        In the dtype of ``x``, integers and complex numbers included.

    Raises
    ------
    ValueError
        If the sizes do not fit.
    TypeError
        If dtypes, libraries or devices differ.

    Notes
    -----
    Counterpart of ``torch.nn.functional.linear``. With the way back
    :math:`dx = dy\,W`, :math:`dW = dy^T x`, :math:`db = \sum dy`.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> linear(b.asarray([1.0, 2.0]), b.asarray([[3.0, 4.0]]))
    array([11.])
    """
    return _linear_vjp(x, weight, bias)[0]


@rule_in_single
def _bilinear_vjp(
    x1: Array, x2: Array, weight: Array, bias: Array | None = None
) -> tuple[Array, Pullback]:
    xp = _numbers(x1=x1, x2=x2, weight=weight, bias=bias)
    if weight.ndim != 3:
        raise ValueError(f"weight must have shape (O, I1, I2), got {tuple(weight.shape)}")
    out, first, second = weight.shape
    lead = tuple(x1.shape[:-1])
    if x1.ndim < 1 or x1.ndim != x2.ndim or tuple(x2.shape[:-1]) != lead:
        raise ValueError(
            f"x1 and x2 must agree in all axes but the last, got x1 {tuple(x1.shape)} and x2 "
            f"{tuple(x2.shape)}"
        )
    if (x1.shape[-1], x2.shape[-1]) != (first, second):
        raise ValueError(
            f"x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)} do not match weight "
            f"{tuple(weight.shape)}: expected {first} and {second} features in their last axes"
        )
    if bias is not None and tuple(bias.shape) != (out,):
        raise ValueError(f"bias must have shape ({out},), got {tuple(bias.shape)}")
    rows = math.prod(lead)
    left, right = xp.reshape(x1, (rows, first)), xp.reshape(x2, (rows, second))
    matrix = xp.reshape(xp.permute_dims(weight, (1, 0, 2)), (first, out * second))

    def half() -> Array:  # x1 and the weight, before x2 joins
        return xp.reshape(matmul(left, matrix), (rows, out, second))

    y = xp.reshape(matmul(half(), right[:, :, None]), (rows, out))
    if bias is not None:
        y = y + bias

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dy = xp.reshape(dy, (rows, out))
        dright = matmul(dy[:, None, :], conjugate(xp, half()))  # (rows, 1, O) @ (rows, O, I2)
        dhalf = dy[:, :, None] * conjugate(xp, right)[:, None, :]
        dhalf = xp.reshape(dhalf, (rows, out * second))
        dleft = matmul(dhalf, conjugate(xp, xp.permute_dims(matrix, (1, 0))))
        dmatrix = matmul(conjugate(xp, xp.permute_dims(left, (1, 0))), dhalf)
        dweight = xp.permute_dims(xp.reshape(dmatrix, (first, out, second)), (1, 0, 2))
        dbias = None if bias is None else xp.sum(dy, axis=0, dtype=dy.dtype)
        return xp.reshape(dleft, x1.shape), xp.reshape(dright, x2.shape), dweight, dbias

    return xp.reshape(y, (*lead, out)), pullback


@differentiable(_bilinear_vjp)
def bilinear(x1: Array, x2: Array, weight: Array, bias: Array | None = None) -> Array:
    r"""Combine two inputs by one bilinear form per output feature.

    Parameters
    ----------
    x1 : array, shape (..., I1)
        First input.
    x2 : array, shape (..., I2)
        Second input, with the same leading axes.
    weight : array, shape (O, I1, I2)
        One form per output feature.
    bias : array, shape (O,), optional
        One number per output feature.

    Returns
    -------
    array, shape (..., O)
        In the dtype of ``x1``, integers and complex numbers included.

    Raises
    ------
    ValueError
        If the sizes do not fit.

    Notes
    -----
    .. math:: y_o = x_1^T W_o\, x_2 + b_o

    Counterpart of ``torch.nn.functional.bilinear``.
    """
    return _bilinear_vjp(x1, x2, weight, bias)[0]
