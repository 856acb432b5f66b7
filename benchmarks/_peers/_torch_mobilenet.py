"""The PyTorch twin of `xpconv.models.mobilenet_v2`: the same layers under the same names."""

from __future__ import annotations

import torch
from torch import nn

from .._networks import MOBILENET_STAGES


def _conv(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.skip = stride == 1 and channels == width
        self.conv = nn.Sequential(
            *([] if expansion == 1 else [_conv(channels, hidden, 1)]),
            _conv(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.skip else self.conv(x)


class MobileNetV2(nn.Module):
    """Without dropout: its masks differ between libraries."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        features: list[nn.Module] = [_conv(in_channels, 32, stride=2)]
        channels = 32
        for expansion, width, count, first in MOBILENET_STAGES:
            for block in range(count):
                stride = first if block == 0 else 1
                features.append(InvertedResidual(channels, width, stride, expansion))
                channels = width
        features.append(_conv(channels, 1280, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.0), nn.Linear(1280, num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))
