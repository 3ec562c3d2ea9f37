"""Chapter 14, ResNeXt and DenseNet: three functions that count, and two modules, a grouped block and a dense layer."""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from cnnviz.exercises.ch14_answers import added, alone, dense, in_front, normalised, paths
from cnnviz.exercises.check import Mistake, Verdict, cases, compare
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights


def check_path_weights(path_weights: Callable) -> Verdict:
    """The weights of a ResNeXt block. Difficulty 2 of 5, 10 minutes.

    ``path_weights(channels, cardinality, group_width) -> int``: on each of the `cardinality` paths 1 x 1 from
    `channels` to group_width, 3 x 3, 1 x 1 back to `channels`; without biases, normalisation and shortcut.
    """

    def right(channels, cardinality, width, *, kernel=9, ends=2, squared=1):
        return cardinality * (ends * channels * width + kernel * width ** (1 + squared))

    def one_group(channels, cardinality, width):
        return right(channels, 1, cardinality * width)

    mistakes = [
        Mistake("not grouped", "A path's 3 x 3 filters read only the maps of that path.", one_group),
        Mistake("one path only", "There are `cardinality` of them.", lambda c, n, d: right(c, 1, d)),
        Mistake("last 1 x 1 forgotten", "Each path goes back to all channels.", partial(right, ends=1)),
        Mistake("kernel not squared", "3 x 3 is 9 weights a channel.", partial(right, kernel=3)),
        Mistake("depthwise", "Each 3 x 3 filter reads all maps of its path.", partial(right, squared=0)),
    ]
    rows = [(4, 2, 1), (8, 2, 3), (8, 3, 2), (256, 32, 4), (256, 1, 64), (512, 64, 4)]
    return compare("path_weights", path_weights, right, cases("channels cardinality group_width", *rows), mistakes)


def check_widest_path(widest_path: Callable) -> Verdict:
    """The widest paths that fit a budget of weights. Difficulty 3 of 5, 15 minutes.

    ``widest_path(channels, cardinality, budget) -> int``: the largest group_width with which a block as in
    path_weights has at most `budget` weights; 0 where not even paths of one map fit.
    """

    def right(channels, cardinality, budget, *, over=0, kernel=9):
        width = 0
        while cardinality * (2 * channels * (width + 1) + kernel * (width + 1) ** 2) <= budget:
            width += 1
        return width + over

    def for_one_path(channels, cardinality, budget):
        return right(channels, 1, budget)

    mistakes = [
        Mistake("one too many", "The last width that fits, not the first that does not.", partial(right, over=1)),
        Mistake("cardinality forgotten", "All paths share the budget.", for_one_path),
        Mistake("kernel not squared", "3 x 3 is 9 weights a channel.", partial(right, kernel=3)),
        Mistake("square forgotten", "A path's 3 x 3 convolution has 9 * group_width ** 2 weights.",
                lambda c, n, budget: budget // (n * (2 * c + 9))),
    ]  # fmt: skip
    rows = [(4, 2, 200), (4, 2, 10), (256, 32, 70_144), (256, 1, 70_144), (256, 8, 70_144), (512, 16, 300_000)]
    return compare("widest_path", widest_path, right, cases("channels cardinality budget", *rows), mistakes)


def check_grouped_block(grouped_block: nn.Module) -> Verdict:
    """A ResNeXt block in its grouped form, small. Difficulty 3 of 5, 15 minutes.

    An nn.Module, maps [N, 16, H, W] -> the same shape: 1 x 1 to 8 maps, ReLU, 3 x 3 in 4 groups to 8, ReLU, 1 x 1 to
    16, the addition of the input, ReLU. No normalisation, no biases. Compared with torch for the same weights.
    """
    names = {
        "reduce.weight": torch.Size((8, 16, 1, 1)),
        "grouped.weight": torch.Size((8, 2, 3, 3)),
        "expand.weight": torch.Size((16, 8, 1, 1)),
    }
    fault = module_fault("grouped_block", grouped_block, names)
    if fault is not None:
        return fault
    weights = random_weights(grouped_block, names)
    block = partial(paths, *weights.values())
    mistakes = [
        Mistake("shortcut forgotten", "The input is added to what the paths compute.", partial(block, shortcut=False)),
        Mistake("ReLU before the addition", "The last ReLU follows the addition.", partial(block, early=True)),
        Mistake("last activation forgotten", "A ReLU follows the addition.", partial(block, last=False)),
        Mistake("activation forgotten", "A ReLU follows the first two convolutions.",
                *(partial(block, linear=those) for those in ((0,), (1,), (0, 1)))),
    ]  # fmt: skip
    shapes = [(1, 16, 4, 4), (2, 16, 5, 3), (3, 16, 1, 2)]
    return compare_modules("grouped_block", grouped_block, weights, block, shapes, mistakes)


def check_dense_channels(dense_channels: Callable) -> Verdict:
    """The channels at the end of each block of a DenseNet. Difficulty 2 of 5, 10 minutes.

    ``dense_channels(depths, growth) -> tuple``: the stem makes 2 * growth maps; after each block but the last a
    transition keeps half of them, rounded down.
    """

    def right(depths, growth, *, start=2, keep=2):
        channels, found = start * growth, []
        for depth in depths:
            channels += depth * growth
            found.append(channels)
            channels //= keep
        return tuple(found)

    def after_transition(depths, growth):
        return tuple(channels // 2 for channels in right(depths, growth))

    def last_before(depths, growth):
        return *after_transition(depths, growth)[:-1], right(depths, growth)[-1]

    mistakes = [
        Mistake("no compression", "A transition keeps half of the maps.", partial(right, keep=1)),
        Mistake("stem forgotten", "The first block begins with 2 * growth maps.", partial(right, start=0)),
        Mistake("stem half as wide", "The first block begins with 2 * growth maps.", partial(right, start=1)),
        Mistake("after the transition", "Give the channels before it.", after_transition, last_before),
        Mistake("new maps only", "A block hands on what it was given, too.", lambda d, k: tuple(n * k for n in d)),
    ]
    rows = [((2, 3), 4), ((1, 1, 1), 3), ((6, 12, 24, 16), 32), ((16, 16, 16), 12)]
    return compare("dense_channels", dense_channels, right, cases("depths growth", *rows), mistakes)


def check_dense_layer(dense_layer: nn.Module) -> Verdict:
    """DenseNet's layer, without its bottleneck. Difficulty 2 of 5, 10 minutes.

    An nn.Module, maps [N, 6, H, W] -> [N, 10, H, W]: batch normalisation and ReLU, then a 3 x 3 convolution without
    bias to 4 new maps, which stand behind the six of the input. Compared with torch for the same weights, in
    evaluation mode.
    """
    names = {
        "bn.weight": torch.Size((6,)),
        "bn.bias": torch.Size((6,)),
        "conv.weight": torch.Size((4, 6, 3, 3)),
    }
    fault = module_fault("dense_layer", dense_layer, names)
    if fault is not None:
        return fault
    weights = random_weights(dense_layer, {"conv.weight": names["conv.weight"]})
    draw = torch.Generator().manual_seed(7)
    scales = {name: torch.randn(6, generator=draw) + (name == "bn.weight") for name in ("bn.weight", "bn.bias")}
    weights = {name: value.to(weights["conv.weight"].device) for name, value in scales.items()} | weights
    layer = partial(dense, *weights.values())
    linear = partial(layer, activation=torch.clone)
    mistakes = [
        Mistake("input not handed on", "The new maps stand behind those of the input.", partial(layer, join=alone)),
        Mistake("new maps in front", "The input comes first.", partial(layer, join=in_front)),
        Mistake("activation forgotten", "First BN, then ReLU, then the convolution.", linear),
        Mistake("normalised input handed on", "Hand on the input as it came.", partial(layer, join=normalised)),
        Mistake("added", "DenseNet does not add.", partial(layer, join=added)),
    ]  # fmt: skip
    shapes = [(2, 6, 4, 4), (3, 6, 5, 3), (4, 6, 1, 2)]
    fresh = copy.deepcopy(dense_layer)  # means and variances as before training: 0 and 1
    for module in fresh.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return compare_modules("dense_layer", fresh, weights, layer, shapes, mistakes)
