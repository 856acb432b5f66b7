"""Networks that make images, and plain stacks, written in PyTorch.

The U-Net has the keys of milesial/Pytorch-UNet, DCGAN those of PyTorch's example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def make_image_twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The constructors of the twins, by family."""
    nn, functional = torch.nn, torch.nn.functional

    class DoubleConv(nn.Module):
        def __init__(self, channels: int, out: int, inner: int | None = None) -> None:
            super().__init__()
            inner = inner or out
            self.double_conv = nn.Sequential(
                nn.Conv2d(channels, inner, 3, padding=1, bias=False),
                nn.BatchNorm2d(inner),
                nn.ReLU(),
                nn.Conv2d(inner, out, 3, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            )

        def forward(self, x: Any) -> Any:
            return self.double_conv(x)

    class Down(nn.Module):
        def __init__(self, channels: int, out: int) -> None:
            super().__init__()
            self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels, out))

        def forward(self, x: Any) -> Any:
            return self.maxpool_conv(x)

    class Up(nn.Module):
        def __init__(self, channels: int, out: int, bilinear: bool) -> None:
            super().__init__()
            if bilinear:
                self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
                self.conv = DoubleConv(channels, out, channels // 2)
            else:
                self.up = nn.ConvTranspose2d(channels, channels // 2, 2, stride=2)
                self.conv = DoubleConv(channels, out)

        def forward(self, below: Any, across: Any) -> Any:
            below = self.up(below)
            rows = across.shape[2] - below.shape[2]
            columns = across.shape[3] - below.shape[3]
            pads = [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]
            return self.conv(torch.cat([across, functional.pad(below, pads)], dim=1))

    class OutConv(nn.Module):
        def __init__(self, channels: int, out: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, out, 1)

        def forward(self, x: Any) -> Any:
            return self.conv(x)

    class UNet(nn.Module):
        def __init__(
            self, classes: int = 2, channels: int = 3, bilinear: bool = False, width: int = 64
        ) -> None:
            super().__init__()
            factor = 2 if bilinear else 1
            self.inc = DoubleConv(channels, width)
            self.down1 = Down(width, 2 * width)
            self.down2 = Down(2 * width, 4 * width)
            self.down3 = Down(4 * width, 8 * width)
            self.down4 = Down(8 * width, 16 * width // factor)
            self.up1 = Up(16 * width, 8 * width // factor, bilinear)
            self.up2 = Up(8 * width, 4 * width // factor, bilinear)
            self.up3 = Up(4 * width, 2 * width // factor, bilinear)
            self.up4 = Up(2 * width, width, bilinear)
            self.outc = OutConv(width, classes)

        def forward(self, x: Any) -> Any:
            x1 = self.inc(x)
            x2 = self.down1(x1)
            x3 = self.down2(x2)
            x4 = self.down3(x3)
            x = self.up2(self.up1(self.down4(x4), x4), x3)
            return self.outc(self.up4(self.up3(x, x2), x1))

    class Generator(nn.Module):
        def __init__(self, latent: int = 100, channels: int = 3, width: int = 64) -> None:
            super().__init__()
            self.main = nn.Sequential(
                nn.ConvTranspose2d(latent, width * 8, 4, 1, 0, bias=False),
                nn.BatchNorm2d(width * 8),
                nn.ReLU(),
                nn.ConvTranspose2d(width * 8, width * 4, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * 4),
                nn.ReLU(),
                nn.ConvTranspose2d(width * 4, width * 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * 2),
                nn.ReLU(),
                nn.ConvTranspose2d(width * 2, width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False),
                nn.Tanh(),
            )

        def forward(self, x: Any) -> Any:
            return self.main(x)

    class Discriminator(nn.Module):
        def __init__(self, channels: int = 3, width: int = 64) -> None:
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(channels, width, 4, 2, 1, bias=False),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, width * 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * 2),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width * 2, width * 4, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * 4),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width * 4, width * 8, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width * 8),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width * 8, 1, 4, 1, 0, bias=False),
                nn.Sigmoid(),
            )

        def forward(self, x: Any) -> Any:
            return self.main(x).view(-1)

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
