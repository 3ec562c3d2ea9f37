"""Look inside a network while it runs, and leave it exactly as it was."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Run the block in evaluation mode and without gradients, then give back the model as it was.

    Given back, also after an exception: the training mode of every module, every buffer (the running means of
    batch normalisation, for instance), the grad mode and the random numbers of the processor and of the model's GPU.
    """
    training = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    gpus = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(gpus)), torch.no_grad():
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
        ValueError: a name is not a layer of the model; the message lists those that are.
    """
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
