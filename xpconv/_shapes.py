"""Sizes of windows: kernel, stride, padding and dilation, and the output size they lead to.

One place knows the arithmetic and the error messages; convolution, pooling and unfold share it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from ._typing import IntOrTuple, Padding, Pair

_TOO_MANY = 2**44  # numbers that no memory holds; asked for far more, XLA ends the process


def ntuple(value: Any, n: int, name: str, *, minimum: int | None = None) -> tuple[int, ...]:
    """Spread an int over ``n`` dimensions, or check a tuple of ``n`` ints.

    Raises
    ------
    TypeError
        If an entry is not an integer.
    ValueError
        If the length is not ``n``, or an entry is below ``minimum``.
    """
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else None
    if entries is not None and len(entries) == 1 and n > 1:
        entries = tuple(entries) * n  # PyTorch spreads a tuple of one entry, too
    if entries is None:
        result = (integer(value, name),) * n
    elif len(entries) == n:
        result = tuple(integer(entry, name) for entry in entries)
    else:
        raise ValueError(
            f"{name} must be an int or a tuple of {n} ints, one per spatial dimension, "
            f"got {len(entries)} entries: {value!r}"
        )
    if minimum is not None and min(result, default=minimum) < minimum:
        words = {0: "non-negative", 1: "positive"}.get(minimum, f"at least {minimum}")
        raise ValueError(f"{name} must be {words}, got {value!r}")
    return result


def possible(what: str, shape: Sequence[int]) -> None:
    """Refuse a shape of more numbers than any memory holds, before a library is asked for them.

    A size of 0 counts as 1: libraries multiply the others. ``what`` has the shape.
    """
    if math.prod(max(size, 1) for size in shape) >= _TOO_MANY:
        raise ValueError(f"{what} of shape {tuple(shape)} would be too large for any memory")


def is_plain(value: Any) -> bool:
    """Whether an option is an int or a text, or a tuple of them: equal ones mean the same.

    A 1.0 or True is equal to 1 and is refused; what was found for plain options may be kept.
    """
    kind = type(value)
    return kind is int or kind is str or (kind is tuple and all(map(is_plain, value)))


def not_spread(n: int, **options: Any) -> None:
    """Refuse tuples of one entry for ``n`` dimensions, where PyTorch does not spread them."""
    for name, value in options.items():
        if n > 1 and isinstance(value, list | tuple) and len(value) == 1:
            raise ValueError(f"It is expected {name} equals to {n}, but got size 1: {value!r}")


def integer(value: Any, name: str) -> int:
    """Return an int, or say whose value is none; booleans are refused."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def positive(value: Any, name: str) -> int:
    """Return an int above zero, or say whose value is none."""
    number = integer(value, name)
    if number < 1:
        raise ValueError(f"{name} must be positive, got {value!r}")
    return number


def padding_pairs(
    padding: Padding,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Pair, ...]:
    """Turn every way to write padding into one (before, after) pair per dimension.

    ``"same"`` keeps the input's size; of an odd total the larger half goes after, as in PyTorch.
    """
    n = len(kernel_size)
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * n
        if padding == "same":
            if any(s != 1 for s in stride):
                raise ValueError(
                    f"padding='same' is not supported for strided convolutions, got stride {stride}"
                )
            totals = [d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True)]
            return tuple((total // 2, total - total // 2) for total in totals)
        raise ValueError(f"padding must be 'same', 'valid' or numbers, got {padding!r}")
    if isinstance(padding, Sequence) and any(isinstance(p, Sequence) for p in padding):
        return _explicit_pairs(padding, n)
    return tuple((p, p) for p in ntuple(padding, n, "padding", minimum=0))


def _explicit_pairs(padding: Sequence[Any], n: int) -> tuple[Pair, ...]:
    if len(padding) != n:
        raise ValueError(
            f"padding must have one (before, after) pair per spatial dimension, {n} in all, "
            f"got {len(padding)}: {padding!r}"
        )
    pairs = []
    for entry in padding:
        if isinstance(entry, str) or not isinstance(entry, Sequence):
            entry = (entry, entry)
        before, after = ntuple(entry, 2, "padding's (before, after) pair", minimum=0)
        pairs.append((before, after))
    return tuple(pairs)


def window_span(kernel: int, dilation: int) -> int:
    """Number of input elements from a dilated window's first to its last element."""
    return dilation * (kernel - 1) + 1


def output_size(
    size: int, kernel: int, stride: int, pad: Pair, dilation: int, *, ceil_mode: bool = False
) -> int:
    """Number of windows along one dimension; zero or negative when none fits.

    With ``ceil_mode`` a last window may hang over the end, unless it would start in the right
    padding, where it would see nothing of the input.
    """
    before, after = pad
    room = size + before + after - window_span(kernel, dilation)
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    return count


def output_sizes(
    sizes: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[Pair],
    dilation: Sequence[int],
    *,
    channels: int | None = None,
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """Output size of every dimension.

    Raises
    ------
    ValueError
        If no window fits into the padded input; the message names all sizes.
    """
    _possible_steps(stride=stride, dilation=dilation)
    result = tuple(
        output_size(*row, ceil_mode=ceil_mode)
        for row in zip(sizes, kernel_size, stride, pads, dilation, strict=True)
    )
    if min(result, default=1) < 1:
        lead = [] if channels is None else [channels]
        given = "x".join(str(size) for size in [*lead, *sizes])
        calculated = "x".join(str(size) for size in [*lead, *result])
        padded = tuple(s + sum(p) for s, p in zip(sizes, pads, strict=True))
        spans = tuple(window_span(k, d) for k, d in zip(kernel_size, dilation, strict=True))
        raise ValueError(
            f"Given input size: ({given}). Calculated output size: ({calculated}). "
            f"Output size is too small: a window of size {spans} does not fit into the padded "
            f"input of size {padded}"
        )
    return result


def _possible_steps(**steps: Sequence[int]) -> None:
    for name, sizes in steps.items():
        if max(sizes, default=1) >= _TOO_MANY:
            raise ValueError(f"{name} is too large for any memory, got {tuple(sizes)}")


def possible_padded(sizes: Sequence[int], pads: Sequence[Pair]) -> None:
    """Refuse padding that makes more of an input than any memory holds; see `possible`."""
    possible("the padded input", [s + sum(pair) for s, pair in zip(sizes, pads, strict=True)])


def transposed_sizes(
    sizes: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pads: Sequence[Pair],
    dilation: Sequence[int],
    extra: Sequence[int],
) -> tuple[int, ...]:
    """Output size of a transposed convolution, ``extra`` being its ``output_padding``."""
    _possible_steps(stride=stride, dilation=dilation)
    rows = zip(sizes, kernel_size, stride, pads, dilation, extra, strict=True)
    return tuple((n - 1) * s + window_span(k, d) - sum(pair) + e for n, k, s, pair, d, e in rows)


def conv_output_size(
    input_size: IntOrTuple,
    kernel_size: IntOrTuple,
    stride: IntOrTuple = 1,
    padding: Padding = 0,
    dilation: IntOrTuple = 1,
) -> int | tuple[int, ...]:
    r"""Return the output size of a convolution.

    Parameters
    ----------
    input_size : int or tuple of int
        Size of the input, in elements, along one or along every spatial dimension.
    kernel_size, stride, dilation : int or tuple of int
        As in `conv2d`; an int holds for every dimension.
    padding : int, tuple, "same" or "valid"
        As in `conv2d`.

    Returns
    -------
    int or tuple of int
        An int if every argument is one number, else a tuple with one size per dimension.

    Raises
    ------
    ValueError
        If the window does not fit into the padded input, or an argument is out of range.

    Notes
    -----
    .. math:: \left\lfloor \frac{n + p_0 + p_1 - d (k - 1) - 1}{s} \right\rfloor + 1

    Examples
    --------
    >>> conv_output_size(28, 5, stride=1, padding=2)
    28
    >>> conv_output_size((32, 24), 3, stride=2, padding=((0, 1), (1, 1)))
    (16, 12)
    """
    lengths = {
        len(v) for v in (input_size, kernel_size, stride, dilation) if isinstance(v, Sequence)
    }
    if not isinstance(padding, int | str) and isinstance(padding, Sequence):
        lengths.add(len(padding))
    n = max(lengths, default=1)
    sizes = ntuple(input_size, n, "input_size", minimum=0)
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    steps = ntuple(stride, n, "stride", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    pads = padding_pairs(padding, kernel, steps, spread)
    result = output_sizes(sizes, kernel, steps, pads, spread)
    return result if lengths else result[0]
