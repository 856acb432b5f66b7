"""What is measured: the problems as plain values, and the real random data for them.

Nothing here knows a library. A case travels to the workers as JSON, and each worker draws the
same data from the same seed, so no array ever crosses a process border.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

MODES = ("forward", "forward+backward")
GROUPS = ("table", "lenet", "depthwise", "other")
STEP, INFERENCE = "training step", "inference"
PRECISIONS = {"float16": "fp16", "bfloat16": "bf16"}


def host_dtype(dtype: str) -> str:
    """What data is drawn in: half precision comes to be on the device."""
    return "float32" if dtype in PRECISIONS else dtype


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
            "x": rng.standard_normal(self.input_shape, dtype=np.float32),
            "dy": rng.standard_normal(self.output_shape, dtype=np.float32),
        }
        dtype = host_dtype(self.dtype)
        return {name: value.astype(dtype, copy=False) for name, value in draw.items()}


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


@dataclass(frozen=True)
class TrainingCase:
    """One training step (forward, backward, SGD with momentum) of a named network, or inference.

    In half precision the weights stay float32 and are cast in each step.
    """

    name: str
    group: str  # "large", "small" or "gpu": each has a target of its own, and GPUs alone run "gpu"
    model: str
    batch: int
    channels: int
    size: int
    dtype: str = "float32"
    classes: int = 10
    lr: float = 1e-3  # small, so that hundreds of timed steps never leave ordinary numbers
    momentum: float = 0.9
    pool: int = 8  # distinct batches, used in turn
    mode: str = STEP

    def one_image(self) -> TrainingCase:
        """The same network on a batch of one."""
        return replace(self, name=f"{self.model}, one image", group="small", batch=1)

    def data(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """``pool`` batches of images (N, C, H, W) and labels (N,)."""
        rng = np.random.default_rng(zlib.crc32(self.model.encode()))
        shape = (self.batch, self.channels, self.size, self.size)
        return [
            (
                rng.standard_normal(shape, dtype=np.float32).astype(
                    host_dtype(self.dtype), copy=False
                ),
                rng.integers(0, self.classes, self.batch),
            )
            for _ in range(self.pool)
        ]

    def initial(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Starting value of the parameter called `name`.

        Drawn by name and shape: every library then starts from the same weights, without one
        sending them to another. Batch norms start as the identity, biases at zero.
        """
        if len(shape) < 2:
            ones = name.endswith("weight")  # of a batch norm
            return np.full(shape, 1.0 if ones else 0.0, dtype=host_dtype(self.dtype))
        rng = np.random.default_rng(zlib.crc32(f"{self.model}.{name}".encode()))
        deviation = (2 / int(np.prod(shape[1:]))) ** 0.5
        return rng.normal(0.0, deviation, shape).astype(host_dtype(self.dtype))


TRAINING: tuple[TrainingCase, ...] = (
    TrainingCase("LeNet-5 28², batch 128", "large", "lenet5", 128, 1, 28),
    TrainingCase("VGG-like 32², batch 64", "large", "small_vgg", 64, 3, 32),
    TrainingCase("ResNet-18 CIFAR 32², batch 32", "large", "resnet18_cifar", 32, 3, 32),
    TrainingCase("LeNet-5 28², batch 16", "small", "lenet5", 16, 1, 28),
    TrainingCase("LeNet-5 28², batch 1", "small", "lenet5", 1, 1, 28),
    TrainingCase("ResNet-18 CIFAR 32², batch 256", "gpu", "resnet18_cifar", 256, 3, 32, pool=4),
    TrainingCase("ResNet-50 224², batch 64", "gpu", "resnet50", 64, 3, 224, pool=2),
)

QUICK_TRAINING = ("LeNet-5 28², batch 16",)

Case = LayerCase | TrainingCase


def matches(name: str, group: str, wanted: list[str] | None) -> bool:
    return not wanted or any(word == group or word.lower() in name.lower() for word in wanted)


def to_json(case: Case) -> dict[str, Any]:
    return {"kind": "layer" if isinstance(case, LayerCase) else "training", **asdict(case)}


def from_json(message: dict[str, Any]) -> Case:
    fields = {key: value for key, value in message.items() if key != "kind"}
    return LayerCase(**fields) if message["kind"] == "layer" else TrainingCase(**fields)
