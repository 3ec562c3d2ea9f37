"""Answers to the exercises of chapter 05: the package's networks, and LeNet-5 with one part exchanged."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.lenet import scaled_tanh

HIDDEN = ("c1", "c3", "c5", "f6")
OTHER_ACTIVATIONS = (torch.tanh, torch.sigmoid, scaled_tanh)
SOFTMAX = (partial(F.softmax, dim=1), partial(F.log_softmax, dim=1))


def block(weight, bias, images, *, activation=F.relu, pool=F.max_pool2d, padding=2, stride=1) -> Tensor:
    """LeNet's first block with one part exchanged."""
    return pool(activation(F.conv2d(images, weight, bias, stride, padding)), 2)


def no_pool(images, kernel_size) -> Tensor:
    """The place of pooling left empty."""
    return images


def lenet_5(weights, x, *, activation=F.relu, pool=F.max_pool2d, end=torch.clone, linear=()) -> Tensor:
    """LeNet-5 with one part exchanged; ``linear`` names the layers without activation."""

    def layer(name, x):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = F.conv2d(x, weight, bias, padding=2 * (name == "c1")) if weight.ndim == 4 else F.linear(x, weight, bias)
        return x if name in linear else activation(x)

    x = pool(layer("c1", x), 2)  # N, 6, 14, 14
    x = pool(layer("c3", x), 2).flatten(1)  # N, 400
    x = layer("f6", layer("c5", x))  # N, 84
    return end(F.linear(x, weights["output.weight"], weights["output.bias"]))


def package(build: Callable[[], nn.Module]) -> nn.Module:
    """The package's model, built without drawing from the learner's random numbers."""
    with torch.random.fork_rng(devices=[]):
        return build()


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of what comes out of each layer, without the number of images."""
    shapes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _layer, _in, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.zeros(1, 1, 28, 28))
    return shapes
