"""The exercises of chapter 13: right answers pass, each wrong one is called by its own name."""

import math
from functools import reduce
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.lesion import deleted
from cnnviz.analysis.path_lengths import number_of_paths
from cnnviz.analysis.residual_paths import PathSample, mean_length, path_gradients, path_length_profile
from cnnviz.exercises import ch13
from cnnviz.models import create_model
from cnnviz.models.resnet import ResidualBlock
from cnnviz.models.stochastic_depth import survival_probabilities

from .solutions import rewritten

COMB = "math.comb(blocks, length)"
SUM = f"sum({COMB} for length in range(low, high + 1))"
MEAN = "(lengths * norms).sum() / norms.sum()"
CHANCE = "1 - number / blocks * (1 - last)"
NUMBER = "np.arange(1, blocks + 1)"
BLOCK = "        if i != gone:\n            x = x + layers[i](x)\n"
LOOP = f"    for i in range(len(layers)):\n{BLOCK}"
CHOOSE = "math.comb(n, k)"
PRODUCT = "paths * norms"
DIVIDED = "product / product.sum()"
SHARES = "parts @ g / (g @ g)"
LONGER = "        longer = slope * parts[:-1]\n        parts[1:] += longer"
PARTS = "return parts"


def instead(gone, kept="x + layers[i](x)"):
    """The edit that gives the deleted block, and perhaps all others, another result."""
    return BLOCK, f"        x = {gone} if i == gone else {kept}\n"


def each_length(term):
    """The edit that computes place k by itself."""
    return PARTS, f"n = len(slopes)\n    return np.array([{term} for k in range(n + 1)])"


# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("paths_between", "high left out", "high + 1", "high"),
    ("paths_between", "low left out", "range(low", "range(low + 1"),
    ("paths_between", "both ends left out", "range(low, high + 1)", "range(low + 1, high)"),
    ("paths_between", "counted from length 0", "range(low, high + 1)", "range(high + 1)"),
    ("paths_between", "one length only", SUM, "math.comb(blocks, low)"),
    ("paths_between", "one length only", SUM, "math.comb(blocks, high)"),
    ("paths_between", "ends only", SUM, "math.comb(blocks, low) + math.comb(blocks, high)"),
    ("paths_between", "ends only", SUM, "math.comb(blocks, high) - math.comb(blocks, low)"),
    ("paths_between", "lengths counted", SUM, "len(range(low, high + 1))"),
    ("paths_between", "powers of two", COMB, "2**length"),
    ("paths_between", "order counted", "comb", "perm"),
    ("paths_between", "fraction for number", SUM, f"{SUM} / 2**blocks"),
    ("paths_between", "fraction for number", SUM, f"100 * {SUM} / 2**blocks"),
    ("paths_between", "wrong type", SUM, f"{SUM} / 1"),
    ("paths_between", "wrong type", SUM, SUM.removeprefix("sum")),
    ("paths_between", "wrong shape", SUM, f"[{COMB} for length in range(low, high + 1)]"),
    ("paths_between", "raised an exception", "length in range(low, high + 1)", "length in (low - 1, high)"),
    ("mean_path_length", "lengths from 1", "np.arange(len(norms))", "np.arange(1, len(norms) + 1)"),
    ("mean_path_length", "not divided", " / norms.sum()", ""),
    ("mean_path_length", "divided by the number of lengths", MEAN, "(lengths * norms).mean()"),
    ("mean_path_length", "divided by the number of lengths", "/ norms.sum()", "/ (len(norms) - 1)"),
    ("mean_path_length", "fraction of the blocks", MEAN, f"{MEAN} / lengths[-1]"),
    ("mean_path_length", "not weighted", MEAN, "lengths.mean()"),
    ("mean_path_length", "strongest length", MEAN, "norms.argmax()"),
    ("mean_path_length", "mean of the norms", MEAN, "norms.mean()"),
    ("mean_path_length", "weighted by the squares", MEAN, "(lengths * norms**2).sum() / (norms**2).sum()"),
    ("mean_path_length", "weighted by the number of paths", "lengths = np.arange(len(norms))",
     "lengths = np.arange(len(norms))\n    norms = norms * [math.comb(lengths[-1], k) for k in lengths]"),
    ("mean_path_length", "counted from the longest", "lengths * norms", "lengths * norms[::-1]"),
    ("mean_path_length", "wrong shape", "(lengths * norms).sum()", "lengths * norms"),
    ("mean_path_length", "raised an exception", "arange(len(norms))", "arange(len(norms) - 1)"),
    ("mean_path_length", "changes its input", MEAN, "(lengths * norms).sum()", "return",
     "norms /= norms.sum()\n    return"),
    ("survival", "blocks from 0", NUMBER, "np.arange(blocks)"),
    ("survival", "blocks from 0", NUMBER, "np.arange(blocks + 1)"),
    ("survival", "first block always survives", CHANCE, "np.linspace(1, last, blocks)"),
    ("survival", "reversed", CHANCE, f"({CHANCE})[::-1]"),
    ("survival", "death probabilities", CHANCE, "number / blocks * (1 - last)"),
    ("survival", "last for 1 - last", "(1 - last)", "last"),
    ("survival", "last forgotten", " * (1 - last)", ""),
    ("survival", "brackets", CHANCE, "(1 - number / blocks) * (1 - last)"),
    ("survival", "brackets", "(1 - last)", "1 - last"),
    ("survival", "same for all", CHANCE, "last + 0 * number"),
    ("survival", "exponential decay", CHANCE, "last ** (number / blocks)"),
    ("survival", "multiplied up", CHANCE, f"np.cumprod({CHANCE})"),
    ("survival", "wrong shape", NUMBER, "blocks"),
    ("survival", "wrong type", CHANCE, "map(float, number)"),
    ("without_block", "nothing deleted", "i != gone", "True"),
    ("without_block", "wrong block deleted", "i != gone", "i != gone - 1"),
    ("without_block", "wrong block deleted", "i != gone", "i != gone + 1"),
    ("without_block", "block returns zeros", *instead("torch.zeros_like(x)")),
    ("without_block", "shortcut deleted", *instead("layers[i](x)")),
    ("without_block", "x doubled", *instead("x + x")),
    ("without_block", "no shortcuts", *instead("x", "layers[i](x)")),
    ("without_block", "one shortcut past all", LOOP, f"    start = x\n{LOOP}", "x = x +", "x = start +"),
    ("without_block", "all blocks get the first x", LOOP, f"    start = x\n{LOOP}", "layers[i](x)", "layers[i](start)"),
    ("without_block", "blocks after it deleted", "i != gone", "i < gone"),
    ("without_block", "blocks before it deleted", "i != gone", "i > gone"),
    ("without_block", "all others deleted", "!=", "=="),
    ("without_block", "subtracted in the end", BLOCK,
     "        if i == gone:\n            lost = layers[i](x)\n        x = x + layers[i](x)\n",
     "return x", "return x - lost"),
    ("without_block", "all zeros", *instead("0 * x", "0 * x")),
    ("without_block", "wrong shape", "return x", "return x.sum()"),
    ("without_block", "returned nothing", "return x", "return None"),
    ("without_block", "raised an exception", "range(len(layers))", "range(len(layers) + 1)"),
    ("without_block", "changes its input", "x = x +", "x +="),
    ("without_block", "changes its input",
     LOOP, "    del layers[gone]\n    for one in layers:\n        x = x + one(x)\n"),
    ("veit_product", "number of paths forgotten", PRODUCT, "norms"),
    ("veit_product", "norms forgotten", PRODUCT, "paths"),
    ("veit_product", "divided by the number of paths", PRODUCT, "norms / paths"),
    ("veit_product", "root of the number of paths", CHOOSE, "math.comb(n, k) ** 0.5"),
    ("veit_product", "powers of two", CHOOSE, "2**k"),
    ("veit_product", "order counted", "comb", "perm"),
    ("veit_product", "one block too many", "len(norms) - 1", "len(norms)", "range(n + 1)", "range(n)"),
    ("veit_product", "not divided", DIVIDED, "product"),
    ("veit_product", "divided by all paths", "product.sum()", "2**n"),
    ("veit_product", "divided by all paths", "product.sum()", "paths.sum()"),
    ("veit_product", "divided by the sum of the norms", "product.sum()", "norms.sum()"),
    ("veit_product", "divided by the largest", ".sum()", ".max()"),
    ("veit_product", "wrong shape", "range(n + 1)", "range(1, n + 1)", PRODUCT, "paths * norms[1:]"),
    ("veit_product", "raised an exception", "range(n + 1)", "range(n)"),
    ("veit_product", "changes its input", "product = paths * norms", "product = norms\n    product *= paths"),
    ("signed_shares", "fractions of the norms", SHARES, "parts.norm(dim=1) / parts.norm(dim=1).sum()"),
    ("signed_shares", "fractions of the squares", SHARES, "(parts**2).sum(dim=1) / (parts**2).sum()"),
    ("signed_shares", "absolute values", SHARES, f"({SHARES}).abs()"),
    ("signed_shares", "absolute values", SHARES, "(parts @ g).abs() / (parts @ g).abs().sum()"),
    ("signed_shares", "lengths over the length of g", SHARES, "parts.norm(dim=1) / g.norm()"),
    ("signed_shares", "divided by the length", "(g @ g)", "(g @ g) ** 0.5"),
    ("signed_shares", "not divided", " / (g @ g)", ""),
    ("signed_shares", "cosine", "(g @ g)", "(parts.norm(dim=1) * g.norm())"),
    ("signed_shares", "divided by own squares", "(g @ g)", "(parts * parts).sum(dim=1)"),
    ("signed_shares", "mean for sum", "parts.sum(dim=0)", "parts.mean(dim=0)"),
    ("signed_shares", "numbers added", SHARES, "parts.sum(dim=1) / g.sum()"),
    ("signed_shares", "wrong shape", SHARES, "parts * g / (g @ g)"),
    ("signed_shares", "raised an exception", "dim=0", "dim=1"),
    ("gradient_by_length", "mean slope", *each_length("math.comb(n, k) * slopes.mean() ** k")),
    ("gradient_by_length", "mean slope", *each_length("slopes.mean() ** k")),
    ("gradient_by_length", "slopes as they are", PARTS, "return np.append(1, slopes)"),
    ("gradient_by_length", "powers of one slope", *each_length("(slopes**k).sum()")),
    ("gradient_by_length", "number of paths", *each_length("math.comb(n, k)")),
    ("gradient_by_length", "number of paths", "slope * parts[:-1]", "parts[:-1].copy()"),
    ("gradient_by_length", "first blocks only", *each_length("np.prod(slopes[:k])")),
    ("gradient_by_length", "old paths replaced", "+= longer", "= longer"),
    ("gradient_by_length", "blocks in a row only",
     *each_length("sum(np.prod(slopes[i : i + k]) for i in range(n - k + 1)) if k else 1")),
    ("gradient_by_length", "mean over the paths", *each_length("parts[k] / math.comb(n, k)")),
    ("gradient_by_length", "block passed more than once",
     LONGER, "        for k in range(len(slopes)):\n            parts[k + 1] += slope * parts[k]"),
    ("gradient_by_length", "powers of the sum", *each_length("slopes.sum() ** k")),
    ("gradient_by_length", "order counted", *each_length("parts[k] * math.factorial(k)")),
    ("gradient_by_length", "length 0 missing", PARTS, "return parts[1:]"),
    ("gradient_by_length", "length 0 missing", PARTS, "parts[0] = 0\n    return parts"),
    ("gradient_by_length", "from the longest", PARTS, "return parts[::-1]"),
    ("gradient_by_length", "from the longest", PARTS, "return np.poly(-slopes)[::-1]"),
    ("gradient_by_length", "lengths added up", PARTS, "return np.cumsum(parts)"),
    ("gradient_by_length", "fractions", PARTS, "return parts / parts.sum()"),
    ("gradient_by_length", "signs alternate", PARTS, "return np.poly(slopes)"),
    ("gradient_by_length", "absolute values", PARTS, "return abs(parts)"),
    ("gradient_by_length", "absolute values", "slope * parts", "abs(slope) * parts"),
    ("gradient_by_length", "1 + slope for slope", "slope * parts", "(1 + slope) * parts"),
    ("gradient_by_length", "all zeros", "parts[0] = 1", "pass"),
    ("gradient_by_length", "wrong shape", PARTS, "return np.prod(1 + slopes)"),
    ("gradient_by_length", "raised an exception", "len(slopes) + 1", "len(slopes)", PARTS, "return parts[len(slopes)]"),
    ("gradient_by_length", "changes its input", PARTS, "slopes *= 2\n    return parts"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    assert getattr(ch13, f"check_{exercise}")(rewritten(exercise, *edits)).mistake == mistake


class Calls(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Block(ResidualBlock):
    """x + function(x), as a block of the package."""

    def __init__(self, function):
        super().__init__()
        self.pre, self.shortcut, self.residual, self.post = nn.Identity(), nn.Identity(), Calls(function), nn.Identity()


def without_block_of_the_package(layers, x, gone):
    net = nn.Sequential(*map(Block, layers))
    with deleted(net, [gone]):
        return net(x)


def gradient_of_the_package(slopes):
    """Of a network of one number; the loss rises with the last block's output, so its gradient there is 1."""
    blocks = [Block(lambda x, slope=float(slope): slope * x) for slope in slopes]
    head = nn.Linear(1, 2, bias=False)
    head.weight = nn.Parameter(torch.tensor([[1.0], [0.0]]))
    pixel, label = torch.ones(1, 1, 1, 1), torch.tensor([1])
    return path_gradients(nn.Sequential(*blocks, nn.Flatten(), head), pixel, label).flatten()


def every_path(slopes):
    """One path after the other, as a list."""
    return [sum(map(math.prod, combinations(slopes, length))) for length in range(len(slopes) + 1)]


def counted_one_by_one(blocks, low, high):
    """As a whole number of NumPy."""
    lengths = np.array([bin(path).count("1") for path in range(2**blocks)])
    return ((lengths >= low) & (lengths <= high)).sum()


RIGHT = {
    "paths_between of the package": lambda: ch13.check_paths_between(
        lambda blocks, low, high: int(number_of_paths(blocks)[low : high + 1].sum())
    ),
    "paths_between by counting": lambda: ch13.check_paths_between(counted_one_by_one),
    "mean_path_length of the package": lambda: ch13.check_mean_path_length(mean_length),
    "mean_path_length by numpy": lambda: ch13.check_mean_path_length(
        lambda norms: np.average(range(len(norms)), weights=norms)
    ),
    "survival of the package, a list": lambda: ch13.check_survival(survival_probabilities),
    "survival as a tuple": lambda: ch13.check_survival(lambda *given: tuple(survival_probabilities(*given))),
    "survival by torch": lambda: ch13.check_survival(
        lambda blocks, last: torch.linspace(1, last, blocks + 1)[1:].requires_grad_()
    ),
    "without_block of the package": lambda: ch13.check_without_block(without_block_of_the_package),
    "without_block by a shorter list": lambda: ch13.check_without_block(
        lambda layers, x, gone: reduce(lambda x, one: x + one(x), layers[:gone] + layers[gone + 1 :], x)
    ),
    "veit_product of the package": lambda: ch13.check_veit_product(
        lambda norms: PathSample(norms[:, None], None, None).product
    ),
    "veit_product as a list": lambda: ch13.check_veit_product(lambda norms: rewritten("veit_product")(norms).tolist()),
    "signed_shares by numpy": lambda: ch13.check_signed_shares(
        lambda parts: (parts.numpy() * parts.numpy().sum(0)).sum(1) / (parts.numpy().sum(0) ** 2).sum()
    ),
    "signed_shares row by row": lambda: ch13.check_signed_shares(
        lambda parts: [row @ parts.sum(0) / parts.sum(0).norm() ** 2 for row in parts]
    ),
    "gradient_by_length of the package": lambda: ch13.check_gradient_by_length(gradient_of_the_package),
    "gradient_by_length path by path": lambda: ch13.check_gradient_by_length(every_path),
    "gradient_by_length by numpy": lambda: ch13.check_gradient_by_length(lambda slopes: np.poly(-slopes)),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_the_shares_are_those_of_a_profile_of_the_package():
    torch.manual_seed(0)
    net = create_model("resnet20", width=0.25).double().eval()
    x, y = torch.randn(1, 3, 16, 16, dtype=torch.float64), torch.tensor([1])
    parts = path_gradients(net, x, y).flatten(1)
    found = rewritten("signed_shares")(parts)
    np.testing.assert_allclose(found, path_length_profile(net, x, y).share[:, 0])
    assert found.sum().item() == pytest.approx(1)


def test_the_parts_by_length_sum_to_the_derivative_of_a_chain_that_bends():
    x = start = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    slopes = []
    for function in (torch.sin, torch.exp, torch.tanh):
        at = x.detach().requires_grad_()
        slopes.append(torch.autograd.grad(function(at), at)[0].item())
        x = x + function(x)
    x.backward()
    assert rewritten("gradient_by_length")(np.array(slopes)).sum() == pytest.approx(start.grad.item())


def test_the_layers_of_a_case_can_be_read_and_called():
    verdict = ch13.check_without_block(lambda layers, x, gone: x)
    assert "layers = [2 * x + 1, 3 * x + 0, 1 * x + 2], gone = 1" in repr(verdict)
    assert rewritten("without_block")(**verdict.given).tolist() == verdict.expected.tolist() == [10, 16]
