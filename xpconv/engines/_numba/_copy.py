"""What is copied around the products: padded input, kernels in tile order, and their gradient."""

from __future__ import annotations

from typing import Any

from ._jit import jit

_CHUNK = 64  # input channels whose kernels are laid out together, so that both sides stay in cache


@jit
def copy_region(
    x: Any, steps: Any, size: Any, buffer: Any, image: int, images: int, low: Any, high: Any
) -> None:
    """Copy a box of a channels-last input to a flat buffer, with zeros outside of the input.

    Parameters
    ----------
    x : array
        The input's memory, flat.
    steps : (int, int, int, int, int)
        Distances of images, planes, rows, columns and channels in x.
    size : (int, int, int, int)
        D, H, W and C of the input.
    low, high : (int, int, int)
        The box's corners in the input's coordinates.
    """
    depth, height, width, channels = size
    row = (high[2] - low[2]) * channels
    first, last = max(low[2], 0), min(high[2], width)
    at = 0
    for n in range(image, image + images):
        for d in range(low[0], high[0]):
            for h in range(low[1], high[1]):
                if d < 0 or d >= depth or h < 0 or h >= height or first >= last:
                    buffer[at : at + row] = 0
                else:
                    begin = at + (first - low[2]) * channels
                    end = at + (last - low[2]) * channels
                    buffer[at:begin] = 0
                    x0 = n * steps[0] + d * steps[1] + h * steps[2] + first * steps[3]
                    _copy_line(x, x0, steps[3], steps[4], buffer, begin, last - first, channels)
                    buffer[end : at + row] = 0
                at += row


@jit
def _copy_line(
    x: Any, x0: int, column: int, channel: int, buffer: Any, at: int, width: int, channels: int
) -> None:
    """Copy (W, C) of any memory order, reading what lies side by side.

    Everywhere in these files the innermost loop counts from zero on slices: that is what the
    compiler turns into vectors.
    """
    if channel == 1 and column == channels:
        count = width * channels
        source, target = x[x0 : x0 + count], buffer[at : at + count]
        for i in range(count):
            target[i] = source[i]
    elif channel <= column:
        for w in range(width):
            target = buffer[at + w * channels : at + (w + 1) * channels]
            place = x0 + w * column
            for c in range(channels):
                target[c] = x[place + c * channel]
    else:
        for c in range(channels):
            place = x0 + c * channel
            for w in range(width):
                buffer[at + w * channels + c] = x[place + w * column]


@jit
def repeat_channels(
    source: Any, target: Any, pixels: int, groups: int, inner: int, repeats: int
) -> None:
    """Lay each pixel out as C/G rows of one number for each of G * repeats output channels.

    Row i holds what each output channel meets at the i-th channel of its group.
    """
    channels, outs = groups * inner, groups * repeats
    for pixel in range(pixels):
        values = source[pixel * channels : (pixel + 1) * channels]
        for i in range(inner):
            at = (pixel * inner + i) * outs
            for r in range(repeats):
                row = target[at + r : at + outs : repeats]
                for g in range(groups):
                    row[g] = values[g * inner + i]


@jit
def pack(
    weight: Any,
    taps: Any,
    packed: Any,
    at: int,
    groups: int,
    lanes: int,
    turned: bool,
    first: int,
    last: int,
) -> None:
    """Lay kernels (O, C/G, taps) out as tiles read them: (G, blocks, taps, inner, lanes).

    A block is ``lanes`` output channels, and blocks ``[first, last)`` are laid out, from
    ``packed[at]`` on. ``turned``: for the input gradient, whose output channels are the input's.
    """
    outs, inner = weight.shape[0] // groups, weight.shape[1]
    if turned:
        outs, inner = inner, outs
    blocks, elements = (outs + lanes - 1) // lanes, weight.shape[2]
    flat = weight.reshape(-1)
    # Distance of neighbouring input channels in the kernels.
    step = weight.shape[1] * elements if turned else elements
    for block in range(first, last):
        g, o = block // blocks, block % blocks * lanes
        base = at + block * taps.size * inner * lanes
        for i0 in range(0, inner, _CHUNK):
            count = min(_CHUNK, inner - i0)
            for lane in range(min(lanes, outs - o)):
                if turned:
                    begin = ((g * inner + i0) * outs + o + lane) * elements
                else:
                    begin = ((g * outs + o + lane) * inner + i0) * elements
                for t in range(taps.size):
                    source = flat[begin + taps[t] :: step]
                    target = packed[base + (t * inner + i0) * lanes + lane :: lanes]
                    for i in range(count):
                        target[i] = source[i]


@jit
def unpack(sums: Any, dweight: Any, first: int, last: int) -> None:
    """Add up partial gradients (S, G, taps, C/G, O/G), in order, into (O, C/G, taps).

    Only output channels ``[first, last)``.
    """
    parts, groups, taps, inner, outs = sums.shape
    flat, target = sums.reshape(-1), dweight.reshape(-1)
    part = groups * taps * inner * outs
    for i0 in range(0, inner, _CHUNK):
        count = min(_CHUNK, inner - i0)
        for t in range(taps):
            for channel in range(first, last):
                g, o = channel // outs, channel % outs
                begin = ((g * taps + t) * inner + i0) * outs + o
                line = target[(channel * inner + i0) * taps + t :: taps]
                source = flat[begin::outs]
                for i in range(count):
                    line[i] = source[i]
                for s in range(1, parts):
                    source = flat[begin + s * part :: outs]
                    for i in range(count):
                        line[i] += source[i]
