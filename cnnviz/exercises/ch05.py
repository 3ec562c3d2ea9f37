"""Chapter 05, LeNet: five exercises. Two ask for a table (a dict by layer), two for an nn.Module, one a function."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from cnnviz.exercises.ch05_answers import (
    HIDDEN,
    OTHER_ACTIVATIONS,
    SOFTMAX,
    block,
    lenet_5,
    no_pool,
    package,
    shapes_of,
)
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, compare_tables
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights
from cnnviz.models import lenet5, lenet5_1998

MODERN = "The modern form has ReLU and max pooling; tanh and averages are those of 1998."


def check_layer_shapes(layer_shapes: dict[str, tuple[int, ...]]) -> Verdict:
    """What comes out of LeNet-5's layers for one 28 x 28 image. Difficulty 2 of 5, 10 minutes.

    A dict by layer, c1 s2 c3 s4 c5 f6 output: (channels, height, width), or (length,) from c5 on. The right shapes are
    the package's; the verdict names the wrong layer and keeps its shape to itself.
    """
    shapes = shapes_of(package(lenet5))
    maps = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    first = "torch's shape of a map is (channels, height, width), without the number of images."

    def sizes(c1, s2, c3, s4):
        return {**shapes, "c1": (6, c1, c1), "s2": (6, s2, s2), "c3": (16, c3, c3), "s4": (16, s4, s4)}.get

    mistakes = [
        Mistake("padding forgotten", "c1 pads its image with 2 pixels on each side.", sizes(24, 12, 8, 4)),
        Mistake("padding in c3", "Only c1 pads its input.", sizes(28, 14, 14, 7)),
        Mistake("one pixel lost", "size - kernel_size + 1 windows fit.", sizes(27, 13, 8, 4), sizes(28, 14, 9, 4)),
        Mistake("pooling forgotten", "s2 and s4 halve height and width.", sizes(28, 28, 24, 24), sizes(28, 28, 10, 10)),
        Mistake("channels last", first, {**shapes, **{name: (*s[1:], s[0]) for name, s in maps.items()}}.get),
        Mistake("channels forgotten", first, {**shapes, **{name: s[1:] for name, s in maps.items()}}.get),
        Mistake("images counted", first, {name: (1, *s) for name, s in shapes.items()}.get),
    ]
    table = layer_shapes
    if isinstance(table, dict):  # c5 as a convolution gives (120, 1, 1), the same numbers
        table = {name: _without_ones(shape) for name, shape in table.items()}
    return compare_tables("layer_shapes", table, shapes, mistakes)


def check_layer_parameters(layer_parameters: dict[str, int]) -> Verdict:
    """Parameters of each layer of LeNet-5 as of 1998. Difficulty 3 of 5, 15 minutes.

    A dict by layer, c1 s2 c3 s4 c5 f6: weights and biases that are learned, 60,000 in all, as the paper says.
    """
    model = package(lenet5_1998)
    right = {name: sum(p.numel() for p in layer.parameters()) for name, layer in model.named_children()}
    del right["output"]  # radial basis functions in 1998
    subsampling = "In 1998 each map of s2 and s4 has one coefficient and one bias."
    partial_maps = "Maps of c3 see 3, 4 or 6 maps of s2 (table I): 60 connections, each of 5 x 5 weights."
    connections = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164}  # the paper's
    no_bias = {"c1": 150, "s2": 6, "c3": 1_500, "s4": 16, "c5": 48_000, "f6": 10_080}
    mistakes = [
        Mistake("bias forgotten", "Each map and neuron has one.", no_bias.get, (no_bias | {"s2": 12, "s4": 32}).get),
        Mistake("pooling without parameters", subsampling, (right | {"s2": 0, "s4": 0}).get),
        Mistake("c3 fully connected", partial_maps, (right | {"c3": 2_416}).get),
        Mistake("modern LeNet", subsampling + " " + partial_maps, (right | {"s2": 0, "c3": 2_416, "s4": 0}).get),
        Mistake("one bias a connection", "c3 has one bias a map, 16.", (right | {"c3": 1_560}).get),
        Mistake("connections counted", "Shared weights count once.", connections.get),
    ]
    return compare_tables("layer_parameters", layer_parameters, right, mistakes)


def check_first_block(first_block: nn.Module) -> Verdict:
    """LeNet's first block, c1 to s2. Difficulty 2 of 5, 10 minutes.

    An nn.Module, images [N, 1, H, W] -> [N, 6, H / 2, W / 2]: 6 filters 5 x 5 with padding 2, ReLU, max pooling.
    Compared with torch for the same weights, random ones; the module's own are left as they are.
    """
    names = {name: p.shape for name, p in package(lenet5).named_parameters() if name.startswith("c1.")}
    fault = module_fault("first_block", first_block, names)
    if fault is not None:
        return fault
    weights = random_weights(first_block, names)
    right = partial(block, *weights.values())
    mistakes = [
        Mistake("activation forgotten", "A ReLU follows the convolution.", partial(right, activation=torch.clone)),
        Mistake("other activation", MODERN, *(partial(right, activation=other) for other in OTHER_ACTIVATIONS)),
        Mistake("average pooling", MODERN, partial(right, pool=F.avg_pool2d)),
        Mistake("form of 1998", MODERN, *(partial(right, activation=a, pool=F.avg_pool2d) for a in OTHER_ACTIVATIONS)),
        Mistake("pooling forgotten", "s2 halves height and width.", partial(right, pool=no_pool)),
        Mistake("stride for pooling", "c1 has stride 1; s2 halves.", partial(right, pool=no_pool, stride=2)),
        Mistake("padding forgotten", "c1 pads its image with 2 pixels on each side.", partial(right, padding=0)),
    ]
    shapes = [(1, 1, 6, 6), *product((1, 3), (1,), (7, 10), (8, 9))]
    return compare_modules("first_block", first_block, weights, right, shapes, mistakes)


def check_lenet(lenet: nn.Module) -> Verdict:
    """The whole of LeNet-5 in its modern form, 61,706 parameters. Difficulty 3 of 5, 20 minutes.

    An nn.Module, images [N, 1, 28, 28] -> logits [N, 10]. Its parameters are compared layer by layer, in their order,
    and its output with the package's for the same weights.
    """
    right = package(lenet5)
    names = {name: p.shape for name, p in right.named_parameters()}
    fault = module_fault("lenet", lenet, names)
    if fault is not None:
        return fault
    weights = random_weights(lenet, names)
    net = partial(lenet_5, weights)
    relu = "A ReLU follows c1, c3, c5 and f6."
    mistakes = [
        Mistake("softmax at the end", "The loss applies softmax itself.", *(partial(net, end=end) for end in SOFTMAX)),
        Mistake("activation at the end", "The output is logits of either sign.", partial(net, end=F.relu)),
        Mistake("activation forgotten", relu, *(partial(net, linear=(name,)) for name in HIDDEN)),
        Mistake("activation forgotten", relu, partial(net, linear=HIDDEN)),
        Mistake("other activation", MODERN, *(partial(net, activation=other) for other in OTHER_ACTIVATIONS)),
        Mistake("average pooling", MODERN, partial(net, pool=F.avg_pool2d)),
        Mistake("form of 1998", MODERN, *(partial(net, activation=a, pool=F.avg_pool2d) for a in OTHER_ACTIVATIONS)),
    ]
    answer = partial(functional_call, right, weights)
    return compare_modules("lenet", lenet, weights, answer, [(n, 1, 28, 28) for n in (1, 2, 5, 8)], mistakes)


def check_error_rate(error_rate: Callable) -> Verdict:
    """The share of images that a network gets wrong. Difficulty 1 of 5, 5 minutes.

    ``error_rate(logits [N, classes], labels [N]) -> number from 0 to 1``: the largest logit is the answer.
    """

    def right(logits, labels):
        return (logits.argmax(1) != labels).double().mean().item()

    share = "The error is a share: wrong images / all images, from 0 to 1."
    largest = "The answer of the network is the class of the largest logit: argmax over dimension 1."
    mistakes = [
        Mistake("accuracy for error", "Count the wrong ones.", lambda x, y: 1 - right(x, y)),
        Mistake("percent", share, lambda x, y: 100 * right(x, y)),
        Mistake("number of errors", share, lambda x, y: right(x, y) * len(y)),
        Mistake("integer division", share + " Divide with /.", lambda x, y: int(right(x, y))),
        Mistake("smallest logit", largest, lambda x, y: right(-x, y)),
        Mistake("argmax over images", largest, lambda x, y: (x.argmax(0) != y).double().mean()),
        Mistake("one answer an image", "Take the mean over the images.", lambda x, y: (x.argmax(1) != y).double()),
    ]
    drawn = []
    for n in (4, 10, 8):  # as many images as classes, so that a wrong dimension fits too
        logits = torch.stack([_order(n + i, n) for i in range(n)]).float()
        best, worst = logits.argmax(1), logits.argmin(1)
        mixed = torch.where(torch.arange(n) < n // 4, best, _order(n, n))
        drawn += [(logits, mixed), (logits, best), (logits, worst)]
    return compare("error_rate", error_rate, right, cases("logits labels", *drawn), mistakes)


def _without_ones(shape):
    """(120, 1, 1) -> (120,); anything else as it is."""
    long = isinstance(shape, tuple | list) and len(shape) == 3
    return shape[:1] if long and tuple(shape[1:]) == (1, 1) else shape


def _order(seed: int, n: int) -> Tensor:
    """The numbers 0 to n - 1 in a random order: no two logits are equal."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))
