"""Convolution layers that are measured, as plain values, and the data for them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ._drawing import host_dtype, matches, normal

MODES = ("forward", "forward+backward")


@dataclass(frozen=True)
class LayerCase:
    """One convolution layer on a square image, in one mode, at one batch size."""

    name: str
    group: str
    in_channels: int
    out_channels: int
    size: int  # height and width of the input
    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    batch: int = 1
    mode: str = "forward"
    dtype: str = "float32"

    @property
    def out_size(self) -> int:
        window = self.dilation * (self.kernel_size - 1) + 1
        return (self.size + 2 * self.padding - window) // self.stride + 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.batch, self.in_channels, self.size, self.size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (
            self.out_channels,
            self.in_channels // self.groups,
            self.kernel_size,
            self.kernel_size,
        )

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (self.batch, self.out_channels, self.out_size, self.out_size)

    @property
    def bytes(self) -> int:
        """Memory that no method can leave untouched: every operand read, every result written."""
        x, w, y = map(math.prod, (self.input_shape, self.weight_shape, self.output_shape))
        # Backward reads x, dy and the weights again, and writes the gradients of x and weights.
        numbers = x + w + y + (2 * x + 2 * w + y if self.mode == "forward+backward" else 0)
        return numbers * np.dtype(host_dtype(self.dtype)).itemsize

    @property
    def flops(self) -> int:
        """Operations of the direct method; a multiply-add counts two, backward is two more."""
        products = int(np.prod(self.output_shape)) * int(np.prod(self.weight_shape[1:]))
        return 2 * products * (3 if self.mode == "forward+backward" else 1)

    def one_image(self) -> LayerCase:
        """The same layer on a batch of one."""
        return replace(self, batch=1)

    def data(self) -> dict[str, np.ndarray]:
        """``x``, ``weight``, ``bias`` and ``dy`` from the seed that belongs to the name."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        fan_in = int(np.prod(self.weight_shape[1:]))
        draw: dict[str, np.ndarray] = {
            "weight": rng.normal(0.0, (2 / fan_in) ** 0.5, self.weight_shape),
            "bias": rng.standard_normal(self.out_channels) * 0.1,
        }
        dtype = host_dtype(self.dtype)
        return {
            "x": normal(rng, self.input_shape, dtype),
            "dy": normal(rng, self.output_shape, dtype),
            **{name: value.astype(dtype, copy=False) for name, value in draw.items()},
        }


def layer_case(
    label: str,
    group: str,
    channels: tuple[int, int],
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> LayerCase:
    """A layer under the name that its sizes give it."""
    window = f"{kernel}x{kernel}" + (f"/{stride}" if stride > 1 else "")
    name = f"{label}{window} {channels[0]}>{channels[1]}, {size}²"
    return LayerCase(
        name, group, channels[0], channels[1], size, kernel, stride, padding, dilation, groups
    )


LAYERS: tuple[LayerCase, ...] = (
    # The convolutions of ResNet-18 and -50 on ImageNet: the table that every change is held to.
    layer_case("", "table", (3, 64), 224, 7, stride=2, padding=3),
    layer_case("", "table", (64, 64), 56, 3, padding=1),
    layer_case("", "table", (128, 128), 28, 3, padding=1),
    layer_case("", "table", (256, 256), 14, 3, padding=1),
    layer_case("", "table", (512, 512), 7, 3, padding=1),
    layer_case("", "table", (64, 128), 56, 3, stride=2, padding=1),
    layer_case("", "table", (256, 64), 56, 1),
    # LeNet-5: layers so small that what surrounds the product decides.
    layer_case("LeNet ", "lenet", (1, 6), 28, 5, padding=2),
    layer_case("LeNet ", "lenet", (6, 16), 14, 5),
    # MobileNetV2's depthwise layers and ResNeXt's grouped one.
    layer_case("depthwise ", "depthwise", (96, 96), 56, 3, padding=1, groups=96),
    layer_case("depthwise ", "depthwise", (144, 144), 56, 3, stride=2, padding=1, groups=144),
    layer_case("32 groups ", "depthwise", (128, 128), 56, 3, padding=1, groups=32),
    # Shapes that no document names: odd sizes, wide windows, dilation, few or many channels.
    layer_case("", "other", (3, 64), 32, 3, padding=1),
    layer_case("", "other", (64, 256), 56, 1),
    layer_case("", "other", (256, 512), 28, 1, stride=2),
    layer_case("", "other", (48, 80), 27, 5, padding=2),
    layer_case("dilated ", "other", (64, 96), 33, 3, padding=2, dilation=2),
    layer_case("", "other", (20, 36), 61, 3),
)

QUICK_LAYERS = ("3x3 512>512, 7²", "1x1 256>64, 56²", "LeNet 5x5 6>16, 14²")


def layer_cases(
    names: list[str] | None, batches: list[int], modes: list[str], dtype: str
) -> Iterator[LayerCase]:
    """The layers whose name contains, or whose group is, one of `names`; each mode, each batch."""
    chosen = [case for case in LAYERS if matches(case.name, case.group, names)]
    if not chosen:
        raise ValueError(f"no layer matches {names}; --list shows what there is")
    for layer in chosen:
        for mode in modes:
            for batch in batches:
                yield replace(layer, batch=batch, mode=mode, dtype=dtype)
