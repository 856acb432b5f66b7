"""Networks that several tests look at, and what is known about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpconv import nn, ops


def small() -> nn.Module:
    """Convolution, norm, head; takes (N, 1, 4, 4)."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    )


KEYS = [
    "0.weight",
    "0.bias",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "1.num_batches_tracked",
    "4.weight",
    "4.bias",
]


class Scaled(nn.Module):
    """A layer as a user writes one: arrays, a buffer, a list of layers, plain options."""

    buffer_names = ("seen",)

    def __init__(self) -> None:
        self.seen = np.zeros((), "int64")
        self.scale = np.ones(3, "float32")
        self.blocks = [nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 3))]
        self.norm = nn.BatchNorm1d(3)
        self.pair = (nn.ReLU(), nn.Linear(3, 3, bias=False))
        self.option = "plain"
        self.rate = np.float64(0.5)
        self.note = None
        self._hidden = np.ones(7)

    def parts(self) -> list[tuple[str, nn.Module]]:
        return [
            ("blocks.0", self.blocks[0]),
            ("blocks.1", self.blocks[1]),
            ("norm", self.norm),
            ("pair.0", self.pair[0]),
            ("pair.1", self.pair[1]),
        ]

    def forward(self, x: Any, training: bool = False) -> Any:
        if training:
            self.seen = ops.add(self.seen, self.seen * 0 + 1)
        scaled, scale = x * self.scale, self.scale
        y, backs = scaled, []
        for name, layer in self.parts():
            y, back = layer.forward(y, training=training)
            backs.append((name, back))

        def backward(dy: Any) -> Any:
            grads = {}
            for name, back in reversed(backs):
                dy, inner = back(dy)
                grads |= {f"{name}.{key}": value for key, value in inner.items()}
            rows = [(dy * x)[i, ...] for i in range(x.shape[0])]
            return dy * scale, {"scale": sum(rows[1:], rows[0]), **grads}

        return y, backward


def scaled_twin(torch: Any) -> Any:
    """The same module for PyTorch."""

    class Twin(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
            self.scale = torch.nn.Parameter(torch.ones(3))
            self.blocks = torch.nn.ModuleList(
                [
                    torch.nn.Linear(3, 3),
                    torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(3, 3)),
                ]
            )
            self.norm = torch.nn.BatchNorm1d(3)
            self.pair = torch.nn.ModuleList([torch.nn.ReLU(), torch.nn.Linear(3, 3, bias=False)])

        def forward(self, x: Any) -> Any:
            if self.training:
                self.seen += 1
            x = x * self.scale
            for layer in [*self.blocks, self.norm, *self.pair]:
                x = layer(x)
            return x

    return Twin()
