"""Look inside a network while it runs, and leave it exactly as it was."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def check_module(model: nn.Module) -> None:
    """Raise TypeError unless `model` is an nn.Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"the model must be an nn.Module, not {type(model).__name__}; create_model makes one from a name"
        )


@contextmanager
def same_random_numbers_after(devices: Iterable[torch.device]) -> Iterator[None]:
    """Give back, after the block, the random numbers of the processor and of those `devices` that have their own."""
    devices = set(devices)
    mps = torch.mps.get_rng_state() if any(device.type == "mps" for device in devices) else None
    with torch.random.fork_rng([device for device in devices if device.type == "cuda"]):
        try:
            yield
        finally:
            if mps is not None:
                torch.mps.set_rng_state(mps)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Run the block in evaluation mode and without gradients, then give back the model as it was.

    Given back, also after an exception: the training mode of every module, every buffer (the running means of
    batch normalisation, for instance), the grad mode and the random numbers of the processor and of the model's GPU.

    Raises:
        TypeError: it is no nn.Module.
    """
    check_module(model)
    training = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    devices = {parameter.device for parameter in model.parameters()}
    with same_random_numbers_after(devices), torch.no_grad():
        try:
            model.eval()
            yield
        finally:
            for module, mode in training:
                module.training = mode
            for module, name, buffer, before in buffers:
                setattr(module, name, buffer)  # a forward pass may have put another tensor there
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


@contextmanager
def capture(model: nn.Module, layers: Sequence[str] | None = None) -> Iterator[dict[str, Tensor]]:
    """Collect what the named layers return while the block runs the model; all layers without children by default.

    Yields a dict that fills up in the order in which the layers run: name -> a copy of its output, whatever its shape.
    A copy, because a ReLU with `inplace=True` overwrites what the convolution before it returned. A layer that is
    called again (a shared ReLU) adds `relu_1`, `relu_2` and so on, as torchvision names them. Outputs that are not
    tensors are left out. The model is `untouched`, and no hook stays behind.

    Raises:
        TypeError: the model is no nn.Module.
        ValueError: a name is not a layer of the model; the message lists those that are.
    """
    check_module(model)
    modules = {name: module for name, module in model.named_modules() if name}
    if layers is None:
        layers = [name for name, module in modules.items() if next(module.children(), None) is None]
    for name in layers:
        if name not in modules:
            raise ValueError(f"{type(model).__name__} has no layer {name!r}; its layers are {', '.join(modules)}")
    outputs: dict[str, Tensor] = {}
    calls = dict.fromkeys(layers, 0)

    def keeper(name):
        def keep(module, args, output):
            if isinstance(output, Tensor):
                outputs[f"{name}_{calls[name]}" if calls[name] else name] = output.detach().clone()
                calls[name] += 1

        return keep

    handles = []
    try:
        handles += [modules[name].register_forward_hook(keeper(name)) for name in calls]
        with untouched(model):
            yield outputs
    finally:
        for handle in handles:
            handle.remove()
