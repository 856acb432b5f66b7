"""Convolution in one, two and three dimensions: one implementation, three names.

As everywhere in the field, a layer's "convolution" is a cross-correlation: the kernel is not
turned around. True convolution stands in `convolve2d`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from array_api_compat import device

from .. import engines
from .._arrays import conjugate, is_floating, namespace, sum_over
from .._typing import Array, IntOrTuple, Namespace, Padding, Pullback
from ..engines import body
from ._activation_rectified import rectified_grad
from ._conv_problem import conv_problem
from ._layout import as_given, batched, channels_first, channels_last
from ._registry import differentiable


def _conv(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: IntOrTuple,
    padding: Padding,
    dilation: IntOrTuple,
    groups: int,
    activation: str | None = None,
) -> Array:
    xp = namespace(("weight",), x=x, weight=weight, bias=bias)
    batch = batched(n, x)
    problem = conv_problem(n, batch, weight, bias, stride, padding, dilation, groups)
    if problem.in_channels == 0:  # nothing out of nothing, as in PyTorch: not even the bias
        y = xp.zeros((problem.batch, 0, *problem.out_size), dtype=x.dtype, device=device(x))
    else:
        last = channels_last(xp, batch)
        y = channels_first(xp, engines.forward(problem, last, weight, bias, activation))
    return as_given(y, x)


def _sum_of_channels(xp: Namespace, last: Array) -> Array:
    """Sum (N, ..., C) over everything but the channels."""
    fused = body("channel_sums", last)
    if fused is not None and 0 not in last.shape:
        return fused(channels_first(xp, last))
    return sum_over(xp, last, range(last.ndim - 1))


def _conv_vjp(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    dilation: IntOrTuple = 1,
    groups: int = 1,
    activation: str | None = None,
) -> tuple[Array, Pullback]:
    y = _conv(n, x, weight, bias, stride, padding, dilation, groups, activation)
    xp = namespace(x=x)

    def pullback(dy: Array, input_grad: bool = True) -> tuple[Array | None, ...]:
        if not is_floating(x):
            return None, None, None
        # Only x and weight are kept for the way back; the columns are made again.
        batch = batched(n, x)
        problem = conv_problem(n, batch, weight, bias, stride, padding, dilation, groups)
        if problem.in_channels == 0:
            return tuple(None if a is None else xp.zeros_like(a) for a in (x, weight, bias))
        dy = channels_last(xp, batched(n, dy))
        # The weight's gradient, which may need the larger workspace, before dx takes its memory.
        dweight = engines.weight_grad(problem, conjugate(xp, channels_last(xp, batch)), dy)
        dbias = None if bias is None else _sum_of_channels(xp, dy)
        dx = None
        if input_grad:
            dx = channels_first(xp, engines.input_grad(problem, dy, conjugate(xp, weight)))
            dx = as_given(dx, x)
        return dx, dweight, dbias

    return y, pullback


def _rectified_vjp(n: int, activation: str, *args: Any, **options: Any) -> tuple[Array, Pullback]:
    """Rule of a convolution and `relu` or `relu6`: of the two results only the last is kept."""
    rule: Any = _conv_vjp
    y, back = rule(n, *args, **options, activation=activation)

    def pullback(dy: Array, input_grad: bool = True) -> tuple[Array | None, ...]:
        gradients: tuple[Array | None, ...]
        gradients = back(rectified_grad(dy, y, activation), input_grad=input_grad)
        return gradients

    return y, pullback


@differentiable(partial(_conv_vjp, 1), selective=True, rectified=partial(_rectified_vjp, 1))
def conv1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    dilation: IntOrTuple = 1,
    groups: int = 1,
) -> Array:
    """Slide kernels over signals: `conv2d` with one spatial dimension.

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals.
    weight : array, shape (O, C/groups, K)
        Kernels.
    bias : array, shape (O,), optional
        One number per output channel.
    stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    array, shape (N, O, OL) or (O, OL)
        In the dtype of ``x``. Counterpart of ``torch.nn.functional.conv1d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> conv1d(b.asarray([[1.0, 2.0, 4.0]]), b.asarray([[[-1.0, 1.0]]]))
    array([[1., 2.]])
    """
    return _conv(1, x, weight, bias, stride, padding, dilation, groups)


@differentiable(partial(_conv_vjp, 2), selective=True, rectified=partial(_rectified_vjp, 2))
def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    dilation: IntOrTuple = 1,
    groups: int = 1,
) -> Array:
    r"""Slide kernels over images and sum the products: cross-correlation.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images of real or complex numbers or of integers, which have no gradient. Memory in
        channels-last order is used as it is; other orders are read slower.
    weight : array, shape (O, C/groups, KH, KW)
        Kernels, in the dtype of ``x``.
    bias : array, shape (O,), optional
        One number per output channel.
    stride : int or (int, int), default 1
        Step of the windows.
    padding : int, (int, int), ((int, int), (int, int)), "same" or "valid", default 0
        Zeros around the image: a number for all sides, one per dimension, or one (before, after)
        pair per dimension. ``"same"`` keeps the size (stride 1 only; of an odd number the larger
        half goes after), ``"valid"`` is 0.
    dilation : int or (int, int), default 1
        Distance of a kernel's elements.
    groups : int, default 1
        Split the channels into groups that do not see each other; with ``groups == C`` the
        convolution is depthwise.

    Returns
    -------
    array, shape (N, O, OH, OW) or (O, OH, OW)
        In the dtype of ``x``; its memory is channels-last. For ``OH`` see `conv_output_size`.

    Raises
    ------
    ValueError
        If sizes do not fit, with all of them named.
    TypeError
        If dtypes, libraries or devices differ.

    Notes
    -----
    .. math::
        y_{n,o,i,j} = b_o + \sum_{c,p,q} w_{o,c,p,q}\, x_{n,c,\,i s + p d,\,j s + q d}

    Windows become the rows of a matrix of columns (im2col), and the sum one matrix product. The
    way back keeps ``x`` and ``weight``, never the columns:
    :math:`db = \sum dy`; :math:`dw` is the correlation of ``x`` with ``dy``; :math:`dx` is the
    full convolution of ``dy`` with ``w``; of complex numbers the conjugate is taken of ``x`` and
    ``w`` there, as in PyTorch. Half precision is computed in single precision and rounded once.
    Memory beyond the result is bounded by `conv_workspace`.

    Padding is zeros that take part in the sums: a weight that is infinite or NaN makes the border
    NaN, as in PyTorch (but for its float32 depthwise convolutions). The way back knows no such
    products; on CuPy, PyTorch and JAX nothing looks at values, and ``dx`` may have NaN there, too.
    Counterpart of ``torch.nn.functional.conv2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> x = b.asarray([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    >>> conv2d(x, b.asarray([[[[1.0, 0.0], [0.0, -1.0]]]]))
    array([[[-4., -4.]]])
    """
    return _conv(2, x, weight, bias, stride, padding, dilation, groups)


@differentiable(partial(_conv_vjp, 3), selective=True, rectified=partial(_rectified_vjp, 3))
def conv3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    dilation: IntOrTuple = 1,
    groups: int = 1,
) -> Array:
    """Slide kernels over volumes: `conv2d` with three spatial dimensions.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes.
    weight : array, shape (O, C/groups, KD, KH, KW)
        Kernels.
    bias : array, shape (O,), optional
        One number per output channel.
    stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    array, shape (N, O, OD, OH, OW) or (O, OD, OH, OW)
        In the dtype of ``x``. Counterpart of ``torch.nn.functional.conv3d``.
    """
    return _conv(3, x, weight, bias, stride, padding, dilation, groups)
