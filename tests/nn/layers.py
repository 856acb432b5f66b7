"""One of every layer, with an input that it takes: what the generic layer tests run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.backends import Library, host
from xpconv import nn, use_backend
from xpconv.random import Stream, use_stream


@dataclass(frozen=True)
class Case:
    """A layer, the shapes of its inputs, and its PyTorch twin (by name, with its arguments)."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    twin: tuple[Any, ...] | None = None
    training: bool = False

    def make_seeded(self) -> nn.Module:
        """The layer with the same initial weights every time."""
        with use_stream(Stream(7)):
            return self.make()

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        """Numbers far from zero and from one another, where kinks and ties are."""
        rng = np.random.default_rng(seed)
        return [
            (rng.permutation(size := int(np.prod(shape))) - size / 2 + 0.25).reshape(shape)
            * (4.0 / size)
            for shape in self.shapes
        ]

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        with use_backend("numpy"):
            return type(self.make()).__name__

    def __str__(self) -> str:
        mode = "training" if self.training else "inference"
        with use_backend("numpy"):  # names of tests are made before the environment is cleared
            return f"{self.make()!r}:{mode}".replace(" ", "").replace("\n", "")


def case(make: Callable[[], nn.Module], *shapes: tuple[int, ...], **options: Any) -> Case:
    return Case(make, shapes, **options)


def twins(name: str, *arguments: Any, shape: tuple[int, ...], **options: Any) -> Case:
    """A layer that takes the same arguments here and in PyTorch."""
    return case(lambda: getattr(nn, name)(*arguments), shape, twin=(name, *arguments), **options)


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 2, 4, 3, 4)

CONVOLUTIONS = [
    twins("Conv1d", 4, 3, 3, shape=X1),
    twins("Conv1d", 4, 2, 2, 2, 1, 3, 2, False, shape=X1),
    twins("Conv1d", 4, 3, 1, shape=(4, 7)),  # without a batch axis
    twins("Conv2d", 4, 6, (3, 2), 2, 1, 1, 2, False, shape=X2),
    twins("Conv2d", 4, 3, 3, 1, "same", shape=X2),
    twins("Conv2d", 4, 3, (2, 3), (2, 1), "valid", (1, 2), shape=X2),
    twins("Conv2d", 4, 8, 3, 1, (2, 0), 1, 4, shape=X2),  # each channel for itself
    twins("Conv2d", 4, 3, 1, 2, shape=X2),
    twins("Conv2d", 4, 3, 3, shape=(4, 6, 5)),
    case(lambda: nn.Conv2d(4, 3, 3, padding=((0, 1), (2, 0))), X2),
    twins("Conv3d", 2, 3, (2, 1, 3), shape=X3),
    twins("Conv3d", 2, 4, 2, (2, 1, 2), 1, (1, 2, 1), 2, shape=X3),
]
POOLS = [
    twins("MaxPool1d", 3, 2, 1, shape=X1),
    twins("MaxPool1d", 2, 1, 0, 2, shape=X1),
    twins("MaxPool2d", 2, shape=X2),
    twins("MaxPool2d", (3, 2), (1, 2), (1, 0), (1, 2), shape=X2),
    twins("MaxPool2d", 2, 2, 0, 1, False, True, shape=X2),
    twins("MaxPool2d", 2, shape=(4, 6, 5)),
    twins("MaxPool3d", 2, 1, shape=X3),
    twins("MaxPool3d", (2, 3, 2), 2, (1, 0, 1), 1, False, True, shape=X3),
    twins("AvgPool1d", 3, 2, 1, shape=X1),
    twins("AvgPool1d", 3, None, 0, True, False, shape=X1),
    twins("AvgPool2d", 2, shape=X2),
    twins("AvgPool2d", 3, 2, 1, True, False, shape=X2),
    twins("AvgPool2d", (2, 3), 1, (1, 0), False, True, 5, shape=X2),
    twins("AvgPool3d", 2, None, 0, False, True, 3, shape=X3),
    twins("AvgPool3d", (2, 3, 2), 1, (1, 0, 1), shape=X3),
    case(nn.GlobalAvgPool, X1, twin=("AdaptiveAvgPool1d", 1)),
    case(nn.GlobalAvgPool, X2, twin=("AdaptiveAvgPool2d", 1)),
    case(nn.GlobalMaxPool, X2, twin=("AdaptiveMaxPool2d", 1)),
    case(nn.GlobalMaxPool, X3, twin=("AdaptiveMaxPool3d", 1)),
]
NORMS = [
    twins(name, 4, shape=shape, training=training)
    for name, shape in (
        ("BatchNorm1d", (5, 4)),
        ("BatchNorm1d", X1),
        ("BatchNorm2d", X2),
        ("BatchNorm3d", (2, 4, 2, 3, 2)),
    )
    for training in (False, True)
] + [
    twins("BatchNorm2d", 4, 0.1, None, False, shape=X2, training=True),
    *(
        twins("BatchNorm2d", 4, 1e-5, 0.1, affine, False, shape=X2, training=training)
        for affine, training in ((True, False), (True, True), (False, False))
    ),
]
OTHER_LAYERS = [
    twins("Linear", 4, 3, shape=(2, 4)),
    twins("Linear", 4, 3, shape=(4,)),
    twins("Linear", 4, 3, False, shape=(2, 5, 4)),
    twins("Dropout", 0.3, shape=X2),
    case(lambda: nn.Dropout(0.3), X2, training=True),
    twins("Dropout", 0.0, shape=X2, training=True),
    twins("Dropout", 1.0, shape=X2, training=True),
    twins("ReLU", shape=X1),
    twins("LeakyReLU", shape=X1),
    twins("LeakyReLU", 0.2, shape=X1),
    twins("Sigmoid", shape=X1),
    twins("Tanh", shape=X1),
    twins("GELU", shape=X1),
    twins("GELU", "tanh", shape=X1),
    twins("SiLU", shape=X1),
    twins("Softmax", 1, shape=X1),
    case(nn.Softmax, X1, twin=("Softmax", -1)),
    twins("LogSoftmax", -1, shape=X1),
    case(nn.LogSoftmax, X1, twin=("LogSoftmax", -1)),
    twins("Flatten", shape=X2),
    twins("Flatten", 0, 1, shape=X2),
    twins("Identity", shape=X1),
    twins("Unfold", 2, 1, 1, 2, shape=X2),
    twins("Unfold", (3, 2), (1, 2), 0, (1, 2), shape=X2),
    twins("Fold", (3, 4), 2, shape=(2, 12, 6)),
    twins("Fold", (5, 4), 2, (2, 1), (1, 0), 2, shape=(2, 8, 6)),
    case(nn.Add, X1, X1),
    case(nn.Add, X1, X1, X1),
]


def graph() -> nn.Module:
    """A diamond with an input of its own on either side."""
    x, z = nn.Input(), nn.Input()
    h = nn.Linear(4, 3)(x)
    return nn.Graph((x, z), nn.Add()(nn.Tanh()(h), nn.Sigmoid()(h), z))


CONTAINERS = [
    case(lambda: nn.Sequential(nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(60, 2)), X2),
    case(lambda: nn.Residual(nn.Conv1d(4, 4, 3, padding=1)), X1),
    case(lambda: nn.Residual(nn.Conv1d(4, 3, 1), nn.Conv1d(4, 3, 1, bias=False)), X1),
    case(lambda: nn.Concat(nn.Conv1d(4, 2, 1), nn.Conv1d(4, 3, 1), nn.Identity()), X1),
    case(nn.Concat, (2, 3, 4), (2, 1, 4)),
    case(lambda: nn.Concat(dim=-1), X1),
    case(graph, (2, 4), (2, 3)),
]
CASES = CONVOLUTIONS + POOLS + NORMS + OTHER_LAYERS + CONTAINERS

# public names that are no layers
OTHERS = {
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Input",
    "Loss",
    "MSELoss",
    "Module",
    "StateDictError",
    "Summary",
    "init",
    "observe",
    "summary",
}


def placed(module: nn.Module, backend: Library, dtype: str = "float64") -> nn.Module:
    """The module with its arrays on a library, floating ones as ``dtype``."""
    module.update(
        {
            key: backend.array(host(value), dtype if host(value).dtype.kind == "f" else None)
            for key, value in module.state_dict().items()
        }
    )
    return module


def run(layer: nn.Module, *inputs: Any, training: bool = True, seed: int = 1) -> Any:
    """Forward with the same dropout masks every time."""
    with use_stream(Stream(seed)):
        return layer.forward(*inputs, training=training)


def together(dx: Any, count: int = 1) -> tuple[Any, ...]:
    """The gradients of all inputs, also of a single one."""
    return dx if count > 1 else (dx,)
