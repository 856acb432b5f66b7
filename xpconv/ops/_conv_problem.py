"""What a convolution, and a transposed one, ask of their arguments; the problem that they pose."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._arrays import dtype_name, same_dtype
from .._shapes import (
    is_plain,
    ntuple,
    output_sizes,
    padding_pairs,
    positive,
    possible,
    possible_padded,
    transposed_sizes,
)
from .._typing import Array, IntOrTuple, Padding, Pair
from ..engines import Problem


def conv_problem(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: IntOrTuple,
    padding: Padding,
    dilation: IntOrTuple,
    groups: int,
) -> Problem:
    """Check the arguments of a convolution with ``n`` spatial dimensions.

    ``x`` has a batch axis here.
    """
    check_dtypes(x=x, weight=weight, bias=bias)
    shapes = (tuple(x.shape), tuple(weight.shape), None if bias is None else tuple(bias.shape))
    options: tuple[Any, ...] = (stride, padding, dilation, groups)
    # Every step of a training asks again, each way.
    found = _known_conv_problem if is_plain(options) and is_plain(shapes[0]) else _conv_problem
    return found(n, *shapes, *options)


def _conv_problem(
    n: int,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    stride: IntOrTuple,
    padding: Padding,
    dilation: IntOrTuple,
    groups: int,
) -> Problem:
    """Pose the problem of arrays of some shapes."""
    kernel = _kernel_size(f"conv{n}d", n, weight, "O, C/groups")
    groups = positive(groups, "groups")
    steps = ntuple(stride, n, "stride", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    channels, sizes = x[1], x[2:]
    out_channels, group_in = weight[:2]
    if channels % groups:
        raise ValueError(
            f"in_channels must be divisible by groups: x of shape {x} has "
            f"{channels} channels, groups={groups}; weight of shape {weight} expects "
            f"{group_in * groups} input channels"
        )
    if out_channels % groups or out_channels == 0:
        raise ValueError(
            f"out_channels must be divisible by groups and positive: weight of shape "
            f"{weight} has {out_channels}, groups={groups}"
        )
    if group_in * groups != channels:
        raise ValueError(
            f"weight of shape {weight} with groups={groups} expects "
            f"{group_in * groups} input channels, but x of shape {x} has {channels}"
        )
    _check_bias(bias, out_channels)
    if 0 in sizes and x[0] and channels:
        raise ValueError(
            f"only a batch or the channels may be empty, whatever the padding, got x of shape {x}"
        )
    pads = padding_pairs(padding, kernel, steps, spread)
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels)
    possible_padded(x, ((0, 0), (0, 0), *pads))
    possible("the result", (x[0], out_channels, *out))
    steps = _within(sizes, steps, pads)
    return Problem(x[0], channels, out_channels, sizes, kernel, steps, pads, spread, groups)


_known_conv_problem = lru_cache(maxsize=4096)(_conv_problem)


def transposed_problem(
    n: int,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: IntOrTuple,
    padding: Padding,
    output_padding: IntOrTuple,
    groups: int,
    dilation: IntOrTuple,
) -> tuple[Problem | None, tuple[int, ...]]:
    """Check the arguments of a transposed convolution; ``x`` has a batch axis here.

    Returns
    -------
    problem : Problem or None
        That of the convolution which it transposes: its input is our output, as far as ``x``
        reaches. ``output_padding`` of a stride or more lies behind that. None where ``padding``
        cuts off all that it reaches.
    sizes : tuple of int
        Spatial size of our output.
    """
    check_dtypes(x=x, weight=weight, bias=bias)
    kernel = _kernel_size(f"conv_transpose{n}d", n, tuple(weight.shape), "C, O/groups")
    groups = positive(groups, "groups")
    steps = ntuple(stride, n, "stride", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    extra = ntuple(output_padding, n, "output_padding", minimum=0)
    if isinstance(padding, str):
        raise TypeError(f"padding of a transposed convolution must be numbers, got {padding!r}")
    pads = padding_pairs(padding, kernel, steps, spread)
    channels, sizes = x.shape[1], tuple(x.shape[2:])
    if 0 in (channels, *sizes):
        raise ValueError(
            f"x must have at least one channel and one element per dimension, got {tuple(x.shape)}"
        )
    if weight.shape[0] != channels:
        raise ValueError(
            f"weight of shape {tuple(weight.shape)} expects {weight.shape[0]} input channels, "
            f"but x of shape {tuple(x.shape)} has {channels}"
        )
    if channels % groups:
        raise ValueError(
            f"in_channels must be divisible by groups: x of shape {tuple(x.shape)} has "
            f"{channels} channels, groups={groups}"
        )
    out_channels = weight.shape[1] * groups
    if out_channels == 0:
        raise ValueError(f"weight of shape {tuple(weight.shape)} has no output channels")
    _check_bias(None if bias is None else tuple(bias.shape), out_channels)
    for most, more, step in zip(spread, extra, steps, strict=True):
        if more >= step and more >= most:
            raise ValueError(
                "output padding must be smaller than either stride or dilation, got "
                f"output_padding={extra}, stride={steps}, dilation={spread}"
            )
    out = transposed_sizes(sizes, kernel, steps, pads, spread, extra)
    if min(out) < 1:
        raise ValueError(
            f"Given input size: ({_by(channels, *sizes)}). Calculated output size: "
            f"({_by(out_channels, *out)}). Output size is too small: padding {pads} takes off "
            "more than there is"
        )
    possible("the result", (x.shape[0], out_channels, *out))
    seen = out
    if any(more >= step for more, step in zip(extra, steps, strict=True)):
        # The convolution over all of it would have more places than x.
        reach = transposed_sizes(sizes, kernel, steps, [(b, 0) for b, _ in pads], spread, (0,) * n)
        if min(reach) < 1:
            return None, out
        seen = tuple(map(min, out, reach))
        pads = tuple((b, r - s) for (b, _), r, s in zip(pads, reach, seen, strict=True))
    steps = _within(seen, steps, pads)
    problem = Problem(x.shape[0], out_channels, channels, seen, kernel, steps, pads, spread, groups)
    return problem, out


def _within(
    sizes: tuple[int, ...], steps: tuple[int, ...], pads: tuple[Pair, ...]
) -> tuple[int, ...]:
    """Cut steps to the padded input: beyond it there is one window, and plans go by the step."""
    rows = zip(steps, sizes, pads, strict=True)
    return tuple(min(step, max(size + sum(pair), 1)) for step, size, pair in rows)


def check_dtypes(**arrays: Array | None) -> None:
    """All of one dtype, of numbers."""
    dtype = same_dtype(**arrays)
    if dtype_name(dtype) == "bool":
        raise TypeError(f"{next(iter(arrays))} must be of numbers, got {dtype}")


def _kernel_size(name: str, n: int, weight: tuple[int, ...], channels: str) -> tuple[int, ...]:
    if len(weight) != n + 2:
        axes = ", ".join(("KD", "KH", "KW")[3 - n :])
        raise ValueError(
            f"weight of a {name} must have {n + 2} axes ({channels}, {axes}), got shape {weight}"
        )
    return ntuple(weight[2:], n, "weight's kernel size", minimum=1)


def _check_bias(bias: tuple[int, ...] | None, out_channels: int) -> None:
    if bias is not None and bias != (out_channels,):
        raise ValueError(
            f"bias must have one entry per output channel, shape ({out_channels},), got {bias}"
        )


def _by(*sizes: int) -> str:
    return "x".join(map(str, sizes))
