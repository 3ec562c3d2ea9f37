"""How many paths of each length there are through n residual blocks, and which of them survive stochastic depth.

A. Veit, M. Wilber and S. Belongie, Residual networks behave like ensembles of relatively shallow networks, NeurIPS
2016, section 3; G. Huang et al., Deep networks with stochastic depth, ECCV 2016, section 3.
"""

import math
from collections.abc import Sequence

import numpy as np


def number_of_paths(blocks: int) -> np.ndarray:
    """Return the number of paths of each length 0 to n through n blocks: float64 [n+1], the binomial coefficients.

    3 -> 1 3 3 1

    Raises:
        ValueError: blocks is below 1.
    """
    if blocks < 1:
        raise ValueError(f"blocks (={blocks}) must be at least 1")
    return np.array([float(math.comb(blocks, length)) for length in range(blocks + 1)])


def length_distribution(survival: Sequence[float]) -> np.ndarray:
    """Return what fraction of the surviving paths has each length, where every block's layers survive with a chance.

    Blocks' layers survive one by one; a path survives if all whose layers it takes do. The expected number of surviving
    paths of length k is the coefficient of t^k in the product of 1 + p_l t over the blocks l; with all p = 1 that is
    the binomial coefficient. Float64 [n+1], sums to 1.

    Args:
        survival: probability of every block, in (0, 1]; `survival_probabilities` of the models gives the paper's.

    Raises:
        ValueError: there is none, or one is no probability above 0.
    """
    if not len(survival) or not all(0 < one <= 1 for one in survival):
        raise ValueError(f"survival must be probabilities above 0 and at most 1, one for each block, not {survival}")
    found = np.ones(1)
    for one in survival:
        found = np.convolve(found, [1 / (1 + one), one / (1 + one)])  # divided at once: 2^n would leave float64
    return found


def surviving_blocks(survival: Sequence[float]) -> np.ndarray:
    """Return the probability that 0 to n blocks survive a training step: float64 [n+1], Poisson's binomial."""
    found = np.ones(1)
    for one in survival:
        found = np.convolve(found, [1 - one, one])
    return found


def band(fractions: np.ndarray, mass: float = 0.95) -> tuple[int, int]:
    """Return the fewest successive lengths that hold `mass` of a distribution: first and last of them."""
    total = np.concatenate([[0.0], np.cumsum(fractions)])
    size = len(fractions)
    for width in range(1, size + 1):
        held = total[width:] - total[: size - width + 1]
        if held.max() >= mass * total[-1] - 1e-12:
            return int(held.argmax()), int(held.argmax()) + width - 1
    return 0, size - 1
