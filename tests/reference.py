"""Slow, obvious answers that the library is tested against.

Plain NumPy and Python loops, written from the formulas; nothing here imports xpconv. The first
part is the chapter "CNN from scratch" as it is usually told, for one image at a time; the second
part is the general case with batches, strides, paddings, dilations and groups in any number of
dimensions. Both are themselves tested against SciPy and PyTorch in ``tests/test_reference.py``.

Shapes: N images, C and O channels, H W pixels, KH KW kernel pixels, OH OW output pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

Array = np.ndarray
Ints = Sequence[int]
Pairs = Sequence[tuple[int, int]]


# --- the chapter's own formulas: one image, stride 1 ---------------------------------------------


def output_size(size: int, kernel: int) -> int:
    """How many places a kernel fits in: Y = I - K + 1."""
    return size - kernel + 1


def cross_correlate(x: Array, kernel: Array) -> Array:
    """Valid cross-correlation, y[i, j] = sum over m, n of x[i + m, j + n] k[m, n]."""
    kh, kw = kernel.shape
    y = np.zeros((output_size(x.shape[0], kh), output_size(x.shape[1], kw)))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            for m in range(kh):
                for n in range(kw):
                    y[i, j] += x[i + m, j + n] * kernel[m, n]
    return y


def rotate(kernel: Array) -> Array:
    """A kernel turned by 180 degrees."""
    return kernel[::-1, ::-1]


def convolve(x: Array, kernel: Array) -> Array:
    """Valid convolution: cross-correlation with the rotated kernel."""
    return cross_correlate(x, rotate(kernel))


def full_cross_correlate(x: Array, kernel: Array) -> Array:
    """Cross-correlation wherever kernel and image overlap in at least one pixel."""
    kh, kw = kernel.shape
    return cross_correlate(pad(x, [(kh - 1, kh - 1), (kw - 1, kw - 1)]), kernel)


def full_convolve(x: Array, kernel: Array) -> Array:
    """Convolution wherever kernel and image overlap in at least one pixel."""
    return full_cross_correlate(x, rotate(kernel))


def conv_layer(x: Array, kernels: Array, bias: Array) -> Array:
    """A layer, Y_i = b_i + sum over j of X_j * K_ij, for x (C, H, W) and kernels (O, C, KH, KW)."""
    return np.stack(
        [
            bias[i] + sum(cross_correlate(x[j], kernels[i, j]) for j in range(x.shape[0]))
            for i in range(kernels.shape[0])
        ]
    )


def conv_layer_gradients(x: Array, kernels: Array, dy: Array) -> tuple[Array, Array, Array]:
    """The three derivatives of a loss with respect to X, K and b, given dy = dL/dY.

    dL/dK_ij = X_j * dL/dY_i (valid correlation), dL/db_i = sum of dL/dY_i,
    dL/dX_j = sum over i of the full convolution of dL/dY_i with K_ij.
    """
    n_out, n_in = kernels.shape[:2]
    dkernels = np.stack(
        [np.stack([cross_correlate(x[j], dy[i]) for j in range(n_in)]) for i in range(n_out)]
    )
    dbias = np.array([dy[i].sum() for i in range(n_out)])
    dx = np.stack(
        [sum(full_convolve(dy[i], kernels[i, j]) for i in range(n_out)) for j in range(n_in)]
    )
    return dx, dkernels, dbias


def max_pool_layer(x: Array, size: int) -> Array:
    """The largest pixel of each tile of size x size, for x (C, H, W)."""
    c, h, w = x.shape
    y = np.zeros((c, h // size, w // size))
    for k, i, j in np.ndindex(y.shape):
        y[k, i, j] = max(x[k, i * size + m, j * size + n] for m in range(size) for n in range(size))
    return y


def max_pool_layer_gradient(x: Array, dy: Array, size: int) -> Array:
    """Each dy goes to the place of its tile's (first) maximum."""
    dx = np.zeros_like(x)
    for k, i, j in np.ndindex(dy.shape):
        places = [(i * size + m, j * size + n) for m in range(size) for n in range(size)]
        best = max(places, key=lambda place: x[k, *place])  # max() keeps the first of equals
        dx[k, *best] += dy[k, i, j]
    return dx


def average_pool_layer(x: Array, size: int) -> Array:
    """The mean of each tile of size x size, for x (C, H, W)."""
    c, h, w = x.shape
    y = np.zeros((c, h // size, w // size))
    for k, i, j in np.ndindex(y.shape):
        for m in range(size):
            for n in range(size):
                y[k, i, j] += x[k, i * size + m, j * size + n] / size**2
    return y


def average_pool_layer_gradient(x: Array, dy: Array, size: int) -> Array:
    """Each dy is shared evenly by the pixels of its tile."""
    dx = np.zeros_like(x)
    for k, i, j in np.ndindex(dy.shape):
        for m in range(size):
            for n in range(size):
                dx[k, i * size + m, j * size + n] += dy[k, i, j] / size**2
    return dx


# --- any number of spatial dimensions ------------------------------------------------------------


def pad(x: Array, pairs: Pairs, value: float = 0.0) -> Array:
    """``value`` around the last ``len(pairs)`` axes of x, (before, after) each."""
    lead = x.shape[: x.ndim - len(pairs)]
    sizes = [before + n + after for n, (before, after) in zip(x.shape[-len(pairs) :], pairs)]
    y = np.full((*lead, *sizes), value, dtype=np.result_type(x.dtype, type(value)))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(x.shape[len(lead) :], pairs))
    y[(..., *inside)] = x
    return y


def crop(x: Array, pairs: Pairs) -> Array:
    """What `pad` put around x, taken away again."""
    sizes = x.shape[-len(pairs) :]
    return x[(..., *(slice(before, n - after) for n, (before, after) in zip(sizes, pairs)))]


def same_pairs(kernel: Ints, dilation: Ints) -> Pairs:
    """Padding that keeps the size; an odd remainder goes after, as in PyTorch."""
    total = [d * (k - 1) for k, d in zip(kernel, dilation)]
    return [(t // 2, t - t // 2) for t in total]


def conv_output_size(size: int, kernel: int, stride: int, pair: tuple[int, int], dilation: int):
    """Count the places by walking: the kernel's first pixel at 0, stride, 2 stride, ..."""
    span = dilation * (kernel - 1) + 1
    start, places = 0, 0
    while start + span <= size + sum(pair):
        start, places = start + stride, places + 1
    return places


def windows(place: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[slice, ...]:
    """The slices of the window whose output pixel is ``place``."""
    return tuple(
        slice(o * s, o * s + d * (k - 1) + 1, d)
        for o, k, s, d in zip(place, kernel, stride, dilation)
    )


def conv(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    pairs: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
    """Cross-correlation of x (N, C, *spatial) with weight (O, C / groups, *kernel)."""
    kernel = weight.shape[2:]
    padded = pad(x, pairs)
    sizes = [conv_output_size(*args) for args in zip(x.shape[2:], kernel, stride, pairs, dilation)]
    n_out, n_in = weight.shape[:2]
    y = np.zeros((x.shape[0], n_out, *sizes))
    for n, o, *place in np.ndindex(y.shape):
        group = o // (n_out // groups)
        window = windows(place, kernel, stride, dilation)
        patch = padded[(n, slice(group * n_in, (group + 1) * n_in), *window)]
        y[(n, o, *place)] = np.sum(patch * weight[o]) + (0.0 if bias is None else bias[o])
    return y


def conv_gradients(
    x: Array,
    weight: Array,
    dy: Array,
    stride: Ints,
    pairs: Pairs,
    dilation: Ints,
    groups: int,
) -> tuple[Array, Array, Array]:
    """The derivatives of sum(dy * conv(x, weight, bias)) with respect to x, weight and bias."""
    kernel = weight.shape[2:]
    padded = pad(x, pairs)
    dpadded, dweight, dbias = np.zeros(padded.shape), np.zeros(weight.shape), np.zeros(len(weight))
    n_out, n_in = weight.shape[:2]
    for n, o, *place in np.ndindex(dy.shape):
        group = o // (n_out // groups)
        window = windows(place, kernel, stride, dilation)
        where = (n, slice(group * n_in, (group + 1) * n_in), *window)
        dpadded[where] += dy[(n, o, *place)] * weight[o]
        dweight[o] += dy[(n, o, *place)] * padded[where]
        dbias[o] += dy[(n, o, *place)]
    return crop(dpadded, pairs), dweight, dbias


def unfold(x: Array, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Array:
    """Column l of the result is the l-th window of x, flattened: (N, C * prod(kernel), L)."""
    pairs = [(p, p) for p in padding]
    padded = pad(x, pairs)
    sizes = [conv_output_size(*args) for args in zip(x.shape[2:], kernel, stride, pairs, dilation)]
    columns = [
        padded[(slice(None), slice(None), *windows(place, kernel, stride, dilation))].reshape(
            x.shape[0], -1
        )
        for place in np.ndindex(*sizes)
    ]
    return np.stack(columns, axis=2)


def fold(
    columns: Array, size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints
) -> Array:
    """Every column added back to the place where `unfold` read it."""
    pairs = [(p, p) for p in padding]
    channels = columns.shape[1] // math.prod(kernel)
    padded = np.zeros((columns.shape[0], channels, *(n + 2 * p for n, p in zip(size, padding))))
    sizes = [conv_output_size(*args) for args in zip(size, kernel, stride, pairs, dilation)]
    for column, place in enumerate(np.ndindex(*sizes)):
        where = (slice(None), slice(None), *windows(place, kernel, stride, dilation))
        padded[where] += columns[:, :, column].reshape(-1, channels, *kernel)
    return crop(padded, pairs)


def pool_output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Windows of a pooling; in ceil mode a last one may hang over the end of the padding.

    It is dropped when it would start in the padding, where it sees nothing of the image.
    """
    span = dilation * (kernel - 1) + 1
    places, start = 0, 0
    while start + span <= size + 2 * padding:
        start, places = start + stride, places + 1
    incomplete = start - stride + span < size + 2 * padding
    if ceil_mode and incomplete and start < size + padding:
        places += 1
    return places


def _pool_windows(
    shape: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """Each output pixel with the input pixels of its window; those in the padding lie outside."""
    sizes = [
        pool_output_size(*args, ceil_mode) for args in zip(shape, kernel, stride, padding, dilation)
    ]
    for place in np.ndindex(*sizes):
        yield (
            place,
            [
                tuple(
                    o * s - p + d * m
                    for o, s, p, d, m in zip(place, stride, padding, dilation, offset)
                )
                for offset in np.ndindex(*kernel)
            ],
        )


def _pool_sizes(x: Array, kernel, stride, padding, dilation, ceil_mode) -> tuple[int, ...]:
    spatial = x.shape[2:]
    return tuple(
        pool_output_size(*args, ceil_mode)
        for args in zip(spatial, kernel, stride, padding, dilation)
    )


def _inside(pixel: Ints, shape: Ints) -> bool:
    return all(0 <= i < n for i, n in zip(pixel, shape))


def max_pool(
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """The largest pixel of each window and its flat place in the image.

    The first of equals wins; a NaN beats every number and a later NaN an earlier one (as PyTorch).
    """
    spatial = x.shape[2:]
    sizes = _pool_sizes(x, kernel, stride, padding, dilation, ceil_mode)
    y = np.full((*x.shape[:2], *sizes), -np.inf)
    indices = np.full(y.shape, -1, dtype=np.int64)
    for n, c in np.ndindex(*x.shape[:2]):
        for place, pixels in _pool_windows(spatial, kernel, stride, padding, dilation, ceil_mode):
            for pixel in pixels:
                if not _inside(pixel, spatial):
                    continue
                value, best = x[(n, c, *pixel)], y[(n, c, *place)]
                if indices[(n, c, *place)] < 0 or value > best or np.isnan(value):
                    y[(n, c, *place)] = value
                    indices[(n, c, *place)] = np.ravel_multi_index(pixel, spatial)
    return y, indices


def max_pool_gradient(x: Array, indices: Array, dy: Array) -> Array:
    """Each dy added at the place of its maximum."""
    dx = np.zeros(x.shape)
    for n, c, *place in np.ndindex(dy.shape):
        pixel = np.unravel_index(indices[(n, c, *place)], x.shape[2:])
        dx[(n, c, *pixel)] += dy[(n, c, *place)]
    return dx


def _avg_divisor(pixels, spatial, padding, count_include_pad, divisor_override) -> int:
    if divisor_override:
        return divisor_override
    if count_include_pad:  # what lies beyond the padding (in ceil mode) does not count
        return sum(
            all(-p <= i < n + p for i, n, p in zip(pixel, spatial, padding)) for pixel in pixels
        )
    return sum(_inside(pixel, spatial) for pixel in pixels)


def avg_pool(
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window."""
    spatial, dilation = x.shape[2:], [1] * len(kernel)
    sizes = _pool_sizes(x, kernel, stride, padding, dilation, ceil_mode)
    y = np.zeros((*x.shape[:2], *sizes))
    for place, pixels in _pool_windows(spatial, kernel, stride, padding, dilation, ceil_mode):
        divisor = _avg_divisor(pixels, spatial, padding, count_include_pad, divisor_override)
        for pixel in pixels:
            if _inside(pixel, spatial):
                y[(..., *place)] += x[(..., *pixel)] / divisor
    return y


def avg_pool_gradient(
    x: Array,
    dy: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Each dy shared by the pixels of its window."""
    spatial, dilation = x.shape[2:], [1] * len(kernel)
    dx = np.zeros(x.shape)
    for place, pixels in _pool_windows(spatial, kernel, stride, padding, dilation, ceil_mode):
        divisor = _avg_divisor(pixels, spatial, padding, count_include_pad, divisor_override)
        for pixel in pixels:
            if _inside(pixel, spatial):
                dx[(..., *pixel)] += dy[(..., *place)] / divisor
    return dx


# --- layers without windows ----------------------------------------------------------------------


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """y[..., o] = b[o] + sum over i of x[..., i] w[o, i]."""
    y = np.zeros((*x.shape[:-1], weight.shape[0]))
    for *row, o in np.ndindex(y.shape):
        y[(*row, o)] = sum(x[(*row, i)] * weight[o, i] for i in range(weight.shape[1]))
        if bias is not None:
            y[(*row, o)] += bias[o]
    return y


def batch_norm(
    x: Array,
    mean: Array | None,
    var: Array | None,
    weight: Array | None,
    bias: Array | None,
    eps: float,
) -> Array:
    """Each channel minus its mean, over its standard deviation; None means those of the batch."""
    y = np.zeros(x.shape)
    for c in range(x.shape[1]):
        values = x[:, c]
        centre = values.mean() if mean is None else mean[c]
        spread = ((values - values.mean()) ** 2).mean() if var is None else var[c]
        y[:, c] = (values - centre) / math.sqrt(spread + eps)
        y[:, c] = y[:, c] * (1 if weight is None else weight[c]) + (0 if bias is None else bias[c])
    return y


def softmax(x: Array, dim: int) -> Array:
    """exp(x) / sum of exp(x), along one axis."""
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


# --- losses --------------------------------------------------------------------------------------


def _reduce(losses: Array, reduction: str, total: float | None = None) -> Array:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.asarray(losses.sum())
    return np.asarray(losses.sum() / (losses.size if total is None else total))


def cross_entropy(
    logits: Array,
    labels: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """-w[label] log p[label] for logits (N, C, *rest) and labels (N, *rest).

    Smoothing shares a part of each label evenly among all classes.

    The mean divides by the sum of the weights of the labels that count.
    """
    n_classes = logits.shape[1]
    w = np.ones(n_classes) if weight is None else weight
    losses, total = np.zeros(labels.shape), 0.0
    for place in np.ndindex(labels.shape):
        label = labels[place]
        if label == ignore_index:
            continue
        row = logits[(place[0], slice(None), *place[1:])]
        log_p = row - (row.max() + math.log(sum(math.exp(v - row.max()) for v in row)))
        smooth = sum(w[c] * log_p[c] for c in range(n_classes)) / n_classes
        losses[place] = -(1 - label_smoothing) * w[label] * log_p[label] - label_smoothing * smooth
        total += w[label]
    return _reduce(losses, reduction, total)


def mse_loss(x: Array, target: Array, reduction: str = "mean") -> Array:
    """(x - target) squared."""
    return _reduce((x - target) ** 2, reduction)


def bce_with_logits(
    x: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """-(p t log s(x) + (1 - t) log(1 - s(x))) with the logistic function s, p = pos_weight."""
    positive = np.broadcast_to(1.0 if pos_weight is None else pos_weight, x.shape)
    losses = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        v, t = float(x[place]), float(target[place])
        log_s = -math.log1p(math.exp(-v)) if v > 0 else v - math.log1p(math.exp(v))
        losses[place] = -(positive[place] * t * log_s + (1 - t) * (log_s - v))
    if weight is not None:
        losses = losses * weight
    return _reduce(losses, reduction)


# --- random numbers ------------------------------------------------------------------------------


def philox4x32(
    counter: tuple[int, int, int, int], key: tuple[int, int], rounds: int = 10
) -> tuple[int, int, int, int]:
    """Philox4x32 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011)."""
    mask = 0xFFFFFFFF
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (second >> 32) ^ c1 ^ k0,
            second & mask,
            (first >> 32) ^ c3 ^ k1,
            first & mask,
        )
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c0, c1, c2, c3


# the known answers that Random123 ships: counter, key, result
PHILOX_KNOWN_ANSWERS = [
    (
        (0x00000000, 0x00000000, 0x00000000, 0x00000000),
        (0x00000000, 0x00000000),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
