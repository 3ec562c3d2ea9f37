"""Chapter 15, Xception, MobileNet and NASNet: four exercises. Three ask for a function, one for an nn.Module."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights
from cnnviz.models.mobilenet_v2 import InvertedResidual

BLOCK = {  # of check_inverted_residual: 8 channels, 32 within
    "expand.weight": torch.Size((32, 8, 1, 1)),
    "expand.bias": torch.Size((32,)),
    "depthwise.weight": torch.Size((32, 1, 3, 3)),
    "depthwise.bias": torch.Size((32,)),
    "project.weight": torch.Size((8, 32, 1, 1)),
    "project.bias": torch.Size((8,)),
}


def check_full_weight(full_weight: Callable) -> Verdict:
    """The full convolution that does what a separable one does. Difficulty 2 of 5, 10 minutes.

    ``full_weight(depthwise [M, 1, K, K], pointwise [N, M, 1, 1]) -> [N, M, K, K]``.
    """

    def right(depthwise, pointwise):
        return pointwise * depthwise.transpose(0, 1)

    both = "A pixel passes the depthwise filter of its channel, then the pointwise weight: they are multiplied."
    shape = "The slice [n, m] looks at input channel m for output channel n."
    mistakes = [
        Mistake("steps added", both, lambda d, p: p + d.transpose(0, 1)),
        Mistake("one filter for all channels", "Channel m has the filter depthwise[m].", lambda d, p: p * d[:1]),
        Mistake("pointwise step forgotten", both, lambda d, p: right(d, torch.ones_like(p))),
        Mistake("depthwise step forgotten", both, lambda d, p: right(torch.ones_like(d), p)),
        Mistake("kernel flipped", "torch does not flip a kernel.", lambda d, p: right(d.flip(2, 3), p)),
        Mistake("input channels first", shape, lambda d, p: right(d, p).transpose(0, 1)),
    ]
    sizes = [(2, 2, 3), (2, 3, 3), (4, 2, 3), (3, 5, 5)]
    drawn = [(whole_numbers(n, m, 1, k, k), whole_numbers(m, n, m, 1, 1)) for m, n, k in sizes]
    return compare("full_weight", full_weight, right, cases("depthwise pointwise", *drawn), mistakes)


def check_separable_loss(separable_loss: Callable) -> Verdict:
    """What the nearest separable convolution loses of a full one. Difficulty 4 of 5, 20 minutes.

    ``separable_loss(weight [N, M, K, K]) -> share from 0 to 1`` of the sum of all squared weights.
    """

    def share_lost(weight, *, power=2):
        values = torch.linalg.svdvals(weight.transpose(0, 1).flatten(2))  # M, min(N, K * K)
        return 1 - (values[:, 0] ** power).sum() / (values**power).sum()

    def mean_of_channels(weight):
        return torch.stack([share_lost(weight[:, m : m + 1]) for m in range(weight.shape[1])]).mean()

    rank = "For each input channel, flatten its N slices into a matrix N x K * K: one matrix, one rank."
    squares = "The energy is the sum of the squares of the singular values."
    mistakes = [
        Mistake("share kept", "The loss is what is left over: 1 - kept / all.", lambda w: 1 - share_lost(w)),
        Mistake("not squared", squares, partial(share_lost, power=1)),
        Mistake("root taken", squares, lambda w: share_lost(w).clamp(min=0).sqrt()),
        Mistake("one matrix for all channels", rank, lambda w: share_lost(w.flatten(1)[:, None, None])),
        Mistake("a matrix for each filter", rank, lambda w: share_lost(w.transpose(0, 1))),
        Mistake("mean of the channels", "Add up all channels before you divide.", mean_of_channels),
        Mistake("energy for share", "Divide by the energy of all weights.", lambda w: share_lost(w) * (w**2).sum()),
    ]
    weights = [whole_numbers(seed, *shape) for seed, shape in enumerate([(4, 2, 3, 3), (3, 5, 3, 3), (8, 4, 5, 5)])]
    weights[1][:, 0] *= 4  # a channel that counts more
    separable = whole_numbers(8, 6, 3, 1, 1) * whole_numbers(9, 1, 3, 3, 3)
    given = cases("weight", *((weight,) for weight in (*weights, separable)))
    return compare("separable_loss", separable_loss, share_lost, given, mistakes)


def check_inverted_parameters(inverted_parameters: Callable) -> Verdict:
    """Parameters of a block of MobileNetV2. Difficulty 2 of 5, 10 minutes.

    ``inverted_parameters(in_channels, out_channels, expansion) -> int``, 3 x 3 filters, batch normalisation after every
    convolution, no biases; a block of expansion 1 has no first convolution.
    """

    def right(in_channels, out_channels, expansion):
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            block = InvertedResidual(in_channels, out_channels, 1, expansion)
        return sum(p.numel() for p in block.parameters())

    def count(i, o, t, *, norm=2, bias=0, slices=lambda hidden: 1, always=False):
        hidden, first = i * t, always or t > 1
        weights = first * i * hidden + 9 * hidden * slices(hidden) + hidden * o
        return weights + (norm + bias) * (first * hidden + hidden + o)

    norms = "Each of the three normalisations has a factor and a shift for every channel."
    mistakes = [
        Mistake("normalisation forgotten", norms, partial(count, norm=0)),
        Mistake("running statistics counted", "Running means and variances are no parameters.", partial(count, norm=4)),
        Mistake("biases counted", "In front of a normalisation there is no bias.", partial(count, bias=1)),
        Mistake("biases for normalisation", norms, partial(count, norm=0, bias=1)),
        Mistake("full convolution", "A depthwise filter has one slice, 9 weights.", partial(count, slices=lambda h: h)),
        Mistake("expansion of 1", "With expansion 1 there is nothing to expand.", partial(count, always=True)),
        Mistake("not expanded", "Within the block are in_channels * expansion channels.",
                lambda i, o, t: count(i, o, 1, always=t > 1)),
    ]  # fmt: skip
    sizes = [(16, 24, 6), (24, 24, 6), (32, 16, 1), (8, 8, 4), (160, 320, 6)]
    given = cases("in_channels out_channels expansion", *sizes)
    return compare("inverted_parameters", inverted_parameters, right, given, mistakes)


def check_inverted_residual(inverted_residual: nn.Module) -> Verdict:
    """An inverted residual block. Difficulty 3 of 5, 20 minutes.

    An nn.Module, [N, 8, H, W] -> [N, 8, H, W]: to 32 channels by 1 x 1, a depthwise 3 x 3, back to 8 by 1 x 1, each
    with biases and without normalisation; ReLU6 after the first two; the input is added. Compared for the same weights.
    """
    fault = module_fault("inverted_residual", inverted_residual, BLOCK)
    if fault is not None:
        return fault
    weights = {name: 3 * weight for name, weight in random_weights(inverted_residual, BLOCK).items()}  # beyond the 6
    right = partial(_block, *weights.values())
    linear = "The projection is linear: no ReLU behind it, neither before nor after the sum."
    relu6 = "The paper cuts off at 6: F.relu6 or nn.ReLU6."
    mistakes = [
        Mistake("shortcut forgotten", "Add the input.", partial(right, shortcut=False)),
        Mistake("activation after the projection", linear, partial(right, last=F.relu6), partial(right, last=F.relu)),
        Mistake("activation after the sum", linear, partial(right, end=F.relu6), partial(right, end=F.relu)),
        Mistake("ReLU for ReLU6", relu6, partial(right, first=F.relu, second=F.relu)),
        Mistake("activation forgotten", "A ReLU6 follows the first two convolutions.",
                *(partial(right, **dict.fromkeys(names, torch.clone)) for names in
                  (("first",), ("second",), ("first", "second")))),
    ]  # fmt: skip
    shapes = [(1, 8, 4, 4), (2, 8, 5, 7), (3, 8, 8, 6)]
    return compare_modules("inverted_residual", inverted_residual, weights, right, shapes, mistakes)


def _block(*inputs: Tensor, first=F.relu6, second=F.relu6, last=torch.clone, end=torch.clone, shortcut=True) -> Tensor:
    """The block with one part exchanged; inputs are weight and bias of its three convolutions, then images."""
    expand, depthwise, project, x = inputs[0:2], inputs[2:4], inputs[4:6], inputs[6]
    hidden = first(F.conv2d(x, *expand))
    hidden = second(F.conv2d(hidden, *depthwise, padding=1, groups=32))
    hidden = last(F.conv2d(hidden, *project))
    return end(x + hidden if shortcut else hidden)
