"""Transposed convolution in one, two and three dimensions: the way back of a convolution."""

from __future__ import annotations

from functools import partial

from array_api_compat import device

from .. import engines
from .._arrays import add_at, conjugate, is_floating, namespace, put, sum_over
from .._typing import Array, IntOrTuple, Padding, Pullback
from ..engines import Problem
from ._conv_problem import transposed_problem
from ._layout import as_given, batched, channels_first, channels_last
from ._precision import in_single, rule_in_single
from ._registry import differentiable


@in_single
def _transpose(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: IntOrTuple,
    padding: Padding,
    output_padding: IntOrTuple,
    groups: int,
    dilation: IntOrTuple,
) -> Array:
    xp = namespace(("weight",), x=x, weight=weight, bias=bias)
    batch = batched(n, x)
    problem, size = transposed_problem(
        n, batch, weight, bias, stride, padding, output_padding, groups, dilation
    )
    if problem is not None and problem.in_size == size:
        y = engines.input_grad(problem, channels_last(xp, batch), weight)
    else:
        shape = (batch.shape[0], *size, weight.shape[1] * groups)
        y = xp.zeros(shape, dtype=x.dtype, device=device(x))
        if problem is not None:
            reached = engines.input_grad(problem, channels_last(xp, batch), weight)
            y = put(y, _reached(problem), reached)
    if bias is not None:
        y = add_at(y, (...,), bias)  # y was made a line before
    return as_given(channels_first(xp, y), x)


@rule_in_single
def _transpose_vjp(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    output_padding: IntOrTuple = 0,
    groups: int = 1,
    dilation: IntOrTuple = 1,
) -> tuple[Array, Pullback]:
    y = _transpose(n, x, weight, bias, stride, padding, output_padding, groups, dilation)
    xp = namespace(x=x)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        if not is_floating(x):
            return None, None, None
        batch = batched(n, x)
        problem, _ = transposed_problem(
            n, batch, weight, bias, stride, padding, output_padding, groups, dilation
        )
        dy = channels_last(xp, batched(n, dy))
        dbias = None if bias is None else sum_over(xp, dy, range(n + 1))
        if problem is None:
            return xp.zeros_like(x), xp.zeros_like(weight), dbias
        dy = dy[_reached(problem)]
        dx = engines.forward(problem, dy, conjugate(xp, weight))
        # The roles are swapped: the convolution that is transposed reads dy and writes x.
        last = channels_last(xp, conjugate(xp, batch))
        dweight = engines.weight_grad(problem, dy, last)
        return as_given(channels_first(xp, dx), x), dweight, dbias

    return y, pullback


def _reached(problem: Problem) -> tuple[slice, ...]:
    """Key of what the input reaches of a channels-last output."""
    return (slice(None), *(slice(size) for size in problem.in_size), slice(None))


@differentiable(partial(_transpose_vjp, 1))
def conv_transpose1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    output_padding: IntOrTuple = 0,
    groups: int = 1,
    dilation: IntOrTuple = 1,
) -> Array:
    """Spread signals with kernels: `conv_transpose2d` with one spatial dimension.

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals.
    weight : array, shape (C, O/groups, K)
        Kernels.
    bias : array, shape (O,), optional
        One number per output channel.
    stride, padding, output_padding, groups, dilation
        As in `conv_transpose2d`.

    Returns
    -------
    array, shape (N, O, OL) or (O, OL)
        In the dtype of ``x``. Counterpart of ``torch.nn.functional.conv_transpose1d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> conv_transpose1d(b.asarray([[1.0, 2.0]]), b.asarray([[[1.0, 10.0, 100.0]]]), stride=2)
    array([[  1.,  10., 102.,  20., 200.]])
    """
    return _transpose(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


@differentiable(partial(_transpose_vjp, 2))
def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    output_padding: IntOrTuple = 0,
    groups: int = 1,
    dilation: IntOrTuple = 1,
) -> Array:
    r"""Let every pixel spread a kernel over the output, and sum: the way back of `conv2d`.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images of any dtype that `conv2d` takes.
    weight : array, shape (C, O/groups, KH, KW)
        Kernels, in the dtype of ``x``: those of a `conv2d` from O to C channels.
    bias : array, shape (O,), optional
        One number per output channel.
    stride : int or (int, int), default 1
        Distance in the output of what neighbouring pixels spread.
    padding : int, (int, int) or ((int, int), (int, int)), default 0
        How much is cut off around the output: as much as the `conv2d` of the same name would add.
    output_padding : int or (int, int), default 0
        Rows and columns added after the end of the output, which a `conv2d` of this stride leaves
        unread; smaller than the stride or the dilation.
    groups : int, default 1
        Split the channels into groups that do not see each other.
    dilation : int or (int, int), default 1
        Distance of a kernel's elements.

    Returns
    -------
    array, shape (N, O, OH, OW) or (O, OH, OW)
        In the dtype of ``x``; ``OH = (H - 1) * stride - 2 * padding + dilation * (KH - 1) +
        output_padding + 1``.

    Raises
    ------
    ValueError
        If sizes do not fit, with all of them named.
    TypeError
        If dtypes, libraries or devices differ, or padding is a word.

    Notes
    -----
    .. math::
        y_{n,o,\,i s + p d,\,j s + q d} = b_o + \sum_{c,i,j,p,q} w_{c,o,p,q}\, x_{n,c,i,j}

    summed over all :math:`i, p` (and :math:`j, q`) that lead to one place, the padding cut off
    afterwards. It is the input gradient of `conv2d` with the same weight; its own input gradient is
    that `conv2d`, and its weight gradient that of `conv2d` with ``x`` and ``dy`` in each other's
    place (V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    chapter 4). Counterpart of ``torch.nn.functional.conv_transpose2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> b = get_backend("numpy")
    >>> x = b.asarray([[[1.0, 2.0], [3.0, 4.0]]])
    >>> conv_transpose2d(x, b.asarray([[[[1.0, 1.0], [1.0, 0.0]]]]))
    array([[[1., 3., 2.],
            [4., 9., 4.],
            [3., 4., 0.]]])
    """
    return _transpose(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


@differentiable(partial(_transpose_vjp, 3))
def conv_transpose3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    output_padding: IntOrTuple = 0,
    groups: int = 1,
    dilation: IntOrTuple = 1,
) -> Array:
    """Spread volumes with kernels: `conv_transpose2d` with three spatial dimensions.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes.
    weight : array, shape (C, O/groups, KD, KH, KW)
        Kernels.
    bias : array, shape (O,), optional
        One number per output channel.
    stride, padding, output_padding, groups, dilation
        As in `conv_transpose2d`.

    Returns
    -------
    array, shape (N, O, OD, OH, OW) or (O, OD, OH, OW)
        In the dtype of ``x``. Counterpart of ``torch.nn.functional.conv_transpose3d``.
    """
    return _transpose(3, x, weight, bias, stride, padding, output_padding, groups, dilation)
