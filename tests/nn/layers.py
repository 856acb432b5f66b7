"""One of every layer, with an input that it takes: what the generic layer tests run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.backends import Library, host
from xpconv import nn


@dataclass(frozen=True)
class Case:
    """A layer, the shapes of its inputs, and its PyTorch twin (by name, with its arguments)."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    twin: tuple[Any, ...] | None = None
    training: bool = False

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        """Numbers far from zero and from one another, where kinks and ties are."""
        rng = np.random.default_rng(seed)
        return [
            (rng.permutation(size := int(np.prod(shape))) - size / 2 + 0.25).reshape(shape)
            * (4.0 / size)
            for shape in self.shapes
        ]

    def __str__(self) -> str:
        mode = "training" if self.training else "inference"
        return f"{self.make()!r}:{mode}".replace(" ", "").replace("\n", "")


def case(make: Callable[[], nn.Module], *shapes: tuple[int, ...], **options: Any) -> Case:
    return Case(make, shapes, **options)


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 2, 4, 3, 4)

CASES = [
    case(lambda: nn.Conv1d(4, 3, 3), X1, twin=("Conv1d", 4, 3, 3)),
    case(
        lambda: nn.Conv2d(4, 6, (3, 2), 2, 1, 1, 2, bias=False),
        X2,
        twin=("Conv2d", 4, 6, (3, 2), 2, 1, 1, 2, False),
    ),
    case(lambda: nn.Conv2d(4, 3, 3, padding="same"), X2, twin=("Conv2d", 4, 3, 3, 1, "same")),
    case(lambda: nn.Conv2d(4, 3, 3, padding=((0, 1), (2, 0))), X2),
    case(lambda: nn.Conv3d(2, 3, (2, 1, 3)), X3, twin=("Conv3d", 2, 3, (2, 1, 3))),
    case(lambda: nn.MaxPool1d(3, 2, 1), X1, twin=("MaxPool1d", 3, 2, 1)),
    case(lambda: nn.MaxPool2d(2), X2, twin=("MaxPool2d", 2)),
    case(
        lambda: nn.MaxPool2d(2, 2, 0, 1, False, True),
        X2,
        twin=("MaxPool2d", 2, 2, 0, 1, False, True),
    ),
    case(lambda: nn.MaxPool3d(2, 1), X3, twin=("MaxPool3d", 2, 1)),
    case(lambda: nn.AvgPool1d(3, 2, 1), X1, twin=("AvgPool1d", 3, 2, 1)),
    case(
        lambda: nn.AvgPool2d(3, 2, 1, True, False),
        X2,
        twin=("AvgPool2d", 3, 2, 1, True, False),
    ),
    case(
        lambda: nn.AvgPool3d(2, divisor_override=3),
        X3,
        twin=("AvgPool3d", 2, None, 0, False, True, 3),
    ),
    case(nn.GlobalAvgPool, X2, twin=("AdaptiveAvgPool2d", 1)),
    case(nn.GlobalMaxPool, X3, twin=("AdaptiveMaxPool3d", 1)),
    case(lambda: nn.Linear(4, 3), (2, 4), twin=("Linear", 4, 3)),
    case(lambda: nn.Linear(4, 3, bias=False), (2, 5, 4), twin=("Linear", 4, 3, False)),
    *(
        case(lambda make=make: make(4), shape, twin=(make.__name__, 4), training=training)
        for make, shape in (
            (nn.BatchNorm1d, (5, 4)),
            (nn.BatchNorm1d, X1),
            (nn.BatchNorm2d, X2),
            (nn.BatchNorm3d, (2, 4, 2, 3, 2)),
        )
        for training in (False, True)
    ),
    case(
        lambda: nn.BatchNorm2d(4, 0.1, None, False),
        X2,
        twin=("BatchNorm2d", 4, 0.1, None, False),
        training=True,
    ),
    case(
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
        X2,
        twin=("BatchNorm2d", 4, 1e-5, 0.1, True, False),
    ),
    case(lambda: nn.Dropout(0.3), X2, twin=("Dropout", 0.3)),
    case(lambda: nn.Dropout(0.3), X2, training=True),
    case(nn.ReLU, X1, twin=("ReLU",)),
    case(nn.LeakyReLU, X1, twin=("LeakyReLU",)),
    case(lambda: nn.LeakyReLU(0.2), X1, twin=("LeakyReLU", 0.2)),
    case(nn.Sigmoid, X1, twin=("Sigmoid",)),
    case(nn.Tanh, X1, twin=("Tanh",)),
    case(nn.GELU, X1, twin=("GELU",)),
    case(lambda: nn.GELU("tanh"), X1, twin=("GELU", "tanh")),
    case(nn.SiLU, X1, twin=("SiLU",)),
    case(lambda: nn.Softmax(1), X1, twin=("Softmax", 1)),
    case(lambda: nn.LogSoftmax(-1), X1, twin=("LogSoftmax", -1)),
    case(nn.Flatten, X2, twin=("Flatten",)),
    case(lambda: nn.Flatten(0, 1), X2, twin=("Flatten", 0, 1)),
    case(nn.Identity, X1, twin=("Identity",)),
    case(lambda: nn.Unfold(2, 1, 1, 2), X2, twin=("Unfold", 2, 1, 1, 2)),
    case(lambda: nn.Fold((3, 4), 2), (2, 12, 6), twin=("Fold", (3, 4), 2)),
    case(nn.Add, X1, X1),
    case(nn.Add, X1, X1, X1),
    case(lambda: nn.Sequential(nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(60, 2)), X2),
    case(lambda: nn.Residual(nn.Conv1d(4, 4, 3, padding=1)), X1),
    case(lambda: nn.Residual(nn.Conv1d(4, 3, 1), nn.Conv1d(4, 3, 1, bias=False)), X1),
    case(lambda: nn.Concat(nn.Conv1d(4, 2, 1), nn.Conv1d(4, 3, 1), nn.Identity()), X1),
    case(nn.Concat, (2, 3, 4), (2, 1, 4)),
]

# public names that are no layers
OTHERS = {
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Graph",
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
