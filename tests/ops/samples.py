"""Sample arguments for every differentiable operation: what the generic gradient tests run on.

An operation without a line here fails `test_every_operation_has_samples`, so that none can exist
whose gradient was never checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Maker = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Maker:
    """Normally distributed numbers."""
    return lambda rng: rng.normal(size=shape)


def uniform(*shape: int) -> Maker:
    """Numbers between 0.5 and 2, fit for variances and weights."""
    return lambda rng: rng.uniform(0.5, 2.0, size=shape)


def probabilities(*shape: int) -> Maker:
    """Numbers between 0 and 1."""
    return lambda rng: rng.uniform(0.05, 0.95, size=shape)


def apart(*shape: int) -> Maker:
    """Numbers that are far from zero and from one another: away from kinks and ties."""
    size = int(np.prod(shape))
    return lambda rng: (rng.permutation(size) - size / 2 + 0.25).reshape(shape) * (4.0 / size)


def classes(count: int, *shape: int) -> Maker:
    """Class labels."""
    return lambda rng: rng.integers(0, count, size=shape)


@dataclass(frozen=True)
class Sample:
    """One call of an operation.

    ``arguments`` make the array arguments, in the operation's order (None where one is left out).
    ``wanted`` are those for which a gradient must come back; for a floating argument that is not
    among them None is allowed, and any gradient that does come back is checked.
    """

    operation: str
    arguments: tuple[Maker | None, ...]
    options: dict[str, Any] = field(default_factory=dict)
    wanted: tuple[int, ...] = (0,)

    def arrays(self) -> list[np.ndarray | None]:
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        return [None if maker is None else maker(rng) for maker in self.arguments]

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.operation}({options})".replace(" ", "")


def sample(operation: str, *arguments: Maker | None, wanted: Any = (0,), **options: Any) -> Sample:
    return Sample(operation, arguments, options, tuple(wanted))


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 2, 4, 3, 4)
ALL, PAIR = (0, 1, 2), (0, 1)

SAMPLES = [
    # convolution
    sample("conv1d", normal(*X1), normal(3, 4, 3), normal(3), wanted=ALL),
    sample("conv1d", normal(*X1), normal(3, 4, 2), wanted=PAIR, stride=3, padding=((2, 0),)),
    sample("conv2d", normal(*X2), normal(3, 4, 3, 2), normal(3), wanted=ALL),
    sample("conv2d", normal(*X2), normal(3, 4, 1, 1), normal(3), wanted=ALL),
    sample("conv2d", normal(*X2), normal(3, 4, 1, 1), normal(3), wanted=ALL, stride=2),
    sample("conv2d", normal(*X2), normal(3, 4, 3, 2), None, wanted=PAIR, stride=(2, 1)),
    sample("conv2d", normal(*X2), normal(3, 4, 2, 3), normal(3), wanted=ALL, padding="same"),
    sample("conv2d", normal(*X2), normal(3, 4, 2, 3), None, wanted=PAIR, dilation=2),
    sample("conv2d", normal(*X2), normal(6, 2, 2, 2), normal(6), wanted=ALL, groups=2),
    sample("conv2d", normal(*X2), normal(8, 1, 3, 3), normal(8), wanted=ALL, groups=4, padding=1),
    sample(
        "conv2d",
        normal(*X2),
        normal(4, 2, 3, 2),
        normal(4),
        wanted=ALL,
        stride=2,
        padding=((2, 1), (0, 3)),
        dilation=(1, 2),
        groups=2,
    ),
    sample("conv2d", normal(4, 6, 5), normal(3, 4, 2, 2), normal(3), wanted=ALL, padding=1),
    sample("conv3d", normal(*X3), normal(3, 2, 2, 2, 3), normal(3), wanted=ALL, padding=(1, 0, 1)),
    sample("conv3d", normal(*X3), normal(2, 1, 2, 3, 2), None, wanted=PAIR, groups=2, stride=2),
    *(
        sample(name, normal(2, 5, 6), normal(2, 3), wanted=PAIR, mode=mode)
        for name in ("correlate2d", "convolve2d")
        for mode in ("valid", "same", "full")
    ),
    # windows
    sample("unfold", normal(*X2), kernel_size=2),
    sample("unfold", normal(*X2), kernel_size=(2, 3), dilation=2, padding=(1, 2), stride=2),
    sample("unfold", normal(*X1), kernel_size=(3,), stride=(2,)),
    sample("unfold", normal(*X3), kernel_size=(2, 1, 2), padding=1),
    sample("fold", normal(2, 12, 6), output_size=(3, 4), kernel_size=2),
    sample("fold", normal(2, 12, 24), output_size=(5, 4), kernel_size=(2, 3), padding=1),
    sample("fold", normal(2, 6, 3), output_size=(7,), kernel_size=(3,), stride=(2,)),
    # pooling
    *(
        sample(f"max_pool{dims}d", apart(*shape), **options)
        for dims, shape in ((1, X1), (2, X2), (3, X3))
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 2, "stride": 1, "dilation": 2},
        )
    ),
    sample("max_pool2d", apart(4, 6, 5), kernel_size=(3, 2), stride=1),
    *(
        sample(f"avg_pool{dims}d", normal(*shape), **options)
        for dims, shape in ((1, X1), (2, X2), (3, X3))
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            {"kernel_size": 3, "stride": 1, "padding": 1, "count_include_pad": False},
        )
    ),
    sample("avg_pool2d", normal(*X2), kernel_size=(1, 2), divisor_override=3),
    sample("avg_pool2d", normal(4, 6, 5), kernel_size=2),
    sample("global_avg_pool", normal(*X1)),
    sample("global_avg_pool", normal(*X2)),
    sample("global_max_pool", apart(*X2)),
    sample("global_max_pool", apart(*X3)),
    # layers without windows
    sample("linear", normal(3, 4), normal(2, 4), normal(2), wanted=ALL),
    sample("linear", normal(2, 3, 4), normal(5, 4), wanted=PAIR),
    sample("linear", normal(4), normal(2, 4), normal(2), wanted=ALL),
    *(
        sample(
            "batch_norm",
            normal(*shape),
            normal(shape[1]),
            uniform(shape[1]),
            normal(shape[1]),
            normal(shape[1]),
            wanted=(0, 3, 4),
            training=training,
            eps=0.01,
        )
        for shape in ((5, 3), X1, X2, X3)
        for training in (False, True)
    ),
    sample("batch_norm", normal(*X2), None, None, None, None, training=True),
    sample("dropout", normal(3, 4, 5), p=0.3, training=True, key=(1, 2)),
    sample("dropout", normal(3, 4), p=0.3, training=False),
    # activations
    *(
        sample(name, apart(3, 4, 5), **options)
        for name, options in (
            ("relu", {}),
            ("leaky_relu", {}),
            ("leaky_relu", {"negative_slope": 0.3}),
            ("sigmoid", {}),
            ("tanh", {}),
            ("gelu", {}),
            ("gelu", {"approximate": "tanh"}),
            ("silu", {}),
            ("softmax", {}),
            ("softmax", {"dim": 1}),
            ("log_softmax", {}),
            ("log_softmax", {"dim": 0}),
        )
    ),
    # losses
    *(
        sample("cross_entropy", normal(4, 3), classes(3, 4), reduction=reduction)
        for reduction in ("none", "mean", "sum")
    ),
    sample("cross_entropy", normal(4, 3), classes(3, 4), uniform(3), label_smoothing=0.1),
    sample("cross_entropy", normal(4, 3), classes(3, 4), uniform(3), ignore_index=1),
    sample("cross_entropy", normal(2, 3, 4, 2), classes(3, 2, 4, 2), uniform(3)),
    sample("cross_entropy", normal(4, 3), probabilities(4, 3), uniform(3), label_smoothing=0.1),
    *(
        sample("mse_loss", normal(4, 3), normal(4, 3), wanted=PAIR, reduction=reduction)
        for reduction in ("none", "mean", "sum")
    ),
    *(
        sample(
            "binary_cross_entropy_with_logits",
            normal(4, 3),
            probabilities(4, 3),
            reduction=reduction,
        )
        for reduction in ("none", "mean", "sum")
    ),
    sample("binary_cross_entropy_with_logits", normal(4, 3), probabilities(4, 3), uniform(4, 3)),
    # shapes
    sample("add", normal(3, 4), normal(3, 4), wanted=PAIR),
    sample("concat", normal(2, 3, 4), normal(2, 1, 4), normal(2, 2, 4), wanted=ALL),
    sample("concat", normal(2, 3), normal(4, 3), wanted=PAIR, dim=0),
    sample("flatten", normal(2, 3, 4)),
    sample("flatten", normal(2, 3, 4, 2), start_dim=1, end_dim=2),
    sample("flatten", normal(2, 3, 4), start_dim=0),
]
