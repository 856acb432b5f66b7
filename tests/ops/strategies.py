"""Legal shapes and options, drawn by Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, strategies as st

SPANS = {1: 6, 2: 4, 3: 2}  # how far a drawn image may exceed the window, by dimensions
KERNELS = {1: 5, 2: 4, 3: 2}

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(["float64", "float64", "float32"])


def ints(draw: st.DrawFn, dims: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(dims))


def span(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """Pixels from the first to the last of a window."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


@dataclass(frozen=True)
class Conv:
    """A convolution: shapes of x (N, C, *spatial) and weight, and its options."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    bias: bool
    stride: tuple[int, ...]
    padding: Any  # "same", "valid", one number per dimension, or one pair per dimension
    pairs: tuple[tuple[int, int], ...]  # the same, always as pairs
    dilation: tuple[int, ...]
    groups: int

    @property
    def dims(self) -> int:
        return len(self.stride)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }


@st.composite
def convs(draw: st.DrawFn, min_batch: int = 0) -> Conv:
    dims = draw(st.sampled_from([1, 2, 2, 3]))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    n_in, n_out = ints(draw, 2, 1, 3)
    kernel = ints(draw, dims, 1, KERNELS[dims])
    dilation = ints(draw, dims, 1, 2)
    stride = ints(draw, dims, 1, 3)
    kind = draw(st.sampled_from(["numbers", "pairs", "same", "valid"]))
    if kind == "same":
        stride = (1,) * dims
        totals = [size - 1 for size in span(kernel, dilation)]
        pairs = tuple((total // 2, total - total // 2) for total in totals)
    elif kind == "pairs":
        pairs = tuple((before, after) for before, after in [ints(draw, 2, 0, 2) for _ in stride])
    else:
        pairs = tuple((p, p) for p in ints(draw, dims, 0, 2 if kind == "numbers" else 0))
    padding = {"numbers": tuple(before for before, _ in pairs), "pairs": pairs}.get(kind, kind)
    spatial = tuple(
        max(1, size - sum(pair)) + draw(st.integers(0, SPANS[dims]))
        for size, pair in zip(span(kernel, dilation), pairs, strict=True)
    )
    batch = draw(st.integers(min_batch, 3))
    return Conv(
        x=(batch, n_in * groups, *spatial),
        weight=(n_out * groups, n_in, *kernel),
        bias=draw(st.booleans()),
        stride=stride,
        padding=padding,
        pairs=pairs,
        dilation=dilation,
        groups=groups,
    )


@dataclass(frozen=True)
class Pool:
    """A pooling: the shape of x (N, C, *spatial) and its options, one number per dimension."""

    x: tuple[int, ...]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool

    @property
    def dims(self) -> int:
        return len(self.kernel_size)


@st.composite
def pools(draw: st.DrawFn, dilated: bool = False, min_batch: int = 0) -> Pool:
    dims = draw(st.sampled_from([1, 2, 2, 3]))
    kernel = ints(draw, dims, 1, 3)
    dilation = ints(draw, dims, 1, 2) if dilated else (1,) * dims
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    spatial = tuple(
        max(1, size - 2 * p) + draw(st.integers(0, SPANS[dims]))
        for size, p in zip(span(kernel, dilation), padding, strict=True)
    )
    # With dilation a window may straddle a tiny image without touching it; PyTorch's index of such
    # a maximum lies outside the image.
    for k, p, d, n in zip(kernel, padding, dilation, spatial, strict=True):
        assume(k == 1 or d == 1 or p == 0 or n >= span((k,), (d,))[0])
    return Pool(
        x=(draw(st.integers(min_batch, 2)), draw(st.integers(1, 3)), *spatial),
        kernel_size=kernel,
        stride=ints(draw, dims, 1, 3),
        padding=padding,
        dilation=dilation,
        ceil_mode=draw(st.booleans()),
    )


@dataclass(frozen=True)
class Windows:
    """An unfold: the shape of x (N, C, *spatial) and its options, one number per dimension."""

    x: tuple[int, ...]
    kernel_size: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def options(self) -> dict[str, tuple[int, ...]]:
        return {
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
            "padding": self.padding,
            "stride": self.stride,
        }


@st.composite
def windows(draw: st.DrawFn, dims: int | None = None) -> Windows:
    dims = dims or draw(st.integers(1, 3))
    kernel, dilation = ints(draw, dims, 1, 3), ints(draw, dims, 1, 2)
    padding = ints(draw, dims, 0, 2)
    spatial = tuple(
        max(1, size - 2 * p) + draw(st.integers(0, SPANS[dims]))
        for size, p in zip(span(kernel, dilation), padding, strict=True)
    )
    return Windows(
        x=(draw(st.integers(1, 2)), draw(st.integers(1, 3)), *spatial),
        kernel_size=kernel,
        dilation=dilation,
        padding=padding,
        stride=ints(draw, dims, 1, 3),
    )
