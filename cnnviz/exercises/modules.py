"""How an nn.Module is checked: its parameters by layer, then its output for the same weights; it is left as it was."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import is_lazy

from cnnviz.analysis.hooks import untouched
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, fail
from cnnviz.exercises.verdict import show


def module_fault(exercise: str, module: nn.Module, names: dict[str, torch.Size]) -> Verdict | None:
    """What is wrong with a module's parameters, by layer; None where they have the right shapes in the right order."""
    if module is ... or _unwritten(module):
        return fail(exercise, "not written yet", "Put your layers in the place of the three dots.")
    if not isinstance(module, nn.Module):
        return fail(exercise, "not a module", f"Pass an nn.Module, an object and not its class, not {show(module)}.")
    shapes = [() if is_lazy(p) else tuple(p.shape) for p in module.parameters()]
    for i, (name, right) in enumerate(names.items()):
        layer, kind = name.split(".")
        shape = shapes[i] if i < len(shapes) else None
        if shape and shape[0] == right[0] and prod(shape) == right.numel():
            continue  # c5 may be a 5 x 5 convolution: the same numbers
        if kind == "bias":
            return fail(exercise, "bias forgotten", f"{layer} adds {right[0]} biases.")
        if shape is None:
            return fail(exercise, f"layer {layer} is missing", f"Its weight has the shape {tuple(right)}.")
        return fail(exercise, f"layer {layer} is wrong", f"Its weight has the shape {shape}, expected {tuple(right)}.")
    if len(shapes) > len(names):
        return fail(exercise, "too many parameters", f"After {layer} comes one of shape {shapes[len(names)]}.")
    return None


def _unwritten(module: nn.Module) -> bool:
    """Whether it is a module without a parameter whose forward still comes to three dots."""
    if not isinstance(module, nn.Module) or list(module.parameters()):
        return False
    try:
        with untouched(module):
            return module(torch.zeros(1)) is ...
    except Exception:  # whatever is wrong with it, it has been written
        return False


def random_weights(module: nn.Module, names: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Random weights of the package's names and shapes, where the module's are; its own may all be zero."""
    device = next(module.parameters()).device
    draw = torch.Generator().manual_seed(5)
    return {
        name: (torch.randn(shape, generator=draw) / shape[1:].numel() ** 0.5).to(device)
        for name, shape in names.items()
    }


def compare_modules(
    exercise: str,
    module: nn.Module,
    weights: dict[str, Tensor],
    right: Callable[[Tensor], Tensor],
    shapes: Sequence[tuple[int, ...]],
    mistakes: Sequence[Mistake],
) -> Verdict:
    """Compare the module's outputs for random images of these shapes, with the weights in the place of its own."""
    own = {name: w.view(p.shape) for (name, p), w in zip(module.named_parameters(), weights.values(), strict=True)}
    device = next(module.parameters()).device
    draw = torch.Generator().manual_seed(6)
    images = cases("images", *[(torch.randn(shape, generator=draw).to(device),) for shape in shapes])
    with untouched(module):
        return compare(exercise, partial(functional_call, module, own), right, images, mistakes)
