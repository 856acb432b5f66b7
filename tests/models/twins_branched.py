"""Networks whose layers join branches, written in plain PyTorch.

DenseNet, SqueezeNet, GoogLeNet and Inception v3 follow the papers and the keys that torchvision
documents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def make_branched_twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The constructors of the twins, by family."""
    nn, functional = torch.nn, torch.nn.functional

    class DenseLayer(nn.Module):
        def __init__(self, channels: int, growth: int, inner: int) -> None:
            super().__init__()
            self.norm1 = nn.BatchNorm2d(channels)
            self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, growth, 3, padding=1, bias=False)

        def forward(self, features: list[Any]) -> Any:
            x = self.conv1(functional.relu(self.norm1(torch.cat(features, 1))))
            return self.conv2(functional.relu(self.norm2(x)))

    class DenseBlock(nn.ModuleDict):
        def forward(self, x: Any) -> Any:
            features = [x]
            for layer in self.values():
                features.append(layer(features))
            return torch.cat(features, 1)

    class DenseNet(nn.Module):
        def __init__(
            self, blocks: Any, classes: int, channels: int, growth: int, first: int, inner: int
        ) -> None:
            super().__init__()
            features: dict[str, Any] = {
                "conv0": nn.Conv2d(channels, first, 7, stride=2, padding=3, bias=False),
                "norm0": nn.BatchNorm2d(first),
                "relu0": nn.ReLU(),
                "pool0": nn.MaxPool2d(3, stride=2, padding=1),
            }
            width = first
            for i, count in enumerate(blocks, start=1):
                layers = {}
                for j in range(1, count + 1):
                    layers[f"denselayer{j}"] = DenseLayer(width, growth, inner)
                    width += growth
                features[f"denseblock{i}"] = DenseBlock(layers)
                if i < len(blocks):
                    transition = nn.Sequential()
                    transition.add_module("norm", nn.BatchNorm2d(width))
                    transition.add_module("relu", nn.ReLU())
                    transition.add_module("conv", nn.Conv2d(width, width // 2, 1, bias=False))
                    transition.add_module("pool", nn.AvgPool2d(2, 2))
                    features[f"transition{i}"] = transition
                    width //= 2
            features["norm5"] = nn.BatchNorm2d(width)
            self.features = nn.Sequential()
            for name, layer in features.items():
                self.features.add_module(name, layer)
            self.classifier = nn.Linear(width, classes)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.features(x))
            return self.classifier(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))

    class Fire(nn.Module):
        def __init__(self, channels: int, squeezed: int, width: int) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(channels, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, width, 1)
            self.expand3x3 = nn.Conv2d(squeezed, width, 3, padding=1)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.squeeze(x))
            return functional.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))

    class SqueezeNet(nn.Module):
        def __init__(self, first: Any, config: Any, classes: int, channels: int) -> None:
            super().__init__()
            width, kernel = first
            layers = [nn.Conv2d(channels, width, kernel, stride=2), nn.ReLU()]
            for entry in config:
                if entry == "M":
                    layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
                else:
                    layers.append(Fire(width, *entry))
                    width = 2 * entry[1]
            self.features = nn.Sequential(*layers)
            conv = nn.Conv2d(width, classes, 1)
            self.classifier = nn.Sequential(nn.Dropout(0.5), conv, nn.ReLU())

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x)).mean(dim=(2, 3))

    class Basic(nn.Module):
        def __init__(self, channels: int, width: int, kernel: Any, **options: Any) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, width, kernel, bias=False, **options)
            self.bn = nn.BatchNorm2d(width, eps=0.001)

        def forward(self, x: Any) -> Any:
            return functional.relu(self.bn(self.conv(x)))

    class Mixed(nn.Module):
        """Convolutions by name, and a function of them and the input that joins their results."""

        def __init__(self, join: Callable[[Any, Any], list[Any]], **convs: Any) -> None:
            super().__init__()
            self.join = join
            for name, conv in convs.items():
                setattr(self, name, conv)

        def forward(self, x: Any) -> Any:
            return torch.cat(self.join(self, x), 1)

    class GoogLeHead(nn.Module):
        def __init__(self, channels: int, classes: int) -> None:
            super().__init__()
            self.conv = Basic(channels, 128, 1)
            self.fc1 = nn.Linear(2048, 1024)
            self.fc2 = nn.Linear(1024, classes)
            self.dropout = nn.Dropout(0.7)

        def forward(self, x: Any) -> Any:
            x = torch.flatten(self.conv(functional.adaptive_avg_pool2d(x, 4)), 1)
            return self.fc2(self.dropout(functional.relu(self.fc1(x))))

    class GoogLeNet(nn.Module):
        def __init__(self, classes: int, channels: int) -> None:
            super().__init__()

            def block(width: int, a: int, b: int, c: int, d: int, e: int, f: int) -> Any:
                return Mixed(
                    lambda m, x: [m.branch1(x), m.branch2(x), m.branch3(x), m.branch4(x)],
                    branch1=Basic(width, a, 1),
                    branch2=nn.Sequential(Basic(width, b, 1), Basic(b, c, 3, padding=1)),
                    branch3=nn.Sequential(Basic(width, d, 1), Basic(d, e, 3, padding=1)),
                    branch4=nn.Sequential(nn.MaxPool2d(3, 1, 1), Basic(width, f, 1)),
                )

            self.conv1 = Basic(channels, 64, 7, stride=2, padding=3)
            self.conv2 = Basic(64, 64, 1)
            self.conv3 = Basic(64, 192, 3, padding=1)
            self.inception3a = block(192, 64, 96, 128, 16, 32, 32)
            self.inception3b = block(256, 128, 128, 192, 32, 96, 64)
            self.inception4a = block(480, 192, 96, 208, 16, 48, 64)
            self.inception4b = block(512, 160, 112, 224, 24, 64, 64)
            self.inception4c = block(512, 128, 128, 256, 24, 64, 64)
            self.inception4d = block(512, 112, 144, 288, 32, 64, 64)
            self.inception4e = block(528, 256, 160, 320, 32, 128, 128)
            self.inception5a = block(832, 256, 160, 320, 32, 128, 128)
            self.inception5b = block(832, 384, 192, 384, 48, 128, 128)
            self.aux1 = GoogLeHead(512, classes)
            self.aux2 = GoogLeHead(528, classes)
            self.dropout = nn.Dropout(0.2)
            self.fc = nn.Linear(1024, classes)

        def forward(self, x: Any) -> Any:
            def pool(x: Any, kernel: int = 3) -> Any:
                return functional.max_pool2d(x, kernel, 2, ceil_mode=True)

            x = pool(self.conv3(self.conv2(pool(self.conv1(x)))))
            x = pool(self.inception3b(self.inception3a(x)))
            first = self.inception4a(x)
            second = self.inception4d(self.inception4c(self.inception4b(first)))
            x = self.inception5b(self.inception5a(pool(self.inception4e(second), 2)))
            logits = self.fc(self.dropout(x.mean(dim=(2, 3))))
            return (logits, self.aux2(second), self.aux1(first)) if self.training else logits

    def mean3(x: Any) -> Any:
        return functional.avg_pool2d(x, 3, stride=1, padding=1)

    def max3(x: Any) -> Any:
        return functional.max_pool2d(x, 3, stride=2)

    def wide(channels: int, width: int) -> Any:
        return Basic(channels, width, (1, 7), padding=(0, 3))

    def high(channels: int, width: int) -> Any:
        return Basic(channels, width, (7, 1), padding=(3, 0))

    def mixed_a(channels: int, pooled: int) -> Any:
        return Mixed(
            lambda m, x: [
                m.branch1x1(x),
                m.branch5x5_2(m.branch5x5_1(x)),
                m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x))),
                m.branch_pool(mean3(x)),
            ],
            branch1x1=Basic(channels, 64, 1),
            branch5x5_1=Basic(channels, 48, 1),
            branch5x5_2=Basic(48, 64, 5, padding=2),
            branch3x3dbl_1=Basic(channels, 64, 1),
            branch3x3dbl_2=Basic(64, 96, 3, padding=1),
            branch3x3dbl_3=Basic(96, 96, 3, padding=1),
            branch_pool=Basic(channels, pooled, 1),
        )

    def mixed_b() -> Any:
        return Mixed(
            lambda m, x: [
                m.branch3x3(x),
                m.branch3x3dbl_3(m.branch3x3dbl_2(m.branch3x3dbl_1(x))),
                max3(x),
            ],
            branch3x3=Basic(288, 384, 3, stride=2),
            branch3x3dbl_1=Basic(288, 64, 1),
            branch3x3dbl_2=Basic(64, 96, 3, padding=1),
            branch3x3dbl_3=Basic(96, 96, 3, stride=2),
        )

    def mixed_c(width: int) -> Any:
        return Mixed(
            lambda m, x: [
                m.branch1x1(x),
                m.branch7x7_3(m.branch7x7_2(m.branch7x7_1(x))),
                m.branch7x7dbl_5(
                    m.branch7x7dbl_4(m.branch7x7dbl_3(m.branch7x7dbl_2(m.branch7x7dbl_1(x))))
                ),
                m.branch_pool(mean3(x)),
            ],
            branch1x1=Basic(768, 192, 1),
            branch7x7_1=Basic(768, width, 1),
            branch7x7_2=wide(width, width),
            branch7x7_3=high(width, 192),
            branch7x7dbl_1=Basic(768, width, 1),
            branch7x7dbl_2=high(width, width),
            branch7x7dbl_3=wide(width, width),
            branch7x7dbl_4=high(width, width),
            branch7x7dbl_5=wide(width, 192),
            branch_pool=Basic(768, 192, 1),
        )

    def mixed_d() -> Any:
        return Mixed(
            lambda m, x: [
                m.branch3x3_2(m.branch3x3_1(x)),
                m.branch7x7x3_4(m.branch7x7x3_3(m.branch7x7x3_2(m.branch7x7x3_1(x)))),
                max3(x),
            ],
            branch3x3_1=Basic(768, 192, 1),
            branch3x3_2=Basic(192, 320, 3, stride=2),
            branch7x7x3_1=Basic(768, 192, 1),
            branch7x7x3_2=wide(192, 192),
            branch7x7x3_3=high(192, 192),
            branch7x7x3_4=Basic(192, 192, 3, stride=2),
        )

    def mixed_e(channels: int) -> Any:
        def join(m: Any, x: Any) -> list[Any]:
            h, k = m.branch3x3_1(x), m.branch3x3dbl_2(m.branch3x3dbl_1(x))
            forks = [
                m.branch3x3_2a(h),
                m.branch3x3_2b(h),
                m.branch3x3dbl_3a(k),
                m.branch3x3dbl_3b(k),
            ]
            return [m.branch1x1(x), *forks, m.branch_pool(mean3(x))]

        def low(channels: int) -> Any:
            return Basic(channels, 384, (1, 3), padding=(0, 1))

        def tall(channels: int) -> Any:
            return Basic(channels, 384, (3, 1), padding=(1, 0))

        return Mixed(
            join,
            branch1x1=Basic(channels, 320, 1),
            branch3x3_1=Basic(channels, 384, 1),
            branch3x3_2a=low(384),
            branch3x3_2b=tall(384),
            branch3x3dbl_1=Basic(channels, 448, 1),
            branch3x3dbl_2=Basic(448, 384, 3, padding=1),
            branch3x3dbl_3a=low(384),
            branch3x3dbl_3b=tall(384),
            branch_pool=Basic(channels, 192, 1),
        )

    class InceptionHead(nn.Module):
        def __init__(self, classes: int) -> None:
            super().__init__()
            self.conv0 = Basic(768, 128, 1)
            self.conv1 = Basic(128, 768, 5)
            self.fc = nn.Linear(768, classes)

        def forward(self, x: Any) -> Any:
            x = self.conv1(self.conv0(functional.avg_pool2d(x, 5, stride=3)))
            return self.fc(x.mean(dim=(2, 3)))

    class Inception3(nn.Module):
        def __init__(self, classes: int, channels: int, aux: bool = True) -> None:
            super().__init__()
            self.Conv2d_1a_3x3 = Basic(channels, 32, 3, stride=2)
            self.Conv2d_2a_3x3 = Basic(32, 32, 3)
            self.Conv2d_2b_3x3 = Basic(32, 64, 3, padding=1)
            self.Conv2d_3b_1x1 = Basic(64, 80, 1)
            self.Conv2d_4a_3x3 = Basic(80, 192, 3)
            self.Mixed_5b = mixed_a(192, 32)
            self.Mixed_5c = mixed_a(256, 64)
            self.Mixed_5d = mixed_a(288, 64)
            self.Mixed_6a = mixed_b()
            self.Mixed_6b = mixed_c(128)
            self.Mixed_6c = mixed_c(160)
            self.Mixed_6d = mixed_c(160)
            self.Mixed_6e = mixed_c(192)
            self.AuxLogits = InceptionHead(classes) if aux else None
            self.Mixed_7a = mixed_d()
            self.Mixed_7b = mixed_e(1280)
            self.Mixed_7c = mixed_e(2048)
            self.dropout = nn.Dropout(0.5)
            self.fc = nn.Linear(2048, classes)

        def forward(self, x: Any) -> Any:
            x = max3(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
            x = max3(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
            x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
            half = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
            x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(half)))
            logits = self.fc(self.dropout(x.mean(dim=(2, 3))))
            if self.training and self.AuxLogits is not None:
                return logits, self.AuxLogits(half)
            return logits

    return {
        "densenet": DenseNet,
        "squeezenet": SqueezeNet,
        "googlenet": GoogLeNet,
        "inception": Inception3,
    }
