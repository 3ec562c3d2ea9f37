"""Answers to the exercises of chapter 04: those of torch's modules, and formulas with one part exchangeable."""

from functools import cache
from itertools import pairwise
from math import prod

from torch import nn

from cnnviz.analysis import LayerTable, layer_table

FLOAT = 4  # bytes


def count_conv(c, f, k, g, bias, *, power=2, biases=1, shared=1):
    """Parameters of a convolution by formula; ``shared``: how often the groups divide."""
    return f * c * k**power // g**shared + (biases * f if bias else 0)


def work_conv(c, f, k, n, s, p, g, *, power=2, sides=2, steps=None, area=2, each=1, shared=1):
    """Mult-adds of a convolution by formula."""
    out = (n + sides * p - k) // (s if steps is None else steps) + 1
    return each * out**area * f * c * k**power // g**shared


def count_network(channels, n, classes, *, bias=1, kept=None, pooled=1, last=True, first=0):
    """Parameters of [CONV 3x3, RELU, POOL 2x2] for each pair of channels, and a linear layer, by formula."""
    total = sum(9 * c * f + bias * f for c, f in pairwise(channels[first:]))
    side = n // 2 ** (pooled * (len(channels) - 1)) if kept is None else kept
    return total + (channels[-1] * side**2 * classes + bias * classes if last else 0)


def numbers_out(channels, strides, n) -> list[int]:
    """How many numbers each of some 3 x 3 convolutions with padding 1 puts out."""
    rows = _stack(channels, strides, n).rows
    return [row.activations for row in rows]


def fullest(channels, strides, n, *, of=numbers_out) -> int:
    """Which layer has the most; the first of equals."""
    most = of(channels, strides, n)
    return most.index(max(most))


def numbers_in(channels, strides, n) -> list[int]:
    """How many numbers go into each layer."""
    return [prod(row.input_shape) for row in _stack(channels, strides, n).rows]


def weights_of(channels, strides, n) -> list[int]:
    """How many parameters each layer has."""
    return [row.parameters for row in _stack(channels, strides, n).rows]


def work_of(channels, strides, n) -> list[int]:
    """How many mult-adds each layer takes."""
    return [row.mult_adds for row in _stack(channels, strides, n).rows]


def rows_of_pixels(channels, strides, n) -> list[int]:
    """Channels times one side in the place of the area."""
    return [row.output_shape[1] * row.output_shape[2] for row in _stack(channels, strides, n).rows]


def batch(parameters, activations, memory, kept, *, copies=2, each=FLOAT, per_image=0, least=0, up=0, whole=True):
    """How many images fit, by formula; ``copies`` of every parameter beside the optimiser's."""
    room = memory - each * parameters * (copies + kept) * (1 - per_image)
    one = each * (activations + per_image * parameters * (copies + kept))
    return max(least, (room + up * (one - 1)) // one if whole else room / one)


def bottleneck(c, f, k, n, budget, *, power=2, area=2, whole=True, up=0, reduce=True, extra=0):
    """The widest bottleneck under a budget, by formula."""
    one = n**area * (reduce * c + k**power * f)
    return ((budget + up * (one - 1)) // one if whole else budget / one) + extra


def conv_parameters(c, f, k, g, bias) -> int:
    """What torch's convolution holds."""
    layer = nn.Conv2d(c, f, k, groups=g, bias=bias, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


def conv_mult_adds(c, f, k, n, s, p, g) -> int:
    """What layer_table counts for torch's convolution."""
    return layer_table(nn.Conv2d(c, f, k, s, p, groups=g, device="meta"), (c, n, n)).mult_adds


@cache
def network_parameters(channels, n, classes) -> int:
    """What torch's layers hold; the linear layer is as long as what comes out of the last pooling."""
    layers = []
    for c, f in pairwise(channels):
        layers += [nn.Conv2d(c, f, 3, padding=1, device="meta"), nn.ReLU(), nn.MaxPool2d(2)]
    table = layer_table(nn.Sequential(*layers), (channels[0], n, n))
    linear = nn.Linear(table.rows[-1].activations, classes, device="meta")
    return table.parameters + layer_table(linear, (linear.in_features,)).parameters


def largest_batch(parameters, activations, memory, kept) -> int:
    """Put images into the memory until the next one does not fit."""
    used, images = FLOAT * parameters * (1 + 1 + kept), 0  # weight, gradient, what the optimiser keeps
    while used + FLOAT * activations <= memory:
        used, images = used + FLOAT * activations, images + 1
    return images


def widest_bottleneck(c, f, k, n, budget) -> int:
    """How often a bottleneck of one map, as layer_table counts it, goes into the budget."""
    return budget // _thin(c, f, k, n)


@cache
def _thin(c, f, k, n) -> int:
    one = [nn.Conv2d(c, 1, 1, device="meta"), nn.Conv2d(1, f, k, padding=k // 2, device="meta")]
    return layer_table(nn.Sequential(*one), (c, n, n)).mult_adds


@cache
def separable_share(c, f, k) -> float:
    """Mult-adds of the two steps, divided by those of the full convolution, as layer_table counts them."""
    steps = [nn.Conv2d(c, c, k, padding=k // 2, groups=c, device="meta"), nn.Conv2d(c, f, 1, device="meta")]
    full = nn.Conv2d(c, f, k, padding=k // 2, device="meta")
    return layer_table(nn.Sequential(*steps), (c, 8, 8)).mult_adds / layer_table(full, (c, 8, 8)).mult_adds


@cache
def _stack(channels, strides, n) -> LayerTable:
    pairs = zip((3, *channels[:-1]), channels, strides, strict=True)
    layers = [nn.Conv2d(c, f, 3, stride, padding=1, device="meta") for c, f, stride in pairs]
    return layer_table(nn.Sequential(*layers), (3, n, n))
