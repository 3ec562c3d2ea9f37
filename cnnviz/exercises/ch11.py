"""Chapter 11, ResNet: five exercises. Four ask for functions, one for the forward pass of an nn.Module."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights

LAYERS = ("bn1.weight", "bn1.bias", "conv1.weight", "bn2.weight", "bn2.bias", "conv2.weight")  # of the block V2


def check_resnet_depth(resnet_depth: Callable) -> Verdict:
    """How many layers a ResNet has, as its name counts them. Difficulty 1 of 5, 5 minutes.

    ``resnet_depth(depths, bottleneck) -> number``: depths holds the number of blocks of each stage. Layers with
    weights on the way through count, projections in shortcuts and normalisations do not.
    """

    def right(depths, bottleneck, *, basic=2, narrow=3, others=2):
        return others + (narrow if bottleneck else basic) * sum(depths)

    ends = "One convolution stands before the blocks and one linear layer behind them."
    mistakes = [
        Mistake("stem and head forgotten", ends, partial(right, others=0)),
        Mistake("one end forgotten", ends, partial(right, others=1)),
        Mistake("pooling counted", "The max pooling of the stem has no weights.", partial(right, others=3)),
        Mistake("blocks counted", "Count the layers in a block.", partial(right, basic=1, narrow=1)),
        Mistake("two layers a bottleneck", "A bottleneck has three convolutions.", partial(right, narrow=2)),
        Mistake("three layers a basic block", "A basic block has two convolutions.", partial(right, basic=3)),
        Mistake("projections counted", "Projections stand beside the way, not on it.",
                lambda depths, bottleneck: right(depths, bottleneck) + len(depths) - (not bottleneck)),
    ]  # fmt: skip
    basic, bottlenecks = ((2, 2, 2, 2), (3, 4, 6, 3), (9, 9, 9)), ((3, 4, 6, 3), (3, 8, 36, 3))
    rows = [(depths, False) for depths in basic] + [(depths, True) for depths in bottlenecks]
    return compare("resnet_depth", resnet_depth, right, cases("depths bottleneck", *rows), mistakes)


def check_identity_weight(identity_weight: Callable) -> Verdict:
    """The weight with which a padded convolution returns its input. Difficulty 2 of 5, 10 minutes.

    ``identity_weight(channels, kernel_size) -> [channels, channels, kernel_size, kernel_size]``, kernel_size odd.
    """

    def right(channels, kernel_size, *, place=None):
        weight = torch.zeros(channels, channels, kernel_size, kernel_size)
        middle = kernel_size // 2 if place is None else place
        weight[range(channels), range(channels), middle, middle] = 1
        return weight

    def all_maps(channels, kernel_size):
        return right(1, kernel_size).repeat(channels, channels, 1, 1)

    def first_map(channels, kernel_size):
        weight = torch.zeros(channels, channels, kernel_size, kernel_size)
        weight[0, 0] = right(1, kernel_size)
        return weight

    def box(channels, kernel_size):
        return torch.eye(channels)[:, :, None, None].repeat(1, 1, kernel_size, kernel_size)

    own = "Output map i is input map i: weight[i, i] alone is not zero."
    middle = "Only the middle of the window, kernel_size // 2, has a 1."
    mistakes = [
        Mistake("every map added", own, all_maps),
        Mistake("all ones", own, lambda channels, k: torch.ones(channels, channels, k, k)),
        Mistake("first map only", own, first_map),
        Mistake("box kernel", middle, box),
        Mistake("mean of the window", middle, lambda channels, k: box(channels, k) / k**2),
        Mistake("diagonal of the window", middle,
                lambda channels, k: torch.eye(channels)[:, :, None, None] * torch.eye(k)),
        Mistake("corner of the window", middle, partial(right, place=0)),
        Mistake("one channel's weight", "A filter has a k x k window for every input map: four dimensions.",
                lambda channels, k: right(1, k)[0, 0]),
        Mistake("depthwise shape", "A filter has a k x k window for every input map: four dimensions.",
                lambda channels, k: right(1, k).repeat(channels, 1, 1, 1)),
    ]  # fmt: skip
    given = cases("channels kernel_size", (2, 3), (1, 3), (3, 5), (4, 1), (5, 3))
    return compare("identity_weight", identity_weight, right, given, mistakes)


def check_padding_shortcut(padding_shortcut: Callable) -> Verdict:
    """Shortcut A: what is added where a block changes the shape, without parameters. Difficulty 2 of 5, 10 minutes.

    ``padding_shortcut(maps [N, C, H, W], out_channels, stride) -> [N, out_channels, H / stride, W / stride]``: every
    stride-th pixel, and maps of zeros behind the C that there are.
    """

    def right(maps, out_channels, stride, *, small=None, before=0.0):
        small = maps[:, :, ::stride, ::stride] if small is None else small(maps, stride)
        missing = out_channels - maps.shape[1]
        front = int(before * missing)
        return F.pad(small, (0, 0, 0, 0, front, missing - front))

    def repeated(maps, out_channels, stride):
        number = -(-out_channels // maps.shape[1])
        return maps[:, :, ::stride, ::stride].repeat(1, number, 1, 1)[:, :out_channels]

    pixels = "Take pixels 0, stride, 2 * stride and so on of height and width: a slice with a step."
    behind = "Keep the maps that there are in front and append the zeros."
    mistakes = [
        Mistake("averages", pixels, partial(right, small=lambda x, s: F.avg_pool2d(x, s, ceil_mode=True))),
        Mistake("largest pixels", pixels, partial(right, small=lambda x, s: F.max_pool2d(x, s, ceil_mode=True))),
        Mistake("upper left quarter", pixels,
                partial(right, small=lambda x, s: x[:, :, : -(-x.shape[2] // s), : -(-x.shape[3] // s)])),
        Mistake("stride forgotten", pixels, partial(right, small=lambda x, s: x)),
        Mistake("height only", pixels, partial(right, small=lambda x, s: x[:, :, ::s])),
        Mistake("zeros in front", behind, partial(right, before=1.0)),
        Mistake("zeros on both sides", behind, partial(right, before=0.5)),
        Mistake("maps repeated", "The new maps are zeros.", repeated),
        Mistake("channels forgotten", "Append maps until there are out_channels.", lambda x, c, s: x[:, :, ::s, ::s]),
    ]  # fmt: skip
    rows = ((1, 1, 4, 4, 2, 2), (1, 2, 4, 6, 4, 2), (2, 3, 5, 7, 7, 2), (2, 2, 4, 4, 6, 1), (1, 4, 7, 8, 8, 3))
    given = [(whole_numbers(seed, *row[:4]), *row[4:]) for seed, row in enumerate(rows)]
    return compare("padding_shortcut", padding_shortcut, right, cases("maps out_channels stride", *given), mistakes)


def check_block_parameters(block_parameters: Callable) -> Verdict:
    """Parameters of a basic block. Difficulty 3 of 5, 15 minutes.

    ``block_parameters(in_channels, channels, stride, shortcut) -> number``: two 3x3 convolutions without bias, a batch
    normalisation behind each; shortcut "none", "A" (padding) or "B": a 1x1 convolution without bias and its
    normalisation, where stride or channels make input and output differ.
    """

    def right(c, n, stride, shortcut, *, norm=2, shortcut_norm=2, bias=0, first=9, needed=None, kernel=1):
        project = shortcut == "B" and (stride != 1 or c != n if needed is None else needed(c, n, stride))
        projection = kernel * c * n + (shortcut_norm + bias) * n if project else 0
        return first * c * n + 9 * n * n + 2 * (norm + bias) * n + projection

    where = "A block projects where stride or channels change, one of them is enough."
    mistakes = [
        Mistake("normalisation forgotten", "It learns two numbers a map.", partial(right, norm=0)),
        Mistake("normalisation forgotten", "It learns two numbers a map.", partial(right, norm=0, shortcut_norm=0)),
        Mistake("one number a map", "A normalisation learns a factor and an offset.",
                partial(right, norm=1, shortcut_norm=1)),
        Mistake("running means counted", "Mean and variance are measured, not learned.",
                partial(right, norm=4, shortcut_norm=4)),
        Mistake("biases counted", "The offset of the normalisation takes the place of a bias.", partial(right, bias=1)),
        Mistake("projection's normalisation forgotten", "The projection has one.", partial(right, shortcut_norm=0)),
        Mistake("always projected", where, partial(right, needed=lambda c, n, s: True)),
        Mistake("never projected", where, partial(right, needed=lambda c, n, s: False)),
        Mistake("stride forgotten", where, partial(right, needed=lambda c, n, s: c != n)),
        Mistake("channels forgotten", where, partial(right, needed=lambda c, n, s: s != 1)),
        Mistake("projection of 3 x 3", "The projection is a 1x1 convolution.", partial(right, kernel=9)),
        Mistake("padding has parameters", "Zeros are not learned: shortcut A has no parameters.",
                lambda c, n, stride, shortcut: right(c, n, stride, "B" if shortcut == "A" else shortcut)),
        Mistake("both convolutions alike", "The first convolution reads in_channels, the second channels.",
                lambda c, n, *rest: right(c, n, *rest) - 9 * c * n + 9 * n * n),
    ]  # fmt: skip
    rows = [
        (16, 16, 1, "A"), (16, 32, 2, "A"), (16, 32, 2, "B"), (16, 16, 1, "B"),
        (16, 32, 2, "none"), (16, 16, 2, "B"), (16, 24, 1, "B"), (64, 64, 1, "none"),
    ]  # fmt: skip
    given = cases("in_channels channels stride shortcut", *rows)
    return compare("block_parameters", block_parameters, right, given, mistakes)


def check_preactivation_block(preactivation_block: nn.Module) -> Verdict:
    """The forward pass of a pre-activated block. Difficulty 3 of 5, 15 minutes.

    An nn.Module with the layers bn1, conv1, bn2, conv2 in this order, maps [N, 8, H, W] -> [N, 8, H, W]: normalisation
    and ReLU before each 3x3 convolution, the untouched input added at the end. Compared in evaluation mode with torch,
    for the same random weights.
    """
    norm, weight = torch.Size([8]), torch.Size([8, 8, 3, 3])
    names = {name: weight if name.startswith("conv") else norm for name in LAYERS}
    fault = module_fault("preactivation_block", preactivation_block, names)
    if fault is not None:
        return fault
    weights = random_weights(preactivation_block, names)
    net = partial(_preactivated, *weights.values())
    before = "Normalisation, ReLU, convolution, and the same again."
    mistakes = [
        Mistake("shortcut forgotten", "Add the input at the end.", partial(net, shortcut=torch.zeros_like)),
        Mistake("activation after the addition", "Nothing follows the addition.", partial(net, end=F.relu)),
        Mistake("activated input added", "The shortcut takes the input as it came.", partial(net, shared=True)),
        Mistake("order of 2015", before, partial(net, order="conv bn relu")),
        Mistake("order of 2015", before, partial(net, order="conv bn relu", last=False)),
        Mistake("order of 2015", before, partial(net, order="conv bn relu", last=False, end=F.relu)),
        Mistake("ReLU before normalisation", before, partial(net, order="relu bn conv")),
        Mistake("activation forgotten", before, partial(net, first=False)),
        Mistake("activation forgotten", before, partial(net, last=False)),
        Mistake("activation forgotten", before, partial(net, first=False, last=False)),
    ]
    shapes = [(1, 8, 3, 3), (2, 8, 4, 5), (2, 8, 6, 4)]
    return compare_modules("preactivation_block", preactivation_block, weights, net, shapes, mistakes)


def _preactivated(
    factor1, offset1, weight1, factor2, offset2, weight2, maps,
    *, order="bn relu conv", first=True, last=True, shortcut=torch.clone, shared=False, end=torch.clone,
) -> Tensor:  # fmt: skip
    """The block with one part exchanged; normalisations as before training: mean 0, variance 1."""

    def norm(x, factor, offset):
        return F.batch_norm(x, torch.zeros_like(factor), torch.ones_like(factor), factor, offset)

    x = maps
    halves = ((factor1, offset1, weight1, first), (factor2, offset2, weight2, last))
    for factor, offset, weight, active in halves:
        for part in order.split():
            if part == "bn":
                x = norm(x, factor, offset)
            elif part == "conv":
                x = F.conv2d(x, weight, padding=1)
            elif active:
                x = F.relu(x)
    way = F.relu(norm(maps, factor1, offset1)) if shared else shortcut(maps)
    return end(way + x)
