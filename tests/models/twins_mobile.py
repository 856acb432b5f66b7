"""Networks of inverted residual blocks, written in plain PyTorch.

They follow the papers and the keys that torchvision documents, at any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def make_mobile_twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The constructors of the twins, by family."""
    nn = torch.nn

    def unit(
        channels: int,
        width: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        act: Any = nn.ReLU6,
        **norm: Any,
    ) -> Any:
        layers = [
            nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(width, **norm),
        ]
        return nn.Sequential(*layers, *([act()] if act else []))

    class Gate(nn.Module):
        def __init__(self, channels: int, squeezed: int, inner: Any, outer: Any) -> None:
            super().__init__()
            self.fc1 = nn.Conv2d(channels, squeezed, 1)
            self.fc2 = nn.Conv2d(squeezed, channels, 1)
            self.inner, self.outer = inner(), outer()

        def forward(self, x: Any) -> Any:
            means = x.mean(dim=(2, 3), keepdim=True)
            return self.outer(self.fc2(self.inner(self.fc1(means)))) * x

    class Block(nn.Module):
        """A body under a name, and the way around it."""

        def __init__(self, name: str, layers: list[Any], skip: bool, drop: float = 0.0) -> None:
            super().__init__()
            setattr(self, name, nn.Sequential(*layers))
            self.name, self.skip, self.drop = name, skip, drop

        def forward(self, x: Any) -> Any:
            y = getattr(self, self.name)(x)
            if self.skip and self.training and self.drop:
                kept = torch.rand(len(x), 1, 1, 1, dtype=x.dtype) >= self.drop
                y = y * kept / (1 - self.drop)
            return x + y if self.skip else y

    class Classifier(nn.Module):
        def __init__(self, features: list[Any], head: list[Any]) -> None:
            super().__init__()
            self.features = nn.Sequential(*features)
            self.classifier = nn.Sequential(*head)

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean(dim=(2, 3)))

    def mobilenet_v2(stages: Any, classes: int, channels: int, first: int, last: int) -> Any:
        features, width = [unit(channels, first, stride=2)], first
        for expansion, out, count, first_stride in stages:
            for i in range(count):
                stride, hidden = (first_stride if i == 0 else 1), width * expansion
                layers = [unit(width, hidden, 1)] if expansion != 1 else []
                layers += [
                    unit(hidden, hidden, 3, stride, hidden),
                    nn.Conv2d(hidden, out, 1, bias=False),
                    nn.BatchNorm2d(out),
                ]
                features.append(Block("conv", layers, stride == 1 and width == out))
                width = out
        features.append(unit(width, last, 1))
        return Classifier(features, [nn.Dropout(0.2), nn.Linear(last, classes)])

    def mobilenet_v3(rows: Any, classes: int, channels: int, first: int, last: int) -> Any:
        norm = {"eps": 0.001, "momentum": 0.01}
        features, width = [unit(channels, first, 3, 2, act=nn.Hardswish, **norm)], first
        for kernel, hidden, out, squeezed, name, stride in rows:
            act = nn.ReLU if name == "relu" else nn.Hardswish
            layers = [unit(width, hidden, 1, act=act, **norm)] if hidden != width else []
            layers.append(unit(hidden, hidden, kernel, stride, hidden, act=act, **norm))
            if squeezed:
                layers.append(Gate(hidden, squeezed, nn.ReLU, nn.Hardsigmoid))
            layers.append(unit(hidden, out, 1, act=None, **norm))
            features.append(Block("block", layers, stride == 1 and width == out))
            width = out
        features.append(unit(width, 6 * width, 1, act=nn.Hardswish, **norm))
        head = [nn.Linear(6 * width, last), nn.Hardswish(), nn.Dropout(0.2)]
        return Classifier(features, [*head, nn.Linear(last, classes)])

    def efficientnet(
        stages: Any, classes: int, channels: int, first: int, last: int, drop: float, **norm: Any
    ) -> Any:
        def conv(*sizes: int, act: Any = nn.SiLU) -> Any:
            return unit(*sizes, act=act, **norm)

        features, width, done = [conv(channels, first, 3, 2)], first, 0
        for kind, expansion, kernel, first_stride, out, count in stages:
            blocks = []
            for i in range(count):
                stride, hidden = (
                    (first_stride if i == 0 else 1),
                    8 * math.ceil(width * expansion / 8),
                )
                if kind == "mb":
                    layers = [conv(width, hidden, 1)] if hidden != width else []
                    layers.append(conv(hidden, hidden, kernel, stride, hidden))
                    layers.append(Gate(hidden, max(1, width // 4), nn.SiLU, nn.Sigmoid))
                    layers.append(conv(hidden, out, 1, act=None))
                elif hidden == width:
                    layers = [conv(width, out, kernel, stride)]
                else:
                    layers = [conv(width, hidden, kernel, stride), conv(hidden, out, 1, act=None)]
                skip = stride == 1 and width == out
                share = drop * done / sum(stage[-1] for stage in stages)
                blocks.append(Block("block", layers, skip, share))
                width, done = out, done + 1
            features.append(nn.Sequential(*blocks))
        features.append(conv(width, last, 1))
        return Classifier(features, [nn.Dropout(0.2), nn.Linear(last, classes)])

    class ShuffleBlock(nn.Module):
        def __init__(self, channels: int, out: int, stride: int) -> None:
            super().__init__()
            half, relu = out // 2, nn.ReLU
            self.stride = stride
            self.branch1 = nn.Sequential()
            if stride > 1:
                self.branch1 = nn.Sequential(
                    *unit(channels, channels, 3, stride, channels, act=None),
                    *unit(channels, half, 1, act=relu),
                )
            self.branch2 = nn.Sequential(
                *unit(channels if stride > 1 else half, half, 1, act=relu),
                *unit(half, half, 3, stride, half, act=None),
                *unit(half, half, 1, act=relu),
            )

        def forward(self, x: Any) -> Any:
            left, right = (x, x) if self.stride > 1 else x.chunk(2, dim=1)
            joined = torch.cat([self.branch1(left), self.branch2(right)], 1)
            n, c, h, w = joined.shape
            return joined.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    class ShuffleNetV2(nn.Module):
        def __init__(self, widths: Any, blocks: Any, classes: int, channels: int) -> None:
            super().__init__()
            first, *stages, last = widths
            self.conv1 = unit(channels, first, stride=2, act=nn.ReLU)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            width = first
            for i, (out, count) in enumerate(zip(stages, blocks), start=2):
                stack = [ShuffleBlock(width, out, 2)]
                stack += [ShuffleBlock(out, out, 1) for _ in range(count - 1)]
                setattr(self, f"stage{i}", nn.Sequential(*stack))
                width = out
            self.conv5 = unit(width, last, 1, act=nn.ReLU)
            self.fc = nn.Linear(last, classes)

        def forward(self, x: Any) -> Any:
            x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
            return self.fc(self.conv5(x).mean(dim=(2, 3)))

    return {
        "mobilenet_v2": mobilenet_v2,
        "mobilenet_v3": mobilenet_v3,
        "efficientnet": efficientnet,
        "shufflenet_v2": ShuffleNetV2,
    }
