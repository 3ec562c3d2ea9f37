"""Directions in the space of a network's weights: random and normalised, or from one network to another.

H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 2018,
section 4 (filter normalisation). A direction is a dict: name of a parameter -> tensor of its shape.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cnnviz.analysis.hooks import check_module, uncompiled

Direction = dict[str, Tensor]
NORMS = ("filter", "layer", "none")
IGNORED = ("biasbn", None)
TINY = 1e-10  # added to the length of a drawn filter, as in the authors' code: no division by zero


def random_direction(
    model: nn.Module,
    norm: str = "filter",
    ignore: str | None = "biasbn",
    generator: torch.Generator | None = None,
) -> Direction:
    """Return a Gaussian direction, as long as the model's weights, filter by filter.

    Every number is drawn from N(0, 1). Then each filter of the direction, d[j] of a parameter of two or more
    dimensions, is multiplied by |w[j]| / |d[j]|, so that a network whose filters are scaled up in one layer and down in
    the next, which computes the same, has the same slice.

    Args:
        model: any module; its parameters of floating point take part.
        norm: "filter"; "layer": the same with whole parameters; "none": as drawn.
        ignore: "biasbn" (the paper's figures) leaves biases and the scales and shifts of normalisations where they are,
            all parameters of fewer than two dimensions. None moves them, too, normalised as one filter.
        generator: on the cpu; torch's default one, which goes on, where it is left out.

    Returns:
        a tensor of each parameter's shape, type and device.
    """
    check_module(model)
    _check("norm", norm, NORMS)
    _check("ignore", ignore, IGNORED)
    return {
        name: _drawn(weight.detach(), norm, generator)
        if weight.ndim >= 2 or ignore is None
        else torch.zeros_like(weight, requires_grad=False)
        for name, weight in parameters_of(model).items()
    }


def interpolate_direction(model_a: nn.Module, model_b: nn.Module) -> Direction:
    """Return the way from one network to another of the same shape: weights of b minus weights of a.

    Buffers are part of it: with the running statistics of batch normalisation left behind, the point at 1 would not be
    network b.

    Raises:
        ValueError: the networks have not the same parameters; the message names the first that differs.
    """
    a, b = (tensors_of(model) for model in (model_a, model_b))
    for name in sorted(a.keys() | b.keys()):
        shapes = [list(state[name].shape) if name in state else "none" for state in (a, b)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} has the shape {shapes[0]} in model_a and {shapes[1]} in model_b; they must agree")
    return {name: b[name].detach().to(start) - start.detach() for name, start in a.items()}


def cosine(d1: Mapping[str, Tensor], d2: Mapping[str, Tensor]) -> float:
    """Return the cosine of the angle between two directions; in a million dimensions random ones are nearly square."""
    return inner(d1, d2) / (length(d1) * length(d2))


def length(direction: Mapping[str, Tensor]) -> float:
    """Return the Euclidean length of a direction, summed in float64."""
    return math.sqrt(inner(direction, direction))


def inner(d1: Mapping[str, Tensor], d2: Mapping[str, Tensor]) -> float:
    """Return the inner product of two directions, summed in float64; what only one of them has counts as 0."""
    pairs = ((d1[name].to("cpu", torch.float64), d2[name].to("cpu", torch.float64)) for name in d1 if name in d2)
    return sum((a * b).sum().item() for a, b in pairs)  # Apple's GPUs have no float64


def parameters_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters of floating point, each once, under its first name."""
    return {name: weight for name, weight in uncompiled(model).named_parameters() if weight.is_floating_point()}


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers of floating point, each once, under its first name."""
    buffers = {name: buffer for name, buffer in uncompiled(model).named_buffers() if buffer.is_floating_point()}
    return parameters_of(model) | buffers


def _drawn(weight: Tensor, norm: str, generator: torch.Generator | None) -> Tensor:
    """Draw in float32 on the cpu: all devices and types get the same direction."""
    drawn = torch.randn(weight.shape, generator=generator).to(weight)
    if norm == "none":
        return drawn
    inside = tuple(range(1, weight.ndim)) if norm == "filter" and weight.ndim > 1 else None
    lengths = [torch.linalg.vector_norm(one, dim=inside, keepdim=True) for one in (weight, drawn)]
    return drawn * (lengths[0] / (lengths[1] + TINY))


def _check(name: str, value, allowed) -> None:
    if value not in allowed:
        raise ValueError(f"{name} (={value!r}) must be one of {', '.join(map(repr, allowed))}")
