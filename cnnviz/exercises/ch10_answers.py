"""Answers to the exercises of chapter 10: the Inception module 3a with one part exchanged."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def max_pool(x: Tensor) -> Tensor:
    """Pooling that keeps height and width."""
    return F.max_pool2d(x, kernel_size=3, stride=1, padding=1)


def avg_pool(x: Tensor) -> Tensor:
    """The mean in the place of the maximum."""
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


def without_pooling(x: Tensor) -> Tensor:
    """The place of pooling left empty."""
    return x


def side_by_side(branches: Sequence[Tensor]) -> Tensor:
    """Joined along the channels, in the order of the paper's table."""
    return torch.cat(branches, dim=1)


def reversed_branches(branches: Sequence[Tensor]) -> Tensor:
    """Joined in the opposite order."""
    return torch.cat(branches[::-1], dim=1)


def inception(
    weights: Mapping[str, Tensor], x: Tensor, *, pool=max_pool, join=side_by_side, linear: Sequence[str] = ()
) -> Tensor:
    """The module for weights by layer, with one part exchanged; `linear` names the layers without activation."""

    def layer(name, x):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        return x if name in linear else F.relu(x)

    return join(
        [
            layer("out1x1", x),
            layer("out3x3", layer("reduce3x3", x)),
            layer("out5x5", layer("reduce5x5", x)),
            layer("pool_projection", pool(x)),
        ]
    )
