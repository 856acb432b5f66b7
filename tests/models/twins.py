"""The same networks, written in plain PyTorch as its users write them.

The residual networks follow torchvision's source, which is what their keys are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


def make_twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The constructors of the twins, by the names of `xpconv.models.MODELS`.

    PyTorch is an argument, so that this file can be imported without it.
    """
    nn, functional = torch.nn, torch.nn.functional

    class LeNet5(nn.Module):
        def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, num_classes)

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
            x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
            x = torch.flatten(x, 1)
            x = functional.relu(self.fc1(x))
            x = functional.relu(self.fc2(x))
            return self.fc3(x)

    class SmallVGG(nn.Module):
        def __init__(
            self, num_classes: int = 10, in_channels: int = 3, dropout: float = 0.3
        ) -> None:
            super().__init__()
            layers: list[Any] = []
            channels = in_channels
            for width in (32, 64, 128):
                for _ in range(2):
                    layers += [
                        nn.Conv2d(channels, width, 3, padding=1, bias=False),
                        nn.BatchNorm2d(width),
                        nn.ReLU(inplace=True),
                    ]
                    channels = width
                layers.append(nn.MaxPool2d(2))
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean(dim=(2, 3)))

    class BasicBlock(nn.Module):
        def __init__(self, inplanes: int, planes: int, stride: int, downsample: Any) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inplanes, planes, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.relu = nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
            self.downsample = downsample

        def forward(self, x: Any) -> Any:
            identity = x if self.downsample is None else self.downsample(x)
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += identity
            return self.relu(out)

    class Bottleneck(nn.Module):
        def __init__(
            self, inplanes: int, planes: int, stride: int, downsample: Any, groups: int, base: int
        ) -> None:
            super().__init__()
            width = int(planes * (base / 64.0)) * groups
            self.conv1 = nn.Conv2d(inplanes, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, groups=groups, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, planes * 4, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(planes * 4)
            self.downsample = downsample

        def forward(self, x: Any) -> Any:
            identity = x if self.downsample is None else self.downsample(x)
            out = functional.relu(self.bn1(self.conv1(x)))
            out = functional.relu(self.bn2(self.conv2(out)))
            return functional.relu(self.bn3(self.conv3(out)) + identity)

    class ResNet(nn.Module):
        def __init__(
            self,
            layers: tuple[int, ...],
            num_classes: int = 1000,
            in_channels: int = 3,
            cifar: bool = False,
            groups: int = 1,
            base: int | None = None,
        ) -> None:
            super().__init__()
            self.inplanes = 64
            self.make, self.expansion = BasicBlock, 1
            if base is not None:
                self.make, self.expansion = partial(Bottleneck, groups=groups, base=base), 4
            if cifar:
                self.conv1 = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False)
            else:
                self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.Identity() if cifar else nn.MaxPool2d(3, stride=2, padding=1)
            self.layer1 = self._make_layer(64, layers[0], 1)
            self.layer2 = self._make_layer(128, layers[1], 2)
            self.layer3 = self._make_layer(256, layers[2], 2)
            self.layer4 = self._make_layer(512, layers[3], 2)
            self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
            self.fc = nn.Linear(512 * self.expansion, num_classes)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

        def _make_layer(self, planes: int, blocks: int, stride: int) -> Any:
            downsample, out = None, planes * self.expansion
            if stride != 1 or self.inplanes != out:
                downsample = nn.Sequential(
                    nn.Conv2d(self.inplanes, out, 1, stride=stride, bias=False),
                    nn.BatchNorm2d(out),
                )
            stack = [self.make(self.inplanes, planes, stride, downsample)]
            self.inplanes = out
            stack += [self.make(out, planes, 1, None) for _ in range(1, blocks)]
            return nn.Sequential(*stack)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(torch.flatten(self.avgpool(x), 1))

    class DigitsCNN(nn.Module):
        def __init__(
            self, num_classes: int = 10, in_channels: int = 1, dropout: float = 0.2
        ) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(in_channels, 32, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(32)
            self.conv2 = nn.Conv2d(32, 32, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(32)
            self.conv3 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
            self.bn3 = nn.BatchNorm2d(64)
            self.dropout = nn.Dropout(dropout)
            self.fc = nn.Linear(256, num_classes)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.bn1(self.conv1(x)))
            x = functional.max_pool2d(functional.relu(self.bn2(self.conv2(x))), 2)
            x = functional.max_pool2d(functional.relu(self.bn3(self.conv3(x))), 2)
            return self.fc(self.dropout(torch.flatten(x, 1)))

    return {
        "lenet5": LeNet5,
        "small_vgg": SmallVGG,
        "digits_cnn": DigitsCNN,
        "bottleneck": ResNet,
        "resnet18": partial(ResNet, (2, 2, 2, 2)),
        "resnet34": partial(ResNet, (3, 4, 6, 3)),
        "resnet18_cifar": partial(ResNet, (2, 2, 2, 2), num_classes=10, cifar=True),
        "resnet34_cifar": partial(ResNet, (3, 4, 6, 3), num_classes=10, cifar=True),
    }
