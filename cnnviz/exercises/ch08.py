"""Chapter 08, VGG: five exercises. Four ask for functions, one for an nn.Module."""

from collections.abc import Callable
from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights

LAYERS = {"conv1.weight": (16, 8, 3, 3), "conv1.bias": (16,), "conv2.weight": (16, 16, 3, 3), "conv2.bias": (16,)}


def check_stack_share(stack_share: Callable) -> Verdict:
    """What stacked 3x3 convolutions weigh, compared with one large filter. Difficulty 2 of 5, 10 minutes.

    ``stack_share(size) -> number``: weights of the 3x3 layers that together see size x size pixels, divided by those of
    one size x size layer; as many channels everywhere, no biases, size odd.
    """

    def right(size, *, layers=lambda size: (size - 1) // 2, small=9, power=2):
        return small * layers(size) / size**power

    how_many = "The first 3x3 layer sees 3 pixels, each further one 2 more."
    mistakes = [
        Mistake("one layer", "Count all layers of the stack.", partial(right, layers=lambda size: 1)),
        Mistake("a third of the size", how_many, partial(right, layers=lambda size: size // 3)),
        Mistake("a third of the size", how_many, partial(right, layers=lambda size: size / 3)),
        Mistake("one layer too many", how_many, partial(right, layers=lambda size: (size + 1) // 2)),
        Mistake("one layer too few", how_many, partial(right, layers=lambda size: (size - 3) // 2)),
        Mistake("upside down", "Divide the stack by the large filter.", lambda size: 1 / right(size)),
        Mistake("saved, not left", "Return the share that the stack weighs.", lambda size: 1 - right(size)),
        Mistake("not squared", "A filter has size * size weights for each channel.", partial(right, small=3, power=1)),
        Mistake("percent", "Return a share: 1 is as much as the large filter.", lambda size: 100 * right(size)),
    ]
    return compare("stack_share", stack_share, right, cases("size", *[(n,) for n in (7, 5, 3, 9, 11)]), mistakes)


def check_joined_kernel(joined_kernel: Callable) -> Verdict:
    """The one filter that does what two in a row do, without a ReLU between them. Difficulty 4 of 5, 25 minutes.

    ``joined_kernel(first [k, k], second [m, m]) -> [k + m - 1, k + m - 1]``: for images of one channel, as torch
    convolves (nothing is flipped).
    """

    def right(first, second, *, flip=True):
        kernel = second.flip(0, 1) if flip else second
        return F.conv2d(first[None, None], kernel[None, None], padding=len(second) - 1)[0, 0]

    def cut(first, second):
        whole = right(first, second)
        edge = (len(whole) - len(first)) // 2
        return whole[edge : len(whole) - edge, edge : len(whole) - edge]

    def turned(first, second):
        return right(first, second).flip(0, 1)

    places = "A weight of the second at [i, j] lays the whole first filter at rows i and on, columns j and on."
    mistakes = [
        Mistake("second flipped", places, partial(right, flip=False)),
        Mistake("first flipped", places, lambda a, b: right(a, b, flip=False).flip(0, 1)),
        Mistake("both flipped", places, turned),
        Mistake("cut to the first", "Together they see k + m - 1 pixels.", cut),
        Mistake("added", "Outputs of the first are multiplied by weights of the second.", _added),
        Mistake("all products", "Products that meet the same pixel are added.", torch.kron),
    ]
    sizes = ((1, 3), (3, 3), (3, 5), (5, 3), (2, 2))
    given = [(whole_numbers(10 + a + 7 * b, a, a), whole_numbers(30 + a + 7 * b, b, b)) for a, b in sizes]
    return compare("joined_kernel", joined_kernel, right, cases("first second", *given), mistakes)


def check_vgg_parameters(vgg_parameters: Callable) -> Verdict:
    """Parameters of a whole VGG, weights and biases. Difficulty 3 of 5, 20 minutes.

    ``vgg_parameters(convolutions, maps, size, units) -> number``: 3x3 convolutions of each stage, maps of each stage,
    height of the maps after the last pooling, and units of the two hidden linear layers; 3 colours, 1000 classes.
    """

    def right(convolutions, maps, size, units, *, bias=1, colours=3, linear=3, inner=None, places=None, kernel=9):
        total, before = 0, colours
        for number, after in zip(convolutions, maps, strict=True):
            for _ in range(number):
                total += after * (kernel * before + bias)
                before = after if inner is None else before
            before = after
        ends = [(before * (size * size if places is None else places), units), (units, units), (units, 1000)]
        return total + sum(out * (seen + bias) for seen, out in ends[3 - linear :])

    def without_second(convolutions, maps, size, units):
        return right(convolutions, maps, size, units) - units * (units + 1)

    inside = "Only the first convolution of a stage reads the maps of the stage before."
    mistakes = [
        Mistake("bias forgotten", "Each map and each unit has one.", partial(right, bias=0)),
        Mistake("grey images", "An image has three colours.", partial(right, colours=1)),
        Mistake("linear layers forgotten", "Three linear layers follow the last stage.", partial(right, linear=0)),
        Mistake("first linear layer forgotten", "It reads size * size * maps numbers.", partial(right, linear=2)),
        Mistake("one hidden layer", "Two hidden linear layers, then the classes.", without_second),
        Mistake("stages all alike", inside, partial(right, inner="same")),
        Mistake("one convolution a stage", "convolutions says how many a stage has.",
                lambda convolutions, *rest: right([1] * len(convolutions), *rest)),
        Mistake("pixels forgotten", "The first linear layer reads every pixel of every map.", partial(right, places=1)),
        Mistake("kernel not squared", "A 3x3 filter has 9 weights for each map.", partial(right, kernel=3)),
    ]  # fmt: skip
    maps = (64, 128, 256, 512, 512)
    rows = [((2, 1), (4, 8), 2, 10), ((1, 3, 2), (8, 16, 16), 3, 20)]
    rows += [(numbers, maps, 7, 4096) for numbers in ((1, 1, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4))]
    given = cases("convolutions maps size units", *rows)
    return compare("vgg_parameters", vgg_parameters, right, given, mistakes)


def check_vgg_stage(vgg_stage: nn.Module) -> Verdict:
    """A stage with two convolutions, 8 maps to 16. Difficulty 2 of 5, 10 minutes.

    An nn.Module, maps [N, 8, H, W] -> [N, 16, H / 2, W / 2]: two 3x3 convolutions with bias that keep height and width,
    a ReLU behind each, 2x2 max pooling. Compared with torch for the same random weights.
    """
    names = {name: torch.Size(shape) for name, shape in LAYERS.items()}
    fault = module_fault("vgg_stage", vgg_stage, names)
    if fault is not None:
        return fault
    weights = random_weights(vgg_stage, names)
    net = partial(_stage, *weights.values())
    relu = "A ReLU follows each convolution."
    mistakes = [
        Mistake("activation forgotten", relu, partial(net, between=torch.clone)),
        Mistake("activation forgotten", relu, partial(net, end=torch.clone)),
        Mistake("activation forgotten", relu, partial(net, between=torch.clone, end=torch.clone)),
        Mistake("average pooling", "VGG takes the largest of 2 x 2.", partial(net, pool=F.avg_pool2d)),
        Mistake("pooling forgotten", "A stage ends with pooling.", partial(net, pool=_no_pool)),
        Mistake("pooled twice", "Only the end of a stage pools.", partial(net, middle=F.max_pool2d)),
        Mistake("pooled too early", "Both convolutions work before the pooling.",
                partial(net, middle=F.max_pool2d, pool=_no_pool)),
        Mistake("padding forgotten", "padding=1 keeps height and width.", partial(net, padding=0)),
        Mistake("stride for pooling", "The convolutions have stride 1.", partial(net, pool=_no_pool, stride=2)),
    ]  # fmt: skip
    return compare_modules("vgg_stage", vgg_stage, weights, net, [(1, 8, 8, 8), (2, 8, 9, 12), (3, 8, 10, 8)], mistakes)


def check_signal_factor(signal_factor: Callable) -> Verdict:
    """What a row of convolutions with ReLU does to the size of its numbers, untrained. Difficulty 3 of 5, 15 minutes.

    ``signal_factor(fan_ins, deviation) -> number``: by which factor the mean square changes from the first input to
    the last output, where weights are normal with this deviation and fan_ins holds the inputs of a filter, by layer.
    A layer makes it fan-in * deviation squared times as large, a ReLU half as large.
    """

    def right(fan_ins, deviation, *, relu=0.5, power=2, join=prod):
        return join(fan_in * deviation**power * relu for fan_in in fan_ins)

    mistakes = [
        Mistake("ReLU forgotten", "It sets half of the numbers to zero.", partial(right, relu=1.0)),
        Mistake("one ReLU only", "Each layer has one.", lambda f, s: right(f, s, relu=1.0) / 2),
        Mistake("deviation not squared", "A variance is a deviation squared.", partial(right, power=1)),
        Mistake("added", "Each layer multiplies what the one before made.", partial(right, join=sum)),
        Mistake("first layer only", "All layers multiply.", lambda fan_ins, s: right(fan_ins[:1], s)),
        Mistake(
            "mean of the layers", "All layers multiply.", lambda fan_ins, s: right(fan_ins, s, join=sum) / len(fan_ins)
        ),
        Mistake("deviation of the output", "The mean square, without a root.", lambda f, s: right(f, s) ** 0.5),
        Mistake("upside down", "Output divided by input.", lambda fan_ins, s: 1 / right(fan_ins, s)),
    ]
    rows = [((8,), 0.5), ((27, 36), 0.25), ((10, 20, 40), 0.3), ((50, 50, 50, 50), 0.2), ((8, 18, 32), 0.35)]
    return compare("signal_factor", signal_factor, right, cases("fan_ins deviation", *rows), mistakes)


def _added(first: Tensor, second: Tensor) -> Tensor:
    """Both filters in the middle of a larger one, added."""
    size = len(first) + len(second) - 1
    total = torch.zeros(size, size)
    for kernel in (first, second):
        begin = (size - len(kernel)) // 2
        total[begin : begin + len(kernel), begin : begin + len(kernel)] += kernel
    return total


def _no_pool(x: Tensor, kernel_size: int) -> Tensor:
    """The place of pooling left empty."""
    return x


def _stage(
    weight1, bias1, weight2, bias2, x,
    *, between=F.relu, end=F.relu, middle=_no_pool, pool=F.max_pool2d, padding=1, stride=1,
) -> Tensor:  # fmt: skip
    """The stage with one part exchanged."""
    x = middle(between(F.conv2d(x, weight1, bias1, padding=padding)), 2)
    return pool(end(F.conv2d(x, weight2, bias2, stride, padding)), 2)
