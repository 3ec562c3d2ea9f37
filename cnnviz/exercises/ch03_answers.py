"""Answers to the exercises of chapter 03: torch's, and formulas in which one part can be exchanged for a wrong one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.analysis import layer_table
from cnnviz.analysis.hooks import untouched


def pooled_size(n, k, s, p, ceil_mode) -> int:
    """The shape that torch's pooling returns."""
    return F.max_pool1d(torch.zeros(1, 1, n), k, s, p, ceil_mode=ceil_mode).shape[-1]


def windows(n, k, s, p, ceil_mode, *, sides=2, first=1) -> int:
    """The number of windows by formula, with the one that would begin behind the image."""
    room = n + sides * p - k
    return (-(-room // s) if ceil_mode else room // s) + first


def norm_pool(image: Tensor, kernel_size, stride) -> Tensor:
    """torch's L2-norm pooling of one channel."""
    return F.lp_pool2d(image[None], 2, kernel_size, stride)[0]


def average(image: Tensor, kernel_size, stride) -> Tensor:
    """torch's average pooling of one channel."""
    return F.avg_pool2d(image[None], kernel_size, stride)[0]


def largest(image: Tensor, kernel_size, stride) -> Tensor:
    """torch's max pooling of one channel."""
    return F.max_pool2d(image[None], kernel_size, stride)[0]


def pool_gradient(image: Tensor, gradient: Tensor, kernel_size, stride, *, pool=largest) -> Tensor:
    """What autograd hands back to the image."""
    image = image.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(pool(image, kernel_size, stride), image, gradient)[0]


def gradient_overwriting(image: Tensor, gradient: Tensor, kernel_size, stride) -> Tensor:
    """The last window's gradient stays where windows share their largest number."""
    _, places = F.max_pool2d(image[None], kernel_size, stride, return_indices=True)
    result = torch.zeros(image.numel())
    for place, value in zip(places.flatten().tolist(), gradient.flatten().tolist(), strict=True):
        result[place] = value
    return result.view_as(image)


def pixels(layers, position, *, order=reversed, padding=1, reach=lambda k, d: d * (k - 1), step=1, extra=0):
    """First and last pixel of a number, followed down layer by layer."""
    first = last = position
    for k, s, p, d in order(layers):
        s = s if step else 1
        first, last = first * s - padding * p, last * s - padding * p + reach(k, d)
    return first, last + extra


def pixels_padded_before(layers, position):
    """Padding taken off the first pixel only."""
    return pixels(layers, position)[0], pixels(layers, position, padding=0)[1]


def fields(layers, *, early=False, whole=False, jump=True, start=1) -> list[int]:
    """The receptive field after each layer (kernel_size, stride)."""
    result, field, step = [], start, 1
    for k, s in layers:
        if early:
            step *= s
        field += (k if whole else k - 1) * (step if jump else 1)
        if not early:
            step *= s
        result.append(field)
    return result


def first_at_least(sizes: list[int], size: int, *, none=0, counted_from=1, more=False) -> int:
    """The first of the sizes that is as large, counted from 1."""
    fits = [index for index, field in enumerate(sizes, counted_from) if field > size or (field == size and not more)]
    return fits[0] if fits else none


def one_way(ways) -> list:
    """The layers of one branch: their strides are those of every other."""
    return ways[0]


def field_of_ways(layers, *, choose=max, strides=one_way) -> int:
    """The field where a list of branches counts as the way that is chosen: by default the one that adds most."""
    field, jump = 1, 1
    for layer in layers:
        ways = layer if isinstance(layer, list) else [[layer]]
        field += choose([fields(way, start=0)[-1] if way else 0 for way in ways]) * jump
        for _, s in strides(ways):
            jump *= s
    return field


def stack_facts(module: nn.Module, size: int = 63) -> dict[str, int]:
    """What a stack of one-channel convolutions sees: field, jump, and the pixels that have a way to an output."""
    row = layer_table(module, (1, size, size)).rows[-1]
    with untouched(module), torch.enable_grad():
        image = torch.zeros(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        ones = {name: torch.ones_like(p, dtype=torch.float64) for name, p in module.named_parameters()}
        output = torch.func.functional_call(module, ones, image)
        middle = tuple(n // 2 for n in output.shape[-2:])
        [gradient] = torch.autograd.grad(output[0, 0][middle], image)
    jump = max(row.jump) if row.jump else 0
    return {"field": int(max(row.receptive_field)), "jump": int(jump), "pixels that count": int((gradient != 0).sum())}
