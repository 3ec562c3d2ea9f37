"""Architectures: one paper, one file; a name in, an nn.Module out."""

import inspect

from torch import nn

from cnnviz.models.alexnet import alexnet, alexnet_owt, alexnet_two_groups
from cnnviz.models.googlenet import googlenet
from cnnviz.models.lenet import lenet5, lenet5_1998
from cnnviz.models.mobilenet import mobilenet
from cnnviz.models.zfnet import zfnet

MODELS = {
    "lenet5": lenet5,
    "lenet5_1998": lenet5_1998,
    "alexnet": alexnet,
    "alexnet_two_groups": alexnet_two_groups,
    "alexnet_owt": alexnet_owt,
    "zfnet": zfnet,
    "mobilenet": mobilenet,
    "googlenet": googlenet,
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
    "googlenet",
    "lenet5",
    "lenet5_1998",
    "list_models",
    "mobilenet",
    "zfnet",
]
