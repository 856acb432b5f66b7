"""Networks that are measured, in training steps and in inference, and the data for them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from ._drawing import host_dtype, normal

STEP, INFERENCE = "training step", "inference"
STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class TrainingCase:
    """One training step (forward, backward, SGD with momentum) of a named network, or inference.

    In half precision the weights stay float32 and are cast in each step.
    """

    name: str
    group: str  # "large", "small", "imagenet" or "gpu"; GPUs alone run "gpu"
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
            (normal(rng, shape, self.dtype), rng.integers(0, self.classes, self.batch))
            for _ in range(self.pool)
        ]

    def draws(self, name: str) -> bool:
        """Whether a parameter or buffer begins as `initial` says; else as its library makes it."""
        if name.endswith(STATISTICS):
            return self.mode == INFERENCE
        return not name.endswith("num_batches_tracked")

    def initial(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Starting value of the parameter called `name`.

        Drawn by name and shape: every library then starts from the same weights, without one
        sending them to another. Batch norms start as the identity, biases at zero; running
        statistics, which inference reads, are those of a trained network: any.
        """
        rng = np.random.default_rng(zlib.crc32(f"{self.model}.{name}".encode()))
        if name.endswith(STATISTICS):
            low, high = (0.5, 1.5) if name.endswith("var") else (-0.5, 0.5)
            return rng.uniform(low, high, shape).astype(host_dtype(self.dtype))
        if len(shape) < 2:
            ones = name.endswith("weight")  # of a batch norm
            return np.full(shape, 1.0 if ones else 0.0, dtype=host_dtype(self.dtype))
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

NETWORKS: tuple[TrainingCase, ...] = tuple(
    TrainingCase(
        f"{title} 224², batch {batch}",
        "imagenet",
        model,
        batch,
        channels=3,
        size=224,
        classes=1000,
        pool=1,
        mode=mode,
    )
    for mode, batches in ((INFERENCE, (1, 32)), (STEP, (8,)))
    for title, model in (("ResNet-18", "resnet18"), ("MobileNetV2", "mobilenet_v2"))
    for batch in batches
)

# Of MobileNetV2, whose twins are written from this: expansion, channels, blocks, first stride.
MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
