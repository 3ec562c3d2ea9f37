"""Chapter 09, network in network: five exercises. One asks for an nn.Module, four for functions."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from cnnviz.exercises.ch05_answers import package
from cnnviz.exercises.check import Mistake, Verdict, cases, compare
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights
from cnnviz.models.nin import MLPConv


def check_mlpconv_parameters(mlpconv_parameters: Callable) -> Verdict:
    """Parameters of one stage of NiN. Difficulty 2 of 5, 10 minutes.

    ``mlpconv_parameters(in_channels, kernel_size, maps1, maps2, maps3) -> int``: a convolution of kernel_size x
    kernel_size to maps1, then two of 1 x 1, to maps2 and maps3. Every map has a bias.
    """

    def right(seen, size, maps1, maps2, maps3, *, bias=1, squares=(2, 0, 0), inputs=None):
        ins = inputs(seen, maps1, maps2) if inputs else (seen, maps1, maps2)
        layers = zip((maps1, maps2, maps3), ins, squares, strict=True)
        return sum(out * (before * size**power + bias) for out, before, power in layers)

    one_pixel = "A 1 x 1 filter has one weight for each map that it reads."
    reads = "Each 1 x 1 convolution reads the maps of the layer before it."
    mistakes = [
        Mistake("bias forgotten", "Each map has one.", partial(right, bias=0)),
        Mistake("kernel in every layer", one_pixel, partial(right, squares=(2, 2, 2))),
        Mistake("kernel not squared", "A filter has kernel_size x kernel_size weights a map.",
                partial(right, squares=(1, 0, 0))),
        Mistake("image read again", reads, partial(right, inputs=lambda seen, a, b: (seen, seen, seen))),
        Mistake("image read again", reads, partial(right, inputs=lambda seen, a, b: (seen, a, a))),
        Mistake("convolution only", "The two 1 x 1 convolutions count, too.",
                lambda seen, size, a, b, c: a * (seen * size**2 + 1)),
        Mistake("convolution forgotten", "The first layer counts, too.",
                lambda seen, size, a, b, c: b * (a + 1) + c * (b + 1)),
    ]  # fmt: skip
    given = cases(
        "in_channels kernel_size maps1 maps2 maps3",
        (1, 1, 1, 2, 3), (3, 5, 192, 160, 96), (96, 5, 192, 192, 192), (192, 3, 192, 192, 10), (3, 11, 96, 96, 96),
    )  # fmt: skip
    return compare("mlpconv_parameters", mlpconv_parameters, right, given, mistakes)


def check_pixel_mlp(pixel_mlp: Callable) -> Verdict:
    """Two 1 x 1 convolutions without a convolution. Difficulty 3 of 5, 15 minutes.

    ``pixel_mlp(maps [N, C, H, W], weight1 [D, C], bias1 [D], weight2 [E, D], bias2 [E]) -> [N, E, H, W]``: at every
    place the same perceptron of two layers, with a ReLU after each.
    """

    def right(maps, weight1, bias1, weight2, bias2, *, first=F.relu, last=F.relu):
        hidden = first(F.conv2d(maps, weight1[:, :, None, None], bias1))
        return last(F.conv2d(hidden, weight2[:, :, None, None], bias2))

    def without_bias(maps, weight1, bias1, weight2, bias2):
        return right(maps, weight1, 0 * bias1, weight2, 0 * bias2)

    both = "A ReLU follows each of the two layers."
    mistakes = [
        Mistake("no ReLU between", both, partial(right, first=torch.clone)),
        Mistake("no ReLU at the end", both, partial(right, last=torch.clone)),
        Mistake("no ReLU at all", both, partial(right, first=torch.clone, last=torch.clone)),
        Mistake("bias forgotten", "Both layers add one.", without_bias),
        Mistake("channels last", "Bring the channels back to dimension 1.",
                lambda *given: right(*given).movedim(1, -1)),
        Mistake("places mixed", "movedim puts a dimension elsewhere; reshape and view only cut the numbers anew.",
                lambda maps, *rest: right(maps.reshape(len(maps), *maps.shape[2:], -1).movedim(-1, 1), *rest)),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(9)
    given = [
        (torch.randn(n, c, h, w, generator=draw), torch.randn(d, c, generator=draw), torch.randn(d, generator=draw),
         torch.randn(e, d, generator=draw), torch.randn(e, generator=draw))
        for n, c, h, w, d, e in ((1, 2, 2, 3, 3, 2), (2, 3, 4, 4, 5, 4), (2, 6, 5, 3, 4, 7))
    ]  # fmt: skip
    return compare("pixel_mlp", pixel_mlp, right, cases("maps weight1 bias1 weight2 bias2", *given), mistakes)


def check_mlpconv(mlpconv: nn.Module) -> Verdict:
    """One stage of NiN. Difficulty 2 of 5, 15 minutes.

    An nn.Module, images [N, 3, H, W] -> [N, 4, H, W]: a convolution 5 x 5 with padding 2 to 8 maps, 1 x 1 to 6, 1 x 1
    to 4, a ReLU after each. Compared with the package's MLPConv for the same weights.
    """
    right = package(lambda: MLPConv(3, (8, 6, 4), kernel_size=5, padding=2))
    names = {name: p.shape for name, p in right.named_parameters()}
    fault = module_fault("mlpconv", mlpconv, names)
    if fault is not None:
        return fault
    weights = random_weights(mlpconv, names)
    stage = partial(_stage, *weights.values())
    each = "A ReLU follows each of the three convolutions."
    mistakes = [
        *(Mistake("activation forgotten", each, partial(stage, linear=linear)) for linear in ((0,), (1,), (2,))),
        Mistake("activation forgotten", each, partial(stage, linear=(0, 1)), partial(stage, linear=(0, 1, 2))),
        Mistake("padding forgotten", "padding=2 keeps height and width.", partial(stage, padding=0)),
        Mistake("padding of 1 x 1", "A 1 x 1 filter needs no padding.", partial(stage, around=1)),
        Mistake("pooling added", "Pooling comes after the stage.", lambda x: F.max_pool2d(stage(x), 2)),
        Mistake("other activation", "The paper has ReLU.", partial(stage, activation=torch.tanh)),
    ]
    answer = partial(functional_call, right, weights)
    return compare_modules("mlpconv", mlpconv, weights, answer, [(1, 3, 6, 6), (2, 3, 7, 8), (3, 3, 10, 9)], mistakes)


def check_heads(heads: Callable) -> Verdict:
    """What two heads cost behind the same maps. Difficulty 2 of 5, 10 minutes.

    ``heads(channels, size, num_classes) -> (flatten, average)``: parameters of a linear layer on all numbers of the
    maps [channels, size, size], and of one on the mean of every map. Both have biases.
    """

    def right(channels, size, classes, bias=1):
        return classes * (channels * size**2 + bias), classes * (channels + bias)

    mistakes = [
        Mistake("bias forgotten", "Each class has one.", partial(right, bias=0)),
        Mistake("exchanged", "The flattened head comes first.", lambda *given: right(*given)[::-1]),
        Mistake("side for area", "A map has size x size numbers.",
                lambda c, s, n: (n * (c * s + 1), n * (c + 1))),
        Mistake("average counted as pixels", "A mean is one number a map, whatever its size.",
                lambda c, s, n: (n * (c * s**2 + 1), n * (s**2 + 1))),
        Mistake("average is free", "The mean is free; the linear layer behind it is not.",
                lambda c, s, n: (n * (c * s**2 + 1), 0)),
    ]  # fmt: skip
    given = cases("channels size num_classes", (2, 3, 4), (192, 8, 10), (256, 6, 4096), (512, 7, 1000), (128, 4, 10))
    return compare("heads", heads, right, given, mistakes)


def check_class_map(class_map: Callable) -> Verdict:
    """Where a network with a linear layer on means sees a class. Difficulty 3 of 5, 15 minutes.

    ``class_map(maps [C, H, W], weight [classes, C], bias [classes], label) -> [H, W]``, the map whose mean is the
    class's logit: for each place the weighted sum of the C maps, and the bias.
    """

    def right(maps, weight, bias, label):
        return (weight[label, :, None, None] * maps).sum(0) + bias[label]

    def positive(*given):
        return right(*given).clamp(min=0)

    bias_in = "The mean of the map is the logit, and the logit has the bias in it."
    mistakes = [
        Mistake("bias forgotten", bias_in, lambda m, w, b, y: right(m, w, 0 * b, y)),
        Mistake("weights forgotten", "Each map counts with the class's weight.", lambda m, w, b, y: m.sum(0) + b[y]),
        Mistake("mean over the maps", "Add the weighted maps.",
                lambda m, w, b, y: (w[y, :, None, None] * m).mean(0) + b[y]),
        Mistake("a number, not a map", "Keep height and width.", lambda *given: right(*given).mean()),
        Mistake("the class's own map", "Map number label is only one of C.", lambda m, w, b, y: m[y]),
        Mistake("largest class", "Use the class that is asked for.",
                lambda m, w, b, y: right(m, w, b, int((w @ m.mean((1, 2)) + b).argmax()))),
        Mistake("negative parts cut off", bias_in, positive),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(4)
    given = [
        (torch.randn(c, h, w, generator=draw), torch.randn(n, c, generator=draw), torch.randn(n, generator=draw), label)
        for c, h, w, n, label in ((3, 2, 2, 3, 1), (6, 4, 4, 5, 2), (8, 3, 5, 4, 0), (8, 3, 5, 4, 3))
    ]
    return compare("class_map", class_map, right, cases("maps weight bias label", *given), mistakes)


def _stage(
    weight1, bias1, weight2, bias2, weight3, bias3, x, *, linear=(), padding=2, around=0, activation=F.relu
) -> Tensor:
    """A stage of NiN with one part exchanged; `linear` holds the numbers of the layers without activation."""
    layers = ((weight1, bias1, padding), (weight2, bias2, around), (weight3, bias3, around))
    for number, (weight, bias, pad) in enumerate(layers):
        x = F.conv2d(x, weight, bias, padding=pad)
        x = x if number in linear else activation(x)
    return x
