"""Networks that make images, and plain stacks, written in PyTorch.

The U-Net has the keys of milesial/Pytorch-UNet, DCGAN those of PyTorch's example.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any


def make_image_twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The constructors of the twins, by family."""
    nn, functional = torch.nn, torch.nn.functional

    class Named(nn.Module):
        """Layers under names, one after the other."""

        def __init__(self, **layers: Any) -> None:
            super().__init__()
            for name, layer in layers.items():
                self.add_module(name, layer)

        def forward(self, x: Any) -> Any:
            for layer in self.children():
                x = layer(x)
            return x

    def double(channels: int, inner: int, out: int) -> Any:
        layers = []
        for before, after in ((channels, inner), (inner, out)):
            conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
        return Named(double_conv=nn.Sequential(*layers))

    def down(channels: int, out: int) -> Any:
        return Named(maxpool_conv=nn.Sequential(nn.MaxPool2d(2), double(channels, out, out)))

    def up(channels: int, out: int, bilinear: bool) -> Any:
        half = channels // 2
        if bilinear:
            grow = nn.UpsamplingBilinear2d(scale_factor=2)
            return Named(up=grow, conv=double(channels, half, out))
        grow = nn.ConvTranspose2d(channels, half, 2, stride=2)
        return Named(up=grow, conv=double(channels, out, out))

    class UNet(nn.Module):
        def __init__(
            self, classes: int = 2, channels: int = 3, bilinear: bool = False, width: int = 64
        ) -> None:
            super().__init__()
            self.inc = double(channels, width, width)
            for i in range(1, 5):
                out = width * 2**i // (2 if bilinear and i == 4 else 1)
                setattr(self, f"down{i}", down(width * 2 ** (i - 1), out))
            for i in range(1, 5):
                joined = width * 2 ** (5 - i)
                out = joined // (4 if bilinear and i < 4 else 2)
                setattr(self, f"up{i}", up(joined, out, bilinear))
            self.outc = Named(conv=nn.Conv2d(width, classes, 1))

        def forward(self, x: Any) -> Any:
            maps = [self.inc(x)]
            for layer in (self.down1, self.down2, self.down3, self.down4):
                maps.append(layer(maps[-1]))
            h = maps.pop()
            for layer in (self.up1, self.up2, self.up3, self.up4):
                h, across = layer.up(h), maps.pop()
                rows, columns = (across.shape[i] - h.shape[i] for i in (2, 3))
                h = layer.conv(torch.cat([across, functional.pad(h, (0, columns, 0, rows))], 1))
            return self.outc(h)

    class Generator(nn.Module):
        def __init__(self, latent: int = 100, channels: int = 3, width: int = 64) -> None:
            super().__init__()
            sizes = [latent, 8 * width, 4 * width, 2 * width, width]
            layers: list[Any] = []
            for i, (before, after) in enumerate(pairwise(sizes)):
                grow = (2, 1) if i else (1, 0)  # stride and padding
                layers.append(nn.ConvTranspose2d(before, after, 4, *grow, bias=False))
                layers += [nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
            self.main = nn.Sequential(*layers)

        def forward(self, x: Any) -> Any:
            return self.main(x)

    class Discriminator(nn.Module):
        def __init__(self, channels: int = 3, width: int = 64) -> None:
            super().__init__()
            sizes = [channels, width, 2 * width, 4 * width, 8 * width]
            layers: list[Any] = []
            for i, (before, after) in enumerate(pairwise(sizes)):
                layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
                layers += [nn.BatchNorm2d(after)] if i else []
                layers.append(nn.LeakyReLU(0.2))
            layers += [nn.Conv2d(8 * width, 1, 4, bias=False), nn.Sigmoid()]
            self.main = nn.Sequential(*layers)

        def forward(self, x: Any) -> Any:
            return self.main(x).flatten()

    class Stack(nn.Module):
        """Features, an average to a size, and a classifier."""

        def __init__(self, features: list[Any], size: int, classifier: list[Any]) -> None:
            super().__init__()
            self.features = nn.Sequential(*features)
            self.avgpool = nn.AdaptiveAvgPool2d(size)
            self.classifier = nn.Sequential(*classifier)

        def forward(self, x: Any) -> Any:
            return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

    def vgg(config: Any, classes: int, channels: int, hidden: int, batch_norm: bool) -> Any:
        features: list[Any] = []
        for entry in config:
            if entry == "M":
                features.append(nn.MaxPool2d(2, 2))
                continue
            features.append(nn.Conv2d(channels, entry, 3, padding=1))
            features += [nn.BatchNorm2d(entry)] if batch_norm else []
            features.append(nn.ReLU())
            channels = entry
        classifier = [nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout()]
        classifier += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()]
        return Stack(features, 7, [*classifier, nn.Linear(hidden, classes)])

    def alexnet(classes: int, channels: int, hidden: int) -> Any:
        features = [
            nn.Conv2d(channels, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        ]
        classifier = [nn.Dropout(), nn.Linear(256 * 36, hidden), nn.ReLU()]
        classifier += [nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU()]
        return Stack(features, 6, [*classifier, nn.Linear(hidden, classes)])

    return {
        "unet": UNet,
        "generator": Generator,
        "discriminator": Discriminator,
        "vgg": vgg,
        "alexnet": alexnet,
    }
