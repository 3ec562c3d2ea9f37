"""Architectures: one paper, one file; a name in, an nn.Module out."""

import inspect

from torch import nn

from cnnviz.models.alexnet import alexnet, alexnet_owt, alexnet_two_groups
from cnnviz.models.densenet import densenet121, densenet169, densenet201, densenet_bc100, densenet_bc190, densenet_bc250
from cnnviz.models.googlenet import googlenet
from cnnviz.models.inception_v3 import inception_v3
from cnnviz.models.inception_v4 import inception_resnet_v2, inception_v4
from cnnviz.models.lenet import lenet5, lenet5_1998
from cnnviz.models.mobilenet import mobilenet
from cnnviz.models.mobilenet_v2 import mobilenet_v2
from cnnviz.models.nasnet import nasnet_large, nasnet_mobile
from cnnviz.models.nin import nin
from cnnviz.models.resnet import (
    plain18,
    plain34,
    resnet18,
    resnet18_v2,
    resnet34,
    resnet34_v2,
    resnet50,
    resnet50_v2,
    resnet101,
    resnet101_v2,
    resnet152,
    resnet152_v2,
)
from cnnviz.models.resnet_cifar import (
    plain20,
    plain32,
    plain44,
    plain56,
    plain110,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    resnet1202,
)
from cnnviz.models.resnext import resnext50_32x4d, resnext101_32x8d
from cnnviz.models.torchvision_weights import load_torchvision_weights
from cnnviz.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from cnnviz.models.xception import xception, xception_small
from cnnviz.models.zfnet import zfnet

MODELS = {
    "lenet5": lenet5,
    "lenet5_1998": lenet5_1998,
    "alexnet": alexnet,
    "alexnet_two_groups": alexnet_two_groups,
    "alexnet_owt": alexnet_owt,
    "zfnet": zfnet,
    "vgg11": vgg11,
    "vgg13": vgg13,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "vgg11_bn": vgg11_bn,
    "vgg13_bn": vgg13_bn,
    "vgg16_bn": vgg16_bn,
    "vgg19_bn": vgg19_bn,
    "nin": nin,
    "googlenet": googlenet,
    "inception_v3": inception_v3,
    "inception_v4": inception_v4,
    "inception_resnet_v2": inception_resnet_v2,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "plain18": plain18,
    "plain34": plain34,
    "resnet18_v2": resnet18_v2,
    "resnet34_v2": resnet34_v2,
    "resnet50_v2": resnet50_v2,
    "resnet101_v2": resnet101_v2,
    "resnet152_v2": resnet152_v2,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet44": resnet44,
    "resnet56": resnet56,
    "resnet110": resnet110,
    "resnet1202": resnet1202,
    "plain20": plain20,
    "plain32": plain32,
    "plain44": plain44,
    "plain56": plain56,
    "plain110": plain110,
    "resnext50_32x4d": resnext50_32x4d,
    "resnext101_32x8d": resnext101_32x8d,
    "densenet121": densenet121,
    "densenet169": densenet169,
    "densenet201": densenet201,
    "densenet_bc100": densenet_bc100,
    "densenet_bc190": densenet_bc190,
    "densenet_bc250": densenet_bc250,
    "xception": xception,
    "xception_small": xception_small,
    "mobilenet": mobilenet,
    "mobilenet_v2": mobilenet_v2,
    "nasnet_mobile": nasnet_mobile,
    "nasnet_large": nasnet_large,
}


def list_models() -> list[str]:
    """Return the names that `create_model` knows."""
    return list(MODELS)


def create_model(name: str, **options) -> nn.Module:
    """Return a new model: `create_model("lenet5", num_classes=10)` is `lenet5(num_classes=10)`.

    Raises:
        ValueError: there is no model of that name; the message lists those that there are.
        TypeError: the model has no such option; the message lists those that it has.
    """
    if name not in MODELS:
        raise ValueError(f"there is no model {name!r}; choose from {', '.join(MODELS)}")
    allowed = inspect.signature(MODELS[name]).parameters
    for option in options:
        if option not in allowed:
            raise TypeError(f"{name} has no option {option!r}; it has {', '.join(allowed)}")
    return MODELS[name](**options)


__all__ = [
    "MODELS",
    "alexnet",
    "alexnet_owt",
    "alexnet_two_groups",
    "create_model",
    "densenet121",
    "densenet169",
    "densenet201",
    "densenet_bc100",
    "densenet_bc190",
    "densenet_bc250",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "lenet5",
    "lenet5_1998",
    "list_models",
    "load_torchvision_weights",
    "mobilenet",
    "mobilenet_v2",
    "nasnet_large",
    "nasnet_mobile",
    "nin",
    "plain18",
    "plain20",
    "plain32",
    "plain34",
    "plain44",
    "plain56",
    "plain110",
    "resnet18",
    "resnet18_v2",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet34_v2",
    "resnet44",
    "resnet50",
    "resnet50_v2",
    "resnet56",
    "resnet101",
    "resnet101_v2",
    "resnet110",
    "resnet152",
    "resnet152_v2",
    "resnet1202",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "xception",
    "xception_small",
    "zfnet",
]
