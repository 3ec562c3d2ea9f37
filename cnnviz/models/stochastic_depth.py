"""Stochastic depth: in training, residual branches are left out at random; the shortcut carries the image past them.

G. Huang, Y. Sun, Z. Liu, D. Sedra and K. Q. Weinberger, Deep networks with stochastic depth, ECCV 2016, section 3.

A way to train, not an architecture: every family whose blocks have shortcuts has it as the option `survival` (NASNet's
cells add branches, but no way leads past a cell). Blocks without a shortcut always take part. It adds no parameters.
Block l of L survives a mini-batch with probability 1 - l / L (1 - survival), equation 4. With survival 0.5, the
paper's choice, about 3/4 of the branches are computed in each step, so that training is also about 25 % faster.

    blocks 1 2 3 4, survival 0.5:  0.875  0.75  0.625  0.5
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Sequential):
    """A residual branch that is skipped in training with probability 1 - survival, and scaled by survival after it.

    One draw decides for the whole mini-batch, on the CPU. A skipped branch is not computed: its weights get no gradient
    in that step (under DistributedDataParallel: `find_unused_parameters=True`), its batch statistics stay as they are.

    Args:
        branch: the layers; they keep their names, so that weights with and without stochastic depth are exchangeable.
        survival: probability that the branch takes part.
    """

    def __init__(self, branch: nn.Sequential, survival: float):
        super().__init__(OrderedDict(branch.named_children()))
        self.survival = survival

    def forward(self, x: Tensor) -> Tensor:
        """Return branch(x), or in training sometimes a single 0, which added to the shortcut leaves it as it is."""
        if not self.training:
            return self.survival * super().forward(x)  # equation 5: the mean over the draws
        if torch.rand(()) < self.survival:
            return super().forward(x)
        return x.new_zeros(())

    def extra_repr(self) -> str:
        """Show the probability where the network is printed."""
        return f"survival={self.survival:.3g}"


def survival_probabilities(blocks: int, last: float) -> list[float]:
    """Return the probability of each block: linear decay from (nearly) 1 to `last` (equation 4).

    Raises:
        ValueError: last is not above 0 and at most 1.
    """
    if not 0 < last <= 1:
        raise ValueError(f"survival (={last}) of the last block must be above 0 and at most 1")
    return [1 - number / blocks * (1 - last) for number in range(1, blocks + 1)]


def add_stochastic_depth(blocks: Sequence[nn.Module], last: float) -> None:
    """Make each block's `residual` a StochasticDepth, in the order of the forward pass; last=1 changes nothing."""
    for block, survival in zip(blocks, survival_probabilities(len(blocks), last), strict=True):
        if survival < 1:
            block.residual = StochasticDepth(block.residual, survival)
