"""What the tests of all networks share: networks without memory, their counts and shapes, twins with random numbers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnnviz.models import create_model


def on_meta(build: Callable | str, *args, **options) -> nn.Module:
    """Return a network in evaluation mode, from its builder or its name, that takes no memory."""
    with torch.device("meta"):
        return (create_model(build, **options) if isinstance(build, str) else build(*args, **options)).eval()


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def images(model: nn.Module, size: int | None = None, batch: int = 1) -> Tensor:
    """Return empty images for a network on the meta device."""
    return torch.zeros(batch, model.in_channels, *[size or model.image_size] * 2, device="meta")


def stage_shapes(model: nn.Module, size: int | None = None) -> dict[str, tuple[int, ...]]:
    """Return {stage: shape of its output, without N}, in the order of the forward pass; maps have to be square."""
    seen = {}

    def note(name, output):
        x = output if isinstance(output, Tensor) else output[0]
        assert x.ndim != 4 or x.shape[2] == x.shape[3]
        seen[name] = tuple(x.shape[1:])

    hooks = [
        stage.register_forward_hook(lambda module, inputs, output, name=name: note(name, output))
        for name, stage in model.named_children()
    ]
    model(images(model, size, batch=2))
    for hook in hooks:
        hook.remove()
    return seen


def sides(model: nn.Module, size: int | None = None) -> dict[str, tuple[int, int]]:
    """Return {stage: (channels, height)} of all stages but the head."""
    return {name: shape[:2] for name, shape in stage_shapes(model, size).items() if name != "head"}


def randomised(model: nn.Module) -> nn.Module:
    """Give every layer weights and batch statistics of which none is 0, 1 or alike, in float64; evaluation mode."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.1)
        if isinstance(layer, nn.BatchNorm2d):
            for tensor, low, high in ((layer.weight, 0.5, 1.5), (layer.running_var, 0.5, 1.5), (layer.bias, -1, 1)):
                nn.init.uniform_(tensor, low, high)
            nn.init.uniform_(layer.running_mean, -1, 1)
    return model.double().eval()


def close(ours: Tensor, theirs: Tensor) -> bool:
    """Return whether no number differs by more than 1e-5 of the largest."""
    return bool((ours - theirs).abs().max() <= 1e-5 * theirs.abs().max())
