"""Chapter 04, counting the cost: eight exercises, seven functions that count and one network under a budget."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import nn

from cnnviz.analysis import layer_table
from cnnviz.analysis.hooks import untouched
from cnnviz.exercises import ch04_answers as counted
from cnnviz.exercises.ch04_answers import batch, bottleneck, count_conv, count_network, fullest, work_conv
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, fail
from cnnviz.exercises.verdict import show

SQUARE = "A filter covers kernel_size * kernel_size pixels."
GROUPS = "A filter sees only the in_channels / groups channels of its own group: divide once."
OUTPUTS = "A filter is applied once for each pixel that comes out: out * out, whatever goes in."
LIMITS = {"parameters": 12_000, "mult_adds": 1_000_000}  # of the small network
MAPS, FIELD = 64, 32  # filters of its last convolution, and how many pixels they must see

# The lectures' ten filters first, so that the first case that fails is one to do by hand.
CONVOLUTIONS = [(3, 10, 3, 1), (10, 10, 3, 1), (4, 8, 5, 2), (6, 6, 3, 6), (8, 16, 1, 4), (256, 64, 1, 1)]


def check_conv_parameters(conv_parameters: Callable) -> Verdict:
    """Weights and biases of a convolution. Difficulty 1 of 5, 5 minutes.

    ``conv_parameters(in_channels, out_channels, kernel_size, groups, bias) -> int`` beside what torch's layer holds.
    """
    one_each = "There is one bias a filter, none where bias is False."
    mistakes = [
        Mistake("bias forgotten", one_each, lambda c, f, k, g, bias: count_conv(c, f, k, g, False)),
        Mistake("bias always counted", one_each, lambda c, f, k, g, bias: count_conv(c, f, k, g, True)),
        Mistake("one bias for all", one_each, lambda *layer: count_conv(*layer[:4], False) + layer[4]),
        Mistake("one bias a channel", one_each, lambda c, f, k, g, bias: count_conv(c, f, k, g, 0) + bias * f * c),
        Mistake("kernel not squared", SQUARE, partial(count_conv, power=1)),
        Mistake("input channels forgotten", "A filter is as deep as its input.", lambda c, *a: count_conv(1, *a)),
        Mistake("groups ignored", GROUPS, partial(count_conv, shared=0)),
        Mistake("groups divided twice", GROUPS, partial(count_conv, shared=2)),
    ]
    todo = cases("in_channels out_channels kernel_size groups bias", *[
        (*layer, bias) for layer in CONVOLUTIONS for bias in (True, False)
    ])  # fmt: skip
    return compare("conv_parameters", conv_parameters, counted.conv_parameters, todo, mistakes)


def check_conv_mult_adds(conv_mult_adds: Callable) -> Verdict:
    """Mult-adds of a convolution on a square image. Difficulty 2 of 5, 10 minutes.

    ``conv_mult_adds(in_channels, out_channels, kernel_size, size, stride, padding, groups) -> int`` as layer_table
    counts them: one for each weight at each place; biases are free.
    """
    mistakes = [
        Mistake("FLOPs for mult-adds", "A multiplication and its addition are one.", partial(work_conv, each=2)),
        Mistake("input pixels counted", OUTPUTS, lambda c, f, k, n, s, p, g: n**2 * f * (c // g) * k**2),
        Mistake("one side for an area", OUTPUTS, partial(work_conv, area=1)),
        Mistake("image forgotten", OUTPUTS, partial(work_conv, area=0)),
        Mistake("stride ignored", OUTPUTS, partial(work_conv, steps=1)),
        Mistake("padding ignored", OUTPUTS, partial(work_conv, sides=0)),
        Mistake("padding on one side only", "Both ends are padded.", partial(work_conv, sides=1)),
        Mistake("kernel not squared", SQUARE, partial(work_conv, power=1)),
        Mistake("groups ignored", GROUPS, partial(work_conv, shared=0)),
        Mistake("groups divided twice", GROUPS, partial(work_conv, shared=2)),
        Mistake("bias counted", "Biases are additions alone, and left out.", _with_biases),
    ]
    sizes = [(3, 10, 3, 32, 1, 1, 1), (256, 192, 3, 28, 1, 1, 1), (3, 64, 7, 224, 2, 3, 1), (4, 8, 3, 7, 3, 0, 2)]
    sizes += [(c, f, k, 9, s, p, g) for (c, f, k, g), s, p in product(CONVOLUTIONS[1:5], (1, 2), (0, 2))]
    todo = cases("in_channels out_channels kernel_size size stride padding groups", *sizes)
    return compare("conv_mult_adds", conv_mult_adds, counted.conv_mult_adds, todo, mistakes)


def _with_biases(c, f, k, n, s, p, g):
    return work_conv(c, f, k, n, s, p, g) + f * ((n + 2 * p - k) // s + 1) ** 2


def check_network_parameters(network_parameters: Callable) -> Verdict:
    """Parameters of a network of the pattern CONV-RELU-POOL. Difficulty 3 of 5, 15 minutes.

    ``network_parameters(channels, image_size, num_classes) -> int``: channels (3, 10, 20) are a 3 x 3 convolution with
    padding 1 from 3 to 10 channels, ReLU, 2 x 2 pooling with stride 2, the same from 10 to 20, and a linear layer.
    """
    flat = "The linear layer has a weight for each number of the last maps: channels * side * side, for each class."
    halves = "Each pooling halves the side, and drops what is left over: side // 2."
    mistakes = [
        Mistake("bias forgotten", "Filters and classes have one each.", partial(count_network, bias=0)),
        Mistake("biases of the filters only", "Classes have one each, too.", lambda *a: count_network(*a) - a[2]),
        Mistake("linear layer forgotten", flat, partial(count_network, last=False)),
        Mistake("pooling forgotten", halves, partial(count_network, pooled=0)),
        Mistake("one pooling too few", halves, lambda c, n, k: count_network(c, n, k, kept=n // 2 ** (len(c) - 2))),
        Mistake("one number a channel", flat, partial(count_network, kept=1)),
        Mistake("rounded up", halves, lambda c, n, k: count_network(c, n, k, kept=-(-n // 2 ** (len(c) - 1)))),
        Mistake("first convolution forgotten", "It takes channels[0] to channels[1].", partial(count_network, first=1)),
    ]
    networks = [((3, 10), 4, 10), ((3, 10, 10), 32, 10), ((1, 4, 8), 30, 10), ((3, 16, 32, 64), 32, 100)]
    networks += [((1, 6, 16), 28, 10), ((3, 8, 8, 8), 50, 7)]
    todo = cases("channels image_size num_classes", *networks)
    return compare("network_parameters", network_parameters, counted.network_parameters, todo, mistakes)


def check_fullest_layer(fullest_layer: Callable) -> Verdict:
    """The layer whose output takes the most memory. Difficulty 2 of 5, 10 minutes.

    ``fullest_layer(channels, strides, size) -> int``: the place of the layer, 0 is the first. All layers are 3 x 3
    convolutions with padding 1; the image has 3 channels; of equal layers the first counts.
    """
    numbers = "An output takes channels * side * side numbers; parameters and mult-adds are other bills."
    mistakes = [
        Mistake("counted from 1", "Python counts places from 0.", lambda *a: fullest(*a) + 1),
        Mistake("most channels", numbers, lambda c, s, n: c.index(max(c))),
        Mistake("most parameters", numbers, partial(fullest, of=counted.weights_of)),
        Mistake("most mult-adds", numbers, partial(fullest, of=counted.work_of)),
        Mistake("input for output", "Ask what comes out of a layer.", partial(fullest, of=counted.numbers_in)),
        Mistake("one side for an area", numbers, partial(fullest, of=counted.rows_of_pixels)),
        Mistake("last of equals", "Of equal layers the first counts.", _last_of_equals),
        Mistake("least for most", "Ask for the most.", lambda *a: fullest(*a, of=_negative)),
        Mistake("number for place", "Ask for the layer's place, not its numbers.", lambda *a: max(_out(*a))),
    ]
    stacks = [
        ((8, 8, 16), (1, 2, 2), 8),
        ((4, 16, 8, 8), (1, 1, 1, 2), 8),
        ((16, 32, 64), (2, 1, 2), 32),
        ((8, 8, 16, 32), (2, 1, 1, 2), 16),
        ((4, 12, 30), (1, 2, 2), 12),
        ((4, 8, 12, 20), (2, 1, 1, 2), 9),
        ((8, 12, 24, 8), (1, 1, 2, 1), 10),
        ((4, 8, 32), (1, 2, 1), 8),
        ((16, 16, 8), (1, 1, 2), 8),
    ]
    return compare("fullest_layer", fullest_layer, fullest, cases("channels strides size", *stacks), mistakes)


def _out(*stack):
    return counted.numbers_out(*stack)


def _negative(*stack):
    return [-numbers for numbers in _out(*stack)]


def _last_of_equals(*stack):
    numbers = _out(*stack)
    return len(numbers) - 1 - numbers[::-1].index(max(numbers))


def check_largest_batch(largest_batch: Callable) -> Verdict:
    """How many images at a time fit into a memory while a network is trained. Difficulty 3 of 5, 15 minutes.

    ``largest_batch(parameters, activations, memory, optimizer_numbers) -> int``: memory in bytes, numbers of 4 bytes;
    ``activations`` are kept for each image, ``optimizer_numbers`` for each parameter (Adam: 2), beside its gradient.
    """
    once = "Weights, their gradients and the optimiser's numbers are there once, whatever the batch."
    whole = "Half an image does not fit: round down."
    mistakes = [
        Mistake("gradients forgotten", "Each parameter has a gradient, of its size.", partial(batch, copies=1)),
        Mistake("optimiser forgotten", "Adam keeps 2 numbers a parameter.", lambda p, a, m, o: batch(p, a, m, 0)),
        Mistake("parameters forgotten", once, lambda p, a, m, o: batch(0, a, m, 0)),
        Mistake("parameters for each image", once, partial(batch, per_image=1)),
        Mistake("numbers for bytes", "A float32 has 4 bytes; memory is in bytes.", partial(batch, each=1)),
        Mistake("negative batch", "Where not even the parameters fit, 0 images do.", partial(batch, least=-(10**12))),
        Mistake("rounded up", whole, partial(batch, up=1)),
        Mistake("true division", whole, partial(batch, whole=False)),
    ]
    networks = [(10, 5, 200, 0), (10, 5, 200, 2), (1_000, 300, 100_000, 1), (61_706, 12_000, 5_000_000, 2)]
    networks += [(1_000, 10, 10_000, 1), (500, 33, 9_999, 0), (25_000, 18_000, 2_000_000, 1), (10, 5, 100, 1)]
    todo = cases("parameters activations memory optimizer_numbers", *networks)
    return compare("largest_batch", largest_batch, counted.largest_batch, todo, mistakes)


def check_widest_bottleneck(widest_bottleneck: Callable) -> Verdict:
    """The most maps of a 1 x 1 convolution before a k x k one under a budget. Difficulty 3 of 5, 15 minutes.

    ``widest_bottleneck(in_channels, out_channels, kernel_size, size, budget) -> int``: mult-adds of both convolutions
    together at most budget, on maps of size x size; 0 where not even one map fits.
    """
    both = "Each map costs in_channels mult-adds a pixel to make, and k * k * out_channels to use."
    whole = "Maps are whole, and the budget is a limit: round down."
    mistakes = [
        Mistake("1x1 convolution forgotten", both, partial(bottleneck, reduce=False)),
        Mistake("3x3 convolution forgotten", both, lambda c, f, k, n, b: bottleneck(c, 0, k, n, b)),
        Mistake("channels exchanged", both, lambda c, f, k, n, b: bottleneck(f, c, k, n, b)),
        Mistake("kernel not squared", SQUARE, partial(bottleneck, power=1)),
        Mistake("one side for an area", "Both run at each of size * size pixels.", partial(bottleneck, area=1)),
        Mistake("pixels forgotten", "Both run at each of size * size pixels.", partial(bottleneck, area=0)),
        Mistake("rounded up", whole, partial(bottleneck, up=1)),
        Mistake("one map too many", whole, partial(bottleneck, extra=1)),
        Mistake("true division", whole, partial(bottleneck, whole=False)),
    ]
    budgets = [(4, 8, 3, 2, 1_000), (192, 32, 5, 28, 12_443_648), (256, 192, 3, 28, 100_000_000)]
    budgets += [(c, f, k, n, b) for c, f, k, n, b in product((16, 64), (32,), (3, 5), (7, 14), (10**5, 10**6))]
    todo = cases("in_channels out_channels kernel_size size budget", *budgets)
    return compare("widest_bottleneck", widest_bottleneck, counted.widest_bottleneck, todo, mistakes)


def check_separable_share(separable_share: Callable) -> Verdict:
    """What share of a full convolution's mult-adds a depthwise separable one takes. Difficulty 2 of 5, 10 minutes.

    ``separable_share(in_channels, out_channels, kernel_size) -> number from 0 to 1``, whatever the size of the maps.
    """
    share = "Divide the work of both steps by that of the full convolution."
    both = "There are two steps: one k x k filter a channel, then 1 x 1 filters over all channels."
    mistakes = [
        Mistake("times fewer for share", share, lambda c, f, k: 1 / (1 / f + 1 / k**2)),
        Mistake("saved share", "Asked for is what is left, not what is saved.", lambda c, f, k: 1 - 1 / f - 1 / k**2),
        Mistake("input channels for output channels", share, lambda c, f, k: 1 / c + 1 / k**2),
        Mistake("depthwise step only", both, lambda c, f, k: 1 / f),
        Mistake("pointwise step only", both, lambda c, f, k: 1 / k**2),
        Mistake("kernel not squared", SQUARE, lambda c, f, k: 1 / f + 1 / k),
        Mistake("product for sum", "The two steps come one after the other: add.", lambda c, f, k: 1 / f / k**2),
        Mistake("integer division", "Divide with /.", lambda c, f, k: int(1 / f + 1 / k**2)),
    ]
    layers = [(2, 4, 2), (512, 512, 3), (32, 64, 3), (64, 32, 5), (8, 4, 7), (16, 1, 1)]
    todo = cases("in_channels out_channels kernel_size", *layers)
    return compare("separable_share", separable_share, counted.separable_share, todo, mistakes)


def check_small_network(small_network: nn.Module) -> Verdict:
    """A network under a budget. Difficulty 4 of 5, 30 minutes.

    An nn.Module, images [N, 3, 32, 32] -> logits [N, 10], with at most 12,000 parameters and 1,000,000 mult-adds an
    image, whose last convolution has at least 64 filters and sees at least 32 x 32 pixels.
    """
    if small_network is ...:
        return fail("small_network", "not written yet", "Put your layers in the place of the three dots.")
    if not isinstance(small_network, nn.Module):
        advice = f"Pass an nn.Module, an object and not its class, not {show(small_network)}."
        return fail("small_network", "not a module", advice)
    images = cases("images", *[(torch.zeros(n, 3, 32, 32),) for n in (1, 2, 5)])
    with untouched(small_network):
        verdict = compare(
            "small_network",
            lambda images: torch.ones(small_network(images).shape),
            lambda images: torch.ones(len(images), 10),
            images,
            reveal=False,
        )
    beyond = _beyond_the_budget(small_network) if verdict else None
    return verdict if beyond is None else beyond


def _beyond_the_budget(model: nn.Module) -> Verdict | None:
    """The first demand that the network does not meet."""
    table = layer_table(model, (3, 32, 32))
    for name, limit in LIMITS.items():
        if (number := getattr(table, name)) > limit:
            most = max(table.rows, key=lambda row: getattr(row, name))
            words, advice = name.replace("_", "-"), f"{number:,} are more than {limit:,}; most are in {most.name},"
            return fail("small_network", f"too many {words}", f"{advice} a {most.kind}: {getattr(most, name):,}.")
    convolutions = [row for row in table.rows if "Conv" in row.kind and row.output_shape]
    if not convolutions:
        return fail("small_network", "no convolution", "The network has no nn.Conv2d.")
    last = convolutions[-1]
    if last.output_shape[1] < MAPS:
        advice = f"The last convolution has {last.output_shape[1]}; {MAPS} are asked for."
        return fail("small_network", "too few filters", advice)
    if last.receptive_field is None or min(last.receptive_field) < FIELD:
        sees = last.receptive_field and " x ".join(map(str, last.receptive_field))
        advice = f"The last convolution sees {sees} pixels; {FIELD} x {FIELD} are asked for. Halve the maps earlier."
        return fail("small_network", "field too small", advice)
    return None
