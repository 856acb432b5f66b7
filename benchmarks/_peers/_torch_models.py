"""PyTorch twins of the networks in `xpconv.models`: the same layers under the same names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from ._torch_mobilenet import MobileNetV2


def build(name: str, in_channels: int, num_classes: int) -> nn.Module:
    known: dict[str, Callable[[int, int], nn.Module]] = {
        "lenet5": lenet5,
        "small_vgg": small_vgg,
        "resnet18_cifar": partial(ResNet18, cifar=True),
        "resnet18": ResNet18,
        "mobilenet_v2": MobileNetV2,
        "resnet50": ResNet50,
    }
    return known[name](in_channels, num_classes)


def lenet5(in_channels: int, num_classes: int) -> nn.Module:
    layers = OrderedDict(
        conv1=nn.Conv2d(in_channels, 6, 5, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(16 * 5 * 5, 120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, num_classes),
    )
    return nn.Sequential(layers)


def small_vgg(in_channels: int, num_classes: int) -> nn.Module:
    features: list[nn.Module] = []
    channels = in_channels
    for width in (32, 64, 128):
        for _ in range(2):
            features += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        features.append(nn.MaxPool2d(2))
    layers = OrderedDict(
        features=nn.Sequential(*features),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(nn.Dropout(0.0), nn.Linear(channels, num_classes)),
    )
    return nn.Sequential(layers)


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
    )


class BasicBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                _conv(in_channels, channels, 1, stride), nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        h = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(h)) + shortcut, inplace=True)


class ResNet18(nn.Module):
    """The ImageNet form, or CIFAR's: a 3x3 first convolution and no pooling after it."""

    def __init__(self, in_channels: int, num_classes: int, cifar: bool = False) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, 64, 3, 1) if cifar else _conv(in_channels, 64, 7, 2)
        self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, 2, 1)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._stage(64, 64, 1)
        self.layer2 = self._stage(64, 128, 2)
        self.layer3 = self._stage(128, 256, 2)
        self.layer4 = self._stage(256, 512, 2)
        self.fc = nn.Linear(512, num_classes)

    @staticmethod
    def _stage(in_channels: int, channels: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            BasicBlock(in_channels, channels, stride), BasicBlock(channels, channels, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.maxpool(functional.relu(self.bn1(self.conv1(x)), inplace=True))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            h = stage(h)
        return self.fc(h.mean(dim=(2, 3)))


class Bottleneck(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 1, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv(channels, 4 * channels, 1, 1)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != 4 * channels:
            self.downsample = nn.Sequential(
                _conv(in_channels, 4 * channels, 1, stride), nn.BatchNorm2d(4 * channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        h = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        h = functional.relu(self.bn2(self.conv2(h)), inplace=True)
        return functional.relu(self.bn3(self.conv3(h)) + shortcut, inplace=True)


class ResNet50(nn.Module):
    """The ImageNet form."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for number, blocks in enumerate((3, 4, 6, 3), start=1):
            channels = 32 * 2**number
            stage = nn.Sequential()
            for block in range(blocks):
                stride = 2 if block == 0 and number > 1 else 1
                stage.append(Bottleneck(before, channels, stride))
                before = 4 * channels
            setattr(self, f"layer{number}", stage)
        self.fc = nn.Linear(before, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        h = functional.max_pool2d(h, 3, 2, 1)
        for number in range(1, 5):
            h = getattr(self, f"layer{number}")(h)
        return self.fc(h.mean(dim=(2, 3)))
