"""Chapter 10, GoogLeNet: four functions (counts, a loss) and an nn.Module, the Inception module 3a."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.exercises.ch10_answers import avg_pool, inception, reversed_branches, without_pooling
from cnnviz.exercises.check import Mistake, Verdict, cases, compare
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights

CHANNELS = "in_channels out1x1 reduce3x3 out3x3 reduce5x5 out5x5 pool_projection"
INCEPTION3A = (192, 64, 96, 128, 16, 32, 32)  # in the order of CHANNELS: table 1 of the paper


def check_inception_parameters(inception_parameters: Callable) -> Verdict:
    """Weights and biases of an Inception module. Difficulty 2 of 5, 10 minutes.

    ``inception_parameters(in_channels, out1x1, reduce3x3, out3x3, reduce5x5, out5x5, pool_projection) -> int``.
    """

    def right(c, out1, r3, out3, r5, out5, projection, *, bias=1, p=1, read3=None, read5=None, k5=25):
        layers = [(c, out1, 1), (c, r3, 1), (read3 or r3, out3, 9), (c, r5, 1), (read5 or r5, out5, k5)]
        layers += [(c, projection, 1)] * p
        return sum(after * (before * kernel + bias) for before, after, kernel in layers)

    def unreduced(c, *filters):
        return right(c, *filters, read3=c, read5=c)

    def without_reductions(c, out1, r3, out3, r5, out5, projection):
        return out1 * (c + 1) + out3 * (9 * c + 1) + out5 * (25 * c + 1) + projection * (c + 1)

    mistakes = [
        Mistake("bias forgotten", "Every filter of all six convolutions has one.", partial(right, bias=0)),
        Mistake("projection forgotten", "A 1 x 1 convolution stands behind the pooling.", partial(right, p=0)),
        Mistake("reduction not read", "The large filters read the reduced maps, not the input.", unreduced),
        Mistake("naive module", "The 1 x 1 reductions have parameters, too.", without_reductions),
        Mistake("5 x 5 as 3 x 3", "The third branch has 5 x 5 filters.", partial(right, k5=9)),
    ]
    modules = [(3, 1, 1, 1, 1, 1, 1), (8, 4, 2, 6, 1, 3, 5), INCEPTION3A, (832, 384, 192, 384, 48, 128, 128)]
    return compare("inception_parameters", inception_parameters, right, cases(CHANNELS, *modules), mistakes)


def check_naive_mult_adds(naive_mult_adds: Callable) -> Verdict:
    """The work of naive modules in a row, each on the output of the last. Difficulty 3 of 5, 15 minutes.

    ``naive_mult_adds(in_channels, out1x1, out3x3, out5x5, size, modules) -> int``: filters of 1 x 1, 3 x 3 and 5 x 5
    beside a pooling that hands on all maps, on maps of size x size, without biases.
    """

    def right(c, out1, out3, out5, size, modules, *, handed_on=1, places=2, kernels=(1, 9, 25)):
        total = 0
        for _ in range(modules):
            weights = sum(filters * k for filters, k in zip((out1, out3, out5), kernels, strict=True))
            total += size**places * c * weights
            c = handed_on * c + out1 + out3 + out5
        return total

    def one_width(c, out1, out3, out5, size, modules):
        return modules * right(c, out1, out3, out5, size, 1)

    all_maps = (
        "A module reads the filters' maps and the pooled ones of the module before; add up the work of all modules."
    )
    mistakes = [
        Mistake("not all maps counted", all_maps, partial(right, handed_on=0)),  # and: only the last module's work
        Mistake("width does not grow", "Each module reads more maps than the one before.", one_width),
        Mistake("one side only", "A filter works at size * size places.", partial(right, places=1)),
        Mistake("kernel not squared", "3 x 3 is 9 weights a channel.", partial(right, kernels=(1, 3, 5))),
    ]
    names = "in_channels out1x1 out3x3 out5x5 size modules"
    rows = [
        (1, 1, 1, 1, 2, 2),
        (8, 2, 3, 1, 4, 1),
        (8, 2, 3, 1, 4, 3),
        (192, 64, 128, 32, 28, 2),
        (256, 128, 192, 96, 28, 9),
    ]
    return compare("naive_mult_adds", naive_mult_adds, right, cases(names, *rows), mistakes)


def check_inception3a(inception3a: nn.Module) -> Verdict:
    """GoogLeNet's first Inception module. Difficulty 3 of 5, 20 minutes.

    An nn.Module, maps [N, 192, H, W] -> [N, 256, H, W], its six convolutions in the order of the paper's table: 64 of
    1 x 1; 96, then 128 of 3 x 3; 16, then 32 of 5 x 5; 32 behind the pooling. A ReLU follows each. Compared with the
    package's module for the same weights; the module's own are left as they are.
    """
    c, out1, r3, out3, r5, out5, projection = INCEPTION3A
    layers = {
        "out1x1": (out1, c, 1, 1), "reduce3x3": (r3, c, 1, 1), "out3x3": (out3, r3, 3, 3),
        "reduce5x5": (r5, c, 1, 1), "out5x5": (out5, r5, 5, 5), "pool_projection": (projection, c, 1, 1),
    }  # fmt: skip
    names = {}
    for name, shape in layers.items():
        names |= {f"{name}.weight": torch.Size(shape), f"{name}.bias": torch.Size(shape[:1])}
    fault = module_fault("inception3a", inception3a, names)
    if fault is not None:
        return fault
    weights = random_weights(inception3a, names)
    module = partial(inception, weights)
    relu = "A ReLU follows every convolution, the reductions too."
    reductions, all_six = ("reduce3x3", "reduce5x5"), tuple(layers)
    backwards = partial(module, join=reversed_branches)
    mistakes = [
        Mistake("activation forgotten", relu, *(partial(module, linear=(name,)) for name in layers)),
        Mistake("activation forgotten", relu, *(partial(module, linear=those) for those in (reductions, all_six))),
        Mistake("pooling forgotten", "The last branch begins with one.", partial(module, pool=without_pooling)),
        Mistake("average pooling", "The paper takes the maximum.", partial(module, pool=avg_pool)),
        Mistake("order of the branches", "As in the table: 1 x 1 first, pooling last.", backwards),
    ]  # fmt: skip
    shapes = [(1, c, 4, 4), (2, c, 5, 7), (1, c, 1, 3)]
    return compare_modules("inception3a", inception3a, weights, module, shapes, mistakes)


def check_loss_with_heads(loss_with_heads: Callable) -> Verdict:
    """The loss of a network with two auxiliary heads. Difficulty 2 of 5, 10 minutes.

    ``loss_with_heads(logits, aux1, aux2, labels) -> number``: cross-entropies, the mean over the images, those of the
    heads 0.3 times. The first three are [N, classes], labels [N].
    """

    def right(logits, aux1, aux2, labels, *, own=1.0, heads=(0.3, 0.3), reduction="mean"):
        terms = zip((own, *heads), (logits, aux1, aux2), strict=True)
        return sum(weight * F.cross_entropy(x, labels, reduction=reduction) for weight, x in terms)

    def of_summed_logits(logits, aux1, aux2, labels):
        return F.cross_entropy(logits + 0.3 * (aux1 + aux2), labels)

    def of_probabilities(*given):
        *outputs, labels = given
        return right(*(x.softmax(1) for x in outputs), labels)

    mistakes = [
        Mistake("heads not weighted", "The paper counts their losses 0.3 times.", partial(right, heads=(1, 1))),
        Mistake("one head forgotten", "There are two.", partial(right, heads=(0.3, 0)), partial(right, heads=(0, 0.3))),
        Mistake("heads forgotten", "In training their losses are added.", partial(right, heads=(0, 0))),
        Mistake("head weights shared out", "0.3 each, not together.", partial(right, heads=(0.15, 0.15))),
        Mistake("network weighted", "The network's own loss counts in full.", partial(right, own=0.3),
                partial(right, own=0.4), partial(right, own=0.7, heads=(0.3, 0.3))),
        Mistake("sum over images", "Take the mean over the images.", partial(right, reduction="sum")),
        Mistake("logits added", "Add losses, not logits: each head has to be right alone.", of_summed_logits),
        Mistake("softmax twice", "F.cross_entropy applies the softmax itself.", of_probabilities),
    ]  # fmt: skip
    drawn = [(*(_logits(seed + i, n) for i in range(3)), _labels(seed, n)) for seed, n in ((1, 2), (5, 3), (9, 8))]
    return compare("loss_with_heads", loss_with_heads, right, cases("logits aux1 aux2 labels", *drawn), mistakes)


def check_one_sided_share(one_sided_share: Callable) -> Verdict:
    """The weights of a 1 x n and an n x 1 convolution, over those of one n x n. Difficulty 2 of 5, 10 minutes.

    ``one_sided_share(in_channels, between, out_channels, n) -> float``: in_channels to between, between to
    out_channels; without biases.
    """

    def right(c, between, out, n):
        return n * between * (c + out) / (n * n * c * out)

    mistakes = [
        Mistake("equal channels assumed", "2 / n holds where all channels are equal.", lambda c, b, o, n: 2 / n),
        Mistake("saving instead of share", "Return what is left.", lambda *given: 1 - right(*given)),
        Mistake("share upside down", "The small ones go over the large one.", lambda *given: 1 / right(*given)),
        Mistake("second convolution forgotten", "The n x 1 filters have weights, too.", lambda c, b, o, n: b / (n * o)),
        Mistake("first convolution forgotten", "The 1 x n filters have weights, too.", lambda c, b, o, n: b / (n * c)),
        Mistake("integer division", "Divide with /.", lambda *given: int(right(*given))),
    ]
    rows = [(4, 4, 4, 3), (2, 4, 8, 3), (192, 192, 192, 7), (768, 128, 192, 7), (16, 64, 16, 3), (3, 3, 3, 1)]
    return compare(
        "one_sided_share", one_sided_share, right, cases("in_channels between out_channels n", *rows), mistakes
    )


def _logits(seed: int, images: int) -> Tensor:
    return 2 * torch.randn(images, 5, generator=torch.Generator().manual_seed(seed))


def _labels(seed: int, images: int) -> Tensor:
    return torch.randint(5, (images,), generator=torch.Generator().manual_seed(seed))
