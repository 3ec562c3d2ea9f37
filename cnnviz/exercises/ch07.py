"""Chapter 07, AlexNet and ZFNet: five exercises. One asks for a table, one for an nn.Module, three for functions."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, compare_tables
from cnnviz.exercises.modules import compare_modules, module_fault, random_weights
from cnnviz.models import alexnet, alexnet_two_groups


def check_alexnet_parameters(alexnet_parameters: dict[str, int]) -> Verdict:
    """Parameters of each layer of AlexNet as published, on two GPUs. Difficulty 2 of 5, 10 minutes.

    A dict by layer, conv1 to conv5 and fc6 to fc8: weights and biases. The verdict names the first wrong layer.
    """
    right, tower = _parameters(alexnet_two_groups), _parameters(alexnet)
    biases = {
        "conv1": 96,
        "conv2": 256,
        "conv3": 384,
        "conv4": 384,
        "conv5": 256,
        "fc6": 4096,
        "fc7": 4096,
        "fc8": 1000,
    }
    split = "conv2, conv4 and conv5 see only the maps on their own GPU."
    pooled = "fc6 sees pool5, 256 maps of 6 x 6."
    everywhere = right | {"conv3": tower["conv3"] - 384 * 128 * 9, "fc6": 4096 * (128 * 36 + 1)}
    mistakes = [
        Mistake("bias forgotten", "Each map and each unit has one.", {k: n - biases[k] for k, n in right.items()}.get),
        Mistake("one tower", split, tower.get),
        Mistake("groups everywhere", "conv3 and fc6 see the maps of both GPUs.", everywhere.get),
        Mistake("groups everywhere", "conv3 and fc6 see the maps of both GPUs.", (right | {"conv3": 442_752}).get),
        Mistake("one GPU only", "Count the maps of both GPUs.", (right | _one_gpu(right)).get),
        Mistake("pooling forgotten", pooled, (right | {"fc6": 4096 * (256 * 13 * 13 + 1)}).get),
        Mistake("grey images", "An image has three channels.", (right | {"conv1": 96 * (11 * 11 + 1)}).get),
    ]
    return compare_tables("alexnet_parameters", alexnet_parameters, right, mistakes)


def check_response_norm(response_norm: Callable) -> Verdict:
    """Local response normalisation of section 3.3. Difficulty 3 of 5, 20 minutes.

    ``response_norm(maps [N, C, H, W], size, alpha, beta, k) -> [N, C, H, W]``: each value divided by
    ``(k + alpha * sum of squares) ** beta``, the sum over ``size`` adjacent maps at the same place.
    """

    def right(a, size, alpha, beta, k, *, window=None, square=torch.square, power=1.0):
        sums = (window or _adjacent)(square(a), size)
        return a / (k + alpha * sums) ** (power * beta)

    def averaged(a, size, alpha, beta, k):
        return right(a, size, alpha / size, beta, k)

    mistakes = [
        Mistake("torch's alpha", "nn.LocalResponseNorm divides alpha by size; the paper does not.", averaged),
        Mistake("pixels for maps", "The neighbours are maps at the same place.", partial(right, window=_around)),
        Mistake("squares forgotten", "Square the values before you add them.", partial(right, square=torch.clone)),
        Mistake("beta forgotten", "Raise the sum to the power of beta.", lambda a, s, c, _, k: right(a, s, c, 1, k)),
        Mistake("multiplied", "Divide by the power.", partial(right, power=-1.0)),
        Mistake("itself left out", "The map itself belongs to its neighbours.", partial(right, window=_others)),
        Mistake("size on each side", "size counts all maps of the window: size // 2 on each side.",
                partial(right, window=lambda x, size: _adjacent(x, 2 * size + 1))),
        Mistake("maps in a circle", "At the ends the window is cut: map 0 and the last are no neighbours.",
                partial(right, window=_circle)),
        Mistake("k forgotten", "k is added to the sum.", lambda a, s, al, b, k: right(a, s, al, b, 0)),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(7)
    given = [
        (4 * torch.rand(shape, generator=draw).round(decimals=1), size, alpha, beta, k)
        for shape, size, alpha, beta, k in (
            ((1, 6, 1, 1), 3, 1.0, 0.5, 1),
            ((1, 7, 3, 2), 5, 0.1, 0.75, 2),
            ((2, 9, 4, 4), 5, 0.5, 0.75, 2),
            ((3, 8, 5, 6), 3, 0.2, 0.5, 1),
        )
    ]
    return compare("response_norm", response_norm, right, cases("maps size alpha beta k", *given), mistakes)


def check_two_towers(two_towers: nn.Module) -> Verdict:
    """A convolution of two groups as two convolutions, one a GPU. Difficulty 3 of 5, 15 minutes.

    An nn.Module with two ``nn.Conv2d(4, 6, kernel_size=5, padding=2)``: maps [N, 8, H, W] -> [N, 12, H, W], equal to
    ``nn.Conv2d(8, 12, kernel_size=5, padding=2, groups=2)``.
    """
    names = {
        f"{tower}.{kind}": torch.Size(shape)
        for tower in ("first", "second")
        for kind, shape in (("weight", (6, 4, 5, 5)), ("bias", (6,)))
    }
    fault = module_fault("two_towers", two_towers, names)
    if fault is not None:
        return fault
    weights = random_weights(two_towers, names)
    net = partial(_towers, *weights.values())
    halves = "The first convolution reads maps 0 to 3, the second maps 4 to 7."
    mistakes = [
        Mistake("same half twice", halves, partial(net, reads=(slice(4), slice(4)))),
        Mistake("same half twice", halves, partial(net, reads=(slice(4, 8), slice(4, 8)))),
        Mistake("halves exchanged", halves, partial(net, reads=(slice(4, 8), slice(4)))),
        Mistake("every other map", halves, partial(net, reads=(slice(0, 8, 2), slice(1, 8, 2)))),
        Mistake("outputs exchanged", "The maps of the first convolution come first.", partial(net, order=-1)),
        Mistake("outputs added", "Twelve maps come out: join them with torch.cat.", partial(net, join=sum)),
        Mistake("padding forgotten", "padding=2 keeps height and width.", partial(net, padding=0)),
        Mistake("activation added", "The ReLU comes after both, outside.", partial(net, end=F.relu)),
    ]
    shapes = [(1, 8, 5, 5), (2, 8, 6, 7), (3, 8, 9, 8)]
    return compare_modules("two_towers", two_towers, weights, net, shapes, mistakes)


def check_top_k_error(top_k_error: Callable) -> Verdict:
    """The share of images whose class is not among the k best answers. Difficulty 2 of 5, 10 minutes.

    ``top_k_error(logits [N, classes], labels [N], k) -> number from 0 to 1``.
    """

    def right(logits, labels, k):
        best = logits.topk(k, dim=1).indices
        return 1 - (best == labels[:, None]).any(1).double().mean().item()

    def at_place(logits, labels, k):
        return (logits.argsort(1, descending=True)[:, k - 1] != labels).double().mean()

    share = "The error is a share: wrong images / all images, from 0 to 1."
    mistakes = [
        Mistake("accuracy for error", "Count the images that are wrong.", lambda x, y, k: 1 - right(x, y, k)),
        Mistake("percent", share, lambda x, y, k: 100 * right(x, y, k)),
        Mistake("number of errors", share, lambda x, y, k: right(x, y, k) * len(y)),
        Mistake("top-1 only", "k is not used.", lambda x, y, k: right(x, y, 1)),
        Mistake("smallest logits", "The best answers have the largest logits.", lambda x, y, k: right(-x, y, k)),
        Mistake("the k-th only", "Any of the k best answers counts.", at_place),
        Mistake("one too many", "k answers, not k + 1.", lambda x, y, k: right(x, y, k + 1)),
        Mistake("divided by k", "Divide by the number of images.",
                lambda x, y, k: 1 - (1 - right(x, y, k)) / k),
    ]  # fmt: skip
    drawn = []
    for n, classes, k in ((4, 5, 2), (6, 8, 3), (10, 10, 5), (10, 10, 1), (9, 6, 4)):
        draw = torch.Generator().manual_seed(n + k)
        logits = torch.stack([torch.randperm(classes, generator=draw) for _ in range(n)]).float()
        drawn.append((logits, torch.randint(classes, (n,), generator=draw), k))
    return compare("top_k_error", top_k_error, right, cases("logits labels k", *drawn), mistakes)


def check_ensemble_error(ensemble_error: Callable) -> Verdict:
    """The error of several networks that answer together. Difficulty 2 of 5, 10 minutes.

    ``ensemble_error(logits [networks, N, classes], labels [N]) -> number from 0 to 1``: the answer is the class whose
    probability (softmax), averaged over the networks, is the largest.
    """

    def wrong(scores, labels):
        return (scores.argmax(1) != labels).double().mean().item()

    def right(logits, labels):
        return wrong(logits.softmax(2).mean(0), labels)

    def votes(logits, labels):
        return wrong(F.one_hot(logits.argmax(2), logits.shape[2]).sum(0), labels)

    def each(logits, labels):
        return [wrong(one, labels) for one in logits]

    share = "The error is a share: wrong images / all images, from 0 to 1."
    mistakes = [
        Mistake("logits averaged", "Softmax first: logits have no common scale.", lambda x, y: wrong(x.mean(0), y)),
        Mistake("votes counted", "Average probabilities; a vote forgets how sure a network is.", votes),
        Mistake("errors averaged", "Average the answers, not the errors.", lambda x, y: sum(each(x, y)) / len(x)),
        Mistake("best network", "All networks answer together.", lambda x, y: min(each(x, y))),
        Mistake("first network only", "Average over the networks.", lambda x, y: each(x, y)[0]),
        Mistake("softmax over networks", "The probabilities of a network's classes add up to 1: softmax over the last "
                "dimension.", lambda x, y: wrong(x.softmax(0).mean(0), y)),
        Mistake("softmax over images", "The probabilities of a network's classes add up to 1: softmax over the last "
                "dimension. ", lambda x, y: wrong(x.softmax(1).mean(0), y)),
        Mistake("accuracy for error", "Count the wrong ones.", lambda x, y: 1 - right(x, y)),
        Mistake("percent", share, lambda x, y: 100 * right(x, y)),
        Mistake("number of errors", share, lambda x, y: right(x, y) * len(y)),
    ]  # fmt: skip
    drawn = []
    for networks, n, classes in ((3, 4, 3), (3, 20, 4), (5, 40, 6)):
        draw = torch.Generator().manual_seed(n)
        scale = torch.tensor([6.0, 1.0, 2.0, 1.5, 0.5])[:networks, None, None]
        logits = scale * torch.randn(networks, n, classes, generator=draw).round(decimals=1)
        drawn.append((logits, torch.randint(classes, (n,), generator=draw)))
    return compare("ensemble_error", ensemble_error, right, cases("logits labels", *drawn), mistakes)


def _parameters(build: Callable[[], nn.Module]) -> dict[str, int]:
    """Parameters of each layer that has any."""
    with torch.device("meta"):
        layers = build().named_children()
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in layers}
    return {name: count for name, count in counts.items() if count}


def _one_gpu(right: dict[str, int]) -> dict[str, int]:
    return {name: right[name] // 2 for name in ("conv1", "conv2", "conv3", "conv4", "conv5")}


def _adjacent(x: Tensor, size: int) -> Tensor:
    """At each place the sum over the maps that are at most size // 2 away."""
    reach = size // 2
    return torch.stack([x[:, max(0, i - reach) : i + reach + 1].sum(1) for i in range(x.shape[1])], 1)


def _others(x: Tensor, size: int) -> Tensor:
    return _adjacent(x, size) - x


def _circle(x: Tensor, size: int) -> Tensor:
    return sum(x.roll(step, 1) for step in range(-(size // 2), size // 2 + 1))


def _around(x: Tensor, size: int) -> Tensor:
    """In each map the sum over size x size pixels."""
    return F.avg_pool2d(x, size, stride=1, padding=size // 2) * size**2


def _towers(
    weight1, bias1, weight2, bias2, maps, *, reads=(slice(4), slice(4, 8)), order=1, join=None, padding=2, end=None
) -> Tensor:
    """Two convolutions with one part exchanged."""
    towers = zip(reads, (weight1, weight2), (bias1, bias2), strict=True)
    parts = [F.conv2d(maps[:, read], weight, bias, padding=padding) for read, weight, bias in towers]
    out = join(parts) if join else torch.cat(parts[::order], 1)
    return end(out) if end else out
