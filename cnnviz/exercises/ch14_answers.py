"""Answers to the exercises of chapter 14: a block of paths and a dense layer with one part exchanged."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def paths(
    reduce: Tensor,
    grouped: Tensor,
    expand: Tensor,
    x: Tensor,
    *,
    shortcut: bool = True,
    early: bool = False,
    last: bool = True,
    linear: Sequence[int] = (),
) -> Tensor:
    """A ResNeXt block without normalisation; `linear` names the convolutions without activation, 0 and 1."""
    inner = F.conv2d(x, reduce)
    inner = inner if 0 in linear else F.relu(inner)
    inner = F.conv2d(inner, grouped, padding=1, groups=len(grouped) // grouped.shape[1])
    inner = inner if 1 in linear else F.relu(inner)
    residual = F.conv2d(inner, expand)
    if early:
        return x + F.relu(residual)
    result = x + residual if shortcut else residual
    return F.relu(result) if last else result


def behind(x: Tensor, activated: Tensor, new: Tensor) -> Tensor:
    """The new maps behind the input."""
    return torch.cat([x, new], dim=1)


def in_front(x: Tensor, activated: Tensor, new: Tensor) -> Tensor:
    """The new maps before the input."""
    return torch.cat([new, x], dim=1)


def normalised(x: Tensor, activated: Tensor, new: Tensor) -> Tensor:
    """The new maps behind what the convolution read."""
    return torch.cat([activated, new], dim=1)


def alone(x: Tensor, activated: Tensor, new: Tensor) -> Tensor:
    """Only the new maps."""
    return new


def added(x: Tensor, activated: Tensor, new: Tensor) -> Tensor:
    """The new maps added to as many of the input."""
    return torch.cat([x[:, : new.shape[1]] + new, x[:, new.shape[1] :]], dim=1)


def dense(weight: Tensor, bias: Tensor, conv: Tensor, x: Tensor, *, activation=F.relu, join=behind) -> Tensor:
    """A dense layer in evaluation mode, untrained: means 0, variances 1."""
    zeros = torch.zeros_like(weight)
    activated = activation(F.batch_norm(x, zeros, zeros + 1, weight, bias))
    return join(x, activated, F.conv2d(activated, conv, padding=1))
