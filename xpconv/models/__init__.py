"""Known networks, built from the layers, with the keys of their PyTorch counterparts.

Constructors of networks for images take ``num_classes`` and ``in_channels``; :data:`MODELS` lists
them by the names that the command line uses.
"""

from __future__ import annotations

from ._alexnet import AlexNet as AlexNet, alexnet as alexnet
from ._blocks import (
    Conv2dNormActivation as Conv2dNormActivation,
    DepthwiseSeparable as DepthwiseSeparable,
    SqueezeExcitation as SqueezeExcitation,
)
from ._dcgan import (
    DCGANDiscriminator as DCGANDiscriminator,
    DCGANGenerator as DCGANGenerator,
    dcgan_discriminator as dcgan_discriminator,
    dcgan_generator as dcgan_generator,
)
from ._densenet import (
    DenseNet as DenseNet,
    densenet121 as densenet121,
    densenet161 as densenet161,
    densenet169 as densenet169,
    densenet201 as densenet201,
)
from ._digits import digits_cnn as digits_cnn
from ._efficientnet import EfficientNet as EfficientNet
from ._efficientnets import (
    efficientnet_b0 as efficientnet_b0,
    efficientnet_b1 as efficientnet_b1,
    efficientnet_b2 as efficientnet_b2,
    efficientnet_b3 as efficientnet_b3,
    efficientnet_b4 as efficientnet_b4,
    efficientnet_b5 as efficientnet_b5,
    efficientnet_b6 as efficientnet_b6,
    efficientnet_b7 as efficientnet_b7,
    efficientnet_v2_l as efficientnet_v2_l,
    efficientnet_v2_m as efficientnet_v2_m,
    efficientnet_v2_s as efficientnet_v2_s,
)
from ._googlenet import GoogLeNet as GoogLeNet, googlenet as googlenet
from ._inception import Inception3 as Inception3, inception_v3 as inception_v3
from ._lenet import LeNet5 as LeNet5
from ._mobilenet_v2 import MobileNetV2 as MobileNetV2, mobilenet_v2 as mobilenet_v2
from ._mobilenet_v3 import (
    MobileNetV3 as MobileNetV3,
    mobilenet_v3_large as mobilenet_v3_large,
    mobilenet_v3_small as mobilenet_v3_small,
)
from ._registry import MODELS as MODELS, ModelEntry as ModelEntry, get_model as get_model
from ._resnet import (
    ResNet as ResNet,
    resnet18 as resnet18,
    resnet34 as resnet34,
    resnet50 as resnet50,
    resnet101 as resnet101,
    resnet152 as resnet152,
    resnext50_32x4d as resnext50_32x4d,
    resnext101_32x8d as resnext101_32x8d,
    wide_resnet50_2 as wide_resnet50_2,
    wide_resnet101_2 as wide_resnet101_2,
)
from ._shufflenet import (
    ShuffleNetV2 as ShuffleNetV2,
    shufflenet_v2_x0_5 as shufflenet_v2_x0_5,
    shufflenet_v2_x1_0 as shufflenet_v2_x1_0,
    shufflenet_v2_x1_5 as shufflenet_v2_x1_5,
    shufflenet_v2_x2_0 as shufflenet_v2_x2_0,
)
from ._squeezenet import (
    SqueezeNet as SqueezeNet,
    squeezenet1_0 as squeezenet1_0,
    squeezenet1_1 as squeezenet1_1,
)
from ._unet import UNet as UNet, unet as unet
from ._vgg import (
    VGG as VGG,
    small_vgg as small_vgg,
    vgg11 as vgg11,
    vgg11_bn as vgg11_bn,
    vgg13 as vgg13,
    vgg13_bn as vgg13_bn,
    vgg16 as vgg16,
    vgg16_bn as vgg16_bn,
    vgg19 as vgg19,
    vgg19_bn as vgg19_bn,
)

__all__ = [
    "MODELS",
    "VGG",
    "AlexNet",
    "Conv2dNormActivation",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DenseNet",
    "DepthwiseSeparable",
    "EfficientNet",
    "GoogLeNet",
    "Inception3",
    "LeNet5",
    "MobileNetV2",
    "MobileNetV3",
    "ModelEntry",
    "ResNet",
    "ShuffleNetV2",
    "SqueezeExcitation",
    "SqueezeNet",
    "UNet",
    "alexnet",
    "dcgan_discriminator",
    "dcgan_generator",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "digits_cnn",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "get_model",
    "googlenet",
    "inception_v3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "small_vgg",
    "squeezenet1_0",
    "squeezenet1_1",
    "unet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
    "wide_resnet101_2",
]
