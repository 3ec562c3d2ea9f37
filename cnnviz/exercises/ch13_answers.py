"""Answers to the exercises of chapter 13, each with one part exchanged."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor


class Layer(NamedTuple):
    """The layers of a block, simple enough to follow with a pencil; a verdict shows them as "2 * x + 1"."""

    scale: int
    shift: int

    def __call__(self, x: Tensor) -> Tensor:
        """Return what the layers make of x."""
        return self.scale * x + self.shift

    def __repr__(self) -> str:
        return f"{self.scale} * x + {self.shift}"


def paths(blocks: int, low: int, high: int, *, number=math.comb, before=0, after=0) -> int:
    """The number of paths, with so many lengths more before `low` and after `high`."""
    return sum(number(blocks, length) for length in range(low - before, high + after + 1))


def combinations(blocks: int) -> np.ndarray:
    """The number of paths of each length."""
    return np.array([math.comb(blocks, length) for length in range(blocks + 1)])


def survivals(blocks: int, last: float, *, first=1) -> np.ndarray:
    """The chances of blocks whose numbers start at `first`."""
    return 1 - np.arange(first, blocks + first) / blocks * (1 - last)


def passed(x: Tensor, layers: Callable) -> Tensor:
    """One residual block."""
    return x + layers(x)


def chain(
    layers: Sequence[Callable], x: Tensor, gone: int, *, kept=passed, deleted=lambda x, layers: x, off=0
) -> Tensor:
    """What comes out of all blocks, of which block `gone + off` is a deleted one."""
    for number, one in enumerate(layers):
        x = deleted(x, one) if number == gone + off else kept(x, one)
    return x


def taken_off_the_end(layers: Sequence[Callable], x: Tensor, gone: int) -> Tensor:
    """The whole network, from whose result that of the deleted layers is subtracted."""
    return chain(layers, x, -1) - layers[gone](chain(layers[:gone], x, -1))


def product(norms: np.ndarray, *, number=math.comb, more=0, whole=np.sum) -> np.ndarray:
    """Number of paths times norm, over what `whole` makes of all these; `more` is added to the number of blocks."""
    blocks = len(norms) - 1
    products = norms * np.array([float(number(blocks + more, length)) for length in range(blocks + 1)])
    return products / whole(products)


def shares(parts: Tensor, *, whole=lambda parts: parts.sum(0), divisor=lambda parts, g: g @ g) -> Tensor:
    """Inner products of the rows with what `whole` makes of them, over a divisor."""
    g = whole(parts)
    return parts @ g / divisor(parts, g)


def by_length(slopes: np.ndarray) -> np.ndarray:
    """The coefficients of the product of (1 + slope * t)."""
    parts = np.ones(1)
    for slope in slopes:
        parts = np.convolve(parts, [1, slope])
    return parts


def passed_again(slopes: np.ndarray) -> np.ndarray:
    """As if a path could pass one block's layers several times: loops that start at the shortest length."""
    parts = np.eye(len(slopes) + 1)[0]
    for slope in slopes:
        for length in range(1, len(parts)):
            parts[length] += slope * parts[length - 1]
    return parts


def in_a_row(slopes: np.ndarray) -> np.ndarray:
    """Paths alone whose layers lie in blocks one behind the other."""
    blocks = len(slopes)
    rows = [[slopes[start : start + size] for start in range(blocks - size + 1)] for size in range(1, blocks + 1)]
    return np.array([1, *(sum(map(np.prod, row)) for row in rows)])
