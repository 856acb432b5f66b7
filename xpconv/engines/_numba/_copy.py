"""What is copied around the products: boxes of the input, with zeros around it."""

from __future__ import annotations

from typing import Any

from ._jit import jit


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
    elif channel == 1:
        for w in range(width):
            place = x0 + w * column
            source, target = x[place : place + channels], buffer[at + w * channels :]
            for c in range(channels):
                target[c] = source[c]
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
