"""Chapter 13, residual paths: seven exercises. All ask for functions: of paths, of their gradients, of blocks."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from cnnviz.exercises.ch13_answers import (
    Layer,
    by_length,
    chain,
    combinations,
    in_a_row,
    passed,
    passed_again,
    paths,
    product,
    shares,
    survivals,
    taken_off_the_end,
)
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers


def check_paths_between(paths_between: Callable) -> Verdict:
    """How many paths have a length between two others. Difficulty 1 of 5, 5 minutes.

    ``paths_between(blocks, low, high) -> int``: of the 2 ** blocks paths those that pass the layers of `low` to `high`
    blocks, both included.
    """

    def fraction(blocks, low, high):
        return paths(blocks, low, high) / 2**blocks

    def ends(blocks, low, high, *, sign=1):
        return math.comb(blocks, high) + sign * math.comb(blocks, low)

    both = "Both ends belong to it; range(low, high) ends before high."
    between = "Add the numbers of paths of all lengths from low to high, and of no others."
    mistakes = [
        Mistake("high left out", both, partial(paths, after=-1)),
        Mistake("low left out", both, partial(paths, before=-1)),
        Mistake("both ends left out", both, partial(paths, before=-1, after=-1)),
        Mistake("counted from length 0", between, lambda blocks, low, high: paths(blocks, 0, high)),
        Mistake("one length only", between, lambda blocks, low, high: math.comb(blocks, low),
                lambda blocks, low, high: math.comb(blocks, high)),
        Mistake("ends only", between, ends, partial(ends, sign=-1)),
        Mistake("lengths counted", between, lambda blocks, low, high: high - low + 1),
        Mistake("powers of two", "2 ** k are all paths through k blocks; here k of the blocks are chosen.",
                partial(paths, number=lambda blocks, k: 2**k)),
        Mistake("order counted", "Blocks 1 and 3 or 3 and 1 are the same path: math.comb, not math.perm.",
                partial(paths, number=math.perm)),
        Mistake("fraction for number", "Do not divide by 2 ** blocks.", fraction,
                lambda *given: 100 * fraction(*given)),
    ]  # fmt: skip
    rows = [(3, 1, 2), (4, 0, 1), (5, 2, 2), (6, 4, 6), (9, 2, 5), (12, 0, 12)]
    return compare("paths_between", paths_between, paths, cases("blocks low high", *rows), mistakes)


def check_mean_path_length(mean_path_length: Callable) -> Verdict:
    """The mean length of paths, weighted by the gradient that they carry. Difficulty 1 of 5, 5 minutes.

    ``mean_path_length(norms [n+1]) -> number``: norms[k] is the norm of what all paths of length k carry together.
    """

    def right(norms, *, divisor=np.sum, first=0):
        return np.arange(first, len(norms) + first) @ norms / divisor(norms)

    def counted(norms):
        return right(norms * combinations(len(norms) - 1))

    divide = "Divide by the sum of the norms: then the weights sum to 1."
    weight = "Each length k counts with the weight norms[k]."
    together = "norms[k] is what all paths of length k carry together: their number and directions are in it already."
    mistakes = [
        Mistake("lengths from 1", "norms[0] belongs to length 0, the way of shortcuts alone.", partial(right, first=1)),
        Mistake("not divided", divide, partial(right, divisor=lambda norms: 1)),
        Mistake("divided by the number of lengths", divide, partial(right, divisor=len),
                partial(right, divisor=lambda norms: len(norms) - 1)),
        Mistake("fraction of the blocks", "The mean length is a number of blocks: do not divide by n.",
                lambda norms: right(norms) / (len(norms) - 1)),
        Mistake("not weighted", weight, lambda norms: (len(norms) - 1) / 2),
        Mistake("strongest length", weight, np.argmax),
        Mistake("mean of the norms", weight, np.mean),
        Mistake("weighted by the squares", weight, lambda norms: right(norms**2)),
        Mistake("weighted by the number of paths", together, counted),
        Mistake("counted from the longest", weight, lambda norms: right(norms[::-1])),
    ]  # fmt: skip
    rows = [np.array(norms) for norms in ([2.0, 1.0, 1.0], [0.0, 3.0, 1.0, 2.0], [5.0, 4.0, 3.0, 0.0, 0.0, 1.0])]
    rows.append(_uniform(1, 10))
    given = cases("norms", *[(norms,) for norms in rows])
    return compare("mean_path_length", mean_path_length, right, given, mistakes)


def check_survival(survival: Callable) -> Verdict:
    """The survival probabilities of stochastic depth. Difficulty 2 of 5, 5 minutes.

    ``survival(blocks, last) -> [blocks]``: a list or array; block l of L survives with 1 - l / L * (1 - last), l from 1
    (Huang et al. 2016, equation 4).
    """

    def part(blocks):
        return np.arange(1, blocks + 1) / blocks

    line = "A straight line: 1 before the first block, `last` at the last one."
    numbers = "Blocks count from 1: the last block is block L, and survives with the probability `last`."
    both = "l / L is multiplied by the whole of (1 - last), then subtracted from 1."
    mistakes = [
        Mistake("blocks from 0", numbers, partial(survivals, first=0),
                lambda blocks, last: np.linspace(1, last, blocks + 1)),
        Mistake("first block always survives", line, lambda blocks, last: np.linspace(1, last, blocks)),
        Mistake("reversed", "Early blocks survive more often: later ones need what they return.",
                lambda *given: survivals(*given)[::-1]),
        Mistake("death probabilities", "Survives, not dies: 1 minus that.", lambda *given: 1 - survivals(*given)),
        Mistake("last for 1 - last", both, lambda blocks, last: 1 - part(blocks) * last),
        Mistake("last forgotten", both, lambda blocks, last: 1 - part(blocks)),
        Mistake("brackets", both, lambda blocks, last: (1 - part(blocks)) * (1 - last),
                lambda blocks, last: 1 - part(blocks) - last),
        Mistake("same for all", line, np.full),
        Mistake("exponential decay", line, lambda blocks, last: last ** part(blocks)),
        Mistake("multiplied up", "Each block is drawn by itself: do not multiply with those before.",
                lambda *given: survivals(*given).cumprod()),
    ]  # fmt: skip
    rows = [(4, 0.6), (2, 0.8), (5, 0.2), (9, 0.5), (1, 0.7)]
    return compare("survival", survival, survivals, cases("blocks last", *rows), mistakes)


def check_without_block(without_block: Callable) -> Verdict:
    """What a residual network returns when the layers of one block are deleted. Difficulty 2 of 5, 10 minutes.

    ``without_block(layers, x, gone) -> x's shape``: layers is a list of functions; a block returns x + layers[i](x),
    block `gone` (from 0) its shortcut alone.
    """

    def shortcut_of_the_network(layers, x, gone):
        return chain(layers, x, gone, kept=lambda now, one: x + one(now))

    def side_by_side(layers, x, gone):
        return x + sum(one(x) for number, one in enumerate(layers) if number != gone)

    stays = "The shortcut of the deleted block stays: x leaves the block as it came in."
    number = "Blocks count from 0, as Python's lists do: layers[gone] is left out, no other."
    others = "All other blocks stay, before it and after it: each makes x + layers[i](x) of the x that reaches it."
    mistakes = [
        Mistake("nothing deleted", "Leave layers[gone] out.", partial(chain, deleted=passed)),
        Mistake("wrong block deleted", number, partial(chain, off=-1), partial(chain, off=1)),
        Mistake("block returns zeros", stays, partial(chain, deleted=lambda x, one: 0 * x)),
        Mistake("shortcut deleted", stays, partial(chain, deleted=lambda x, one: one(x))),
        Mistake("x doubled", stays + " Nothing is added to it.", partial(chain, deleted=lambda x, one: x + x)),
        Mistake("no shortcuts", others, partial(chain, kept=lambda x, one: one(x))),
        Mistake("one shortcut past all", others, shortcut_of_the_network),
        Mistake("all blocks get the first x", others, side_by_side),
        Mistake("blocks after it deleted", others, lambda layers, x, gone: chain(layers[:gone], x, -1)),
        Mistake("blocks before it deleted", others, lambda layers, x, gone: chain(layers[gone + 1 :], x, -1)),
        Mistake("all others deleted", others, lambda layers, x, gone: x + layers[gone](x)),
        Mistake("subtracted in the end", "The blocks after it must not see what layers[gone] returns.",
                taken_off_the_end),
    ]  # fmt: skip
    layers = [[Layer(*numbers) for numbers in net] for net in (
        [(2, 1), (3, 0), (1, 2)], [(-2, 3), (2, 5)], [(1, 4), (-3, 1), (2, 0), (3, 2)], [(2, 1), (1, 3), (4, 1)],
    )]  # fmt: skip
    inputs = torch.tensor([1.0, 2.0]), whole_numbers(1, 3), whole_numbers(2, 2, 2), whole_numbers(3, 4)
    given = cases("layers x gone", *zip(layers, inputs, (1, 0, 2, 2), strict=True))
    return compare("without_block", without_block, chain, given, mistakes)


def check_veit_product(veit_product: Callable) -> Verdict:
    """How much the paths of each length carry, as Veit et al. estimated it. Difficulty 2 of 5, 10 minutes.

    ``veit_product(norms [n+1]) -> [n+1]``: norms[k] is the mean norm of ONE path of length k of n blocks; the number of
    paths of each length times it, divided by the sum of these products.
    """

    def over_the_norms(norms):
        return product(norms, whole=lambda products: 1) / norms.sum()

    choose = "Of n blocks a path of length k chooses k: math.comb(n, k), times norms[k]."
    n_blocks = "Lengths go from 0 to n: n + 1 norms belong to n blocks."
    divide = "Divide by the sum of the products, so that the fractions sum to 1."
    mistakes = [
        Mistake("number of paths forgotten", choose, partial(product, number=lambda n, k: 1)),
        Mistake("norms forgotten", choose, lambda norms: product(np.ones(len(norms)))),
        Mistake("divided by the number of paths", choose, partial(product, number=lambda n, k: 1 / math.comb(n, k))),
        Mistake("root of the number of paths", "So they add up if their directions are random. " + choose,
                partial(product, number=lambda n, k: math.sqrt(math.comb(n, k)))),
        Mistake("powers of two", choose, partial(product, number=lambda n, k: 2**k)),
        Mistake("order counted", choose + " math.perm counts every order of them.", partial(product, number=math.perm)),
        Mistake("one block too many", n_blocks, partial(product, more=1)),
        Mistake("not divided", divide, partial(product, whole=lambda products: 1)),
        Mistake("divided by all paths", divide, partial(product, whole=lambda products: 2 ** (len(products) - 1))),
        Mistake("divided by the sum of the norms", divide, over_the_norms),
        Mistake("divided by the largest", divide, partial(product, whole=np.max)),
    ]  # fmt: skip
    rows = [np.array(norms) for norms in ([4.0, 2.0, 1.0], [8.0, 2.0, 3.0, 1.0], [1.0, 5.0, 0.0, 4.0, 2.0])]
    rows.append(_uniform(2, 10))
    given = cases("norms", *[(norms,) for norms in rows])
    return compare("veit_product", veit_product, product, given, mistakes)


def check_signed_shares(signed_shares: Callable) -> Verdict:
    """How much each row contributes to the sum of all, with its sign. Difficulty 3 of 5, 15 minutes.

    ``signed_shares(parts [K, D]) -> [K]``: parts is a tensor, g the sum of its rows; <row, g> / ||g|| ** 2. The shares
    sum to 1.
    """

    def of_norms(parts, *, power=1):
        norms = parts.norm(dim=1) ** power
        return norms / norms.sum()

    def unsigned(parts, *, again=False):
        sizes = shares(parts).abs()
        return sizes / sizes.sum() if again else sizes

    against = "A row may point away from g: its share is negative, and another's may be above 1."
    square = "Divide by g @ g, the squared length: then the shares sum to 1."
    inner = "The share of a row is row @ g / (g @ g), with the inner product."
    mistakes = [
        Mistake("fractions of the norms", against, of_norms),
        Mistake("fractions of the squares", against, partial(of_norms, power=2)),
        Mistake("absolute values", against, unsigned, partial(unsigned, again=True)),
        Mistake("lengths over the length of g", against, lambda parts: parts.norm(dim=1) / parts.sum(0).norm()),
        Mistake("divided by the length", square, partial(shares, divisor=lambda parts, g: g.norm())),
        Mistake("not divided", square, partial(shares, divisor=lambda parts, g: 1)),
        Mistake("cosine", square, lambda parts: F.cosine_similarity(parts, parts.sum(0), dim=1)),
        Mistake("divided by own squares", square, partial(shares, divisor=lambda parts, g: (parts**2).sum(1))),
        Mistake("mean for sum", "g is the sum of the rows.", partial(shares, whole=partial(torch.mean, dim=0))),
        Mistake("numbers added", inner, lambda parts: parts.sum(1) / parts.sum()),
    ]
    rows = [torch.tensor([[4.0, 0.0], [-1.0, 1.0]]), whole_numbers(4, 3, 3), whole_numbers(5, 4, 2)]
    rows.append(torch.randn(6, 20, generator=torch.Generator().manual_seed(1)))
    return compare("signed_shares", signed_shares, shares, cases("parts", *[(one,) for one in rows]), mistakes)


def check_gradient_by_length(gradient_by_length: Callable) -> Verdict:
    """The derivative of a chain of blocks, taken apart by the length of its paths. Difficulty 4 of 5, 20 minutes.

    ``gradient_by_length(slopes [n]) -> [n+1]``: block i makes x + f_i(x) of a number x, slopes[i] is the derivative of
    f_i there. A path's derivative is the product of the slopes of the blocks whose layers it passes; place k is the sum
    over all paths of length k. slopes is a NumPy array.
    """

    def of_the_mean(slopes, *, numbers=combinations):
        return numbers(len(slopes)) * slopes.mean() ** np.arange(len(slopes) + 1)

    def without_0(slopes, *, filled=()):
        return np.array([*filled, *by_length(slopes)[1:]])

    def of_powers(slopes):
        return np.array([(slopes**length).sum() for length in range(len(slopes) + 1)])

    own = "A path of length k chooses k different blocks: its derivative is the product of their own slopes."
    every = "For length k, add over every choice of k blocks."
    once = "A path passes a block once: through its layers or past them."
    slope = "slopes[i] counts with its sign, and as it is: the shortcut's 1 belongs to other paths."
    mistakes = [
        Mistake("mean slope", own, of_the_mean, partial(of_the_mean, numbers=lambda n: 1)),
        Mistake("slopes as they are", own, lambda slopes: np.array([1, *slopes])),
        Mistake("powers of one slope", own, of_powers),
        Mistake("number of paths", own, lambda slopes: combinations(len(slopes))),
        Mistake("first blocks only", every, lambda slopes: np.cumprod([1, *slopes])),
        Mistake("old paths replaced", "What goes past the layers stays, too: add the longer paths to it.",
                lambda slopes: np.cumprod([1, *slopes[::-1]])),
        Mistake("blocks in a row only", every, in_a_row),
        Mistake("mean over the paths", every, lambda slopes: by_length(slopes) / combinations(len(slopes))),
        Mistake("block passed more than once", once + " Going through the lengths, start at the longest.",
                passed_again),
        Mistake("powers of the sum", once, lambda slopes: slopes.sum() ** np.arange(len(slopes) + 1)),
        Mistake("order counted", "Blocks 1 and 3 or 3 and 1 are the same path.",
                lambda slopes: by_length(slopes) * np.array([math.factorial(k) for k in range(len(slopes) + 1)])),
        Mistake("length 0 missing", "One path passes no layers: its derivative is 1.", without_0,
                partial(without_0, filled=[0])),
        Mistake("from the longest", "Place 0 is length 0.", lambda slopes: by_length(slopes)[::-1]),
        Mistake("lengths added up", "Place k is length k alone.", lambda slopes: by_length(slopes).cumsum()),
        Mistake("fractions", "Do not divide: the parts sum to the derivative, the product of (1 + slope).",
                lambda slopes: by_length(slopes) / by_length(slopes).sum()),
        Mistake("signs alternate", slope + " np.poly multiplies (t - slope).", lambda slopes: by_length(-slopes)),
        Mistake("absolute values", slope, lambda slopes: by_length(abs(slopes)), lambda slopes: abs(by_length(slopes))),
        Mistake("1 + slope for slope", slope, lambda slopes: by_length(1 + slopes)),
    ]  # fmt: skip
    rows = [np.array(slopes) for slopes in ([2.0, 3.0], [1.0, -3.0, 2.0], [0.5], [1.0, 2.0, 3.0, -4.0])]
    rows.append(2 * _uniform(3, 7) - 1)
    given = cases("slopes", *[(slopes,) for slopes in rows])
    return compare("gradient_by_length", gradient_by_length, by_length, given, mistakes)


def _uniform(seed: int, size: int) -> np.ndarray:
    """Numbers between 0 and 1."""
    return np.random.default_rng(seed).random(size)
