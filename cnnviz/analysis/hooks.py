"""Look inside a network while it runs, and leave it exactly as it was."""

import copy
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn


def check_module(model: nn.Module) -> None:
    """Raise TypeError unless `model` is an nn.Module."""
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"the model must be an nn.Module, not {type(model).__name__}; create_model makes one from a name"
        )


def uncompiled(model: nn.Module) -> nn.Module:
    """Return what torch.compile made a program of, or the model itself."""
    return getattr(model, "_orig_mod", model)


@contextmanager
def same_random_numbers_after(devices: Iterable[torch.device]) -> Iterator[None]:
    """Give back, after the block, the random numbers of Python, NumPy, torch and `devices` that have their own."""
    devices, python, numpy = set(devices), random.getstate(), np.random.get_state()
    mps = torch.mps.get_rng_state() if any(device.type == "mps" for device in devices) else None
    with torch.random.fork_rng([device for device in devices if device.type == "cuda"]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            if mps is not None:
                torch.mps.set_rng_state(mps)


def same_random_numbers_after_a_look(devices: Iterable[torch.device]) -> AbstractContextManager:
    """Give them back in the main thread alone, for what evaluates and seldom draws any.

    In another one, which works for a widget, a cell may be training meanwhile: it would draw the same numbers again.
    """
    main = threading.current_thread() is threading.main_thread()
    return same_random_numbers_after(devices) if main else nullcontext()


@contextmanager
def given_back(model: nn.Module) -> Iterator[None]:
    """Give back the model, after the block, as it was, also after an exception.

    Given back: what every module holds (its training mode, its buffers such as the running means of batch
    normalisation, other attributes, what is in its dicts, lists and sets), whether its parameters require gradients,
    and, in the main thread, the random numbers of Python, NumPy, torch and the model's GPU.

    Raises:
        TypeError: it is no nn.Module.
    """
    check_module(model)
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    values = [value for _, before in attributes for value in before.values()]
    values += [buffer for module in model.modules() for buffer in module.buffers(recurse=False)]
    tensors = [(value, value.clone()) for value in values if isinstance(value, Tensor)]
    inside = [(value, copy.copy(value)) for value in values if isinstance(value, dict | list | set)]
    required = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    with same_random_numbers_after_a_look({parameter.device for parameter in model.parameters()}):
        try:
            yield
        finally:
            for module, before in attributes:
                vars(module).clear()
                vars(module).update(before)
            for value, before in inside:
                value.clear()
                value.extend(before) if isinstance(value, list) else value.update(before)
            for tensor, before in tensors:
                if not torch.equal(tensor, before):
                    tensor.detach().copy_(before)
            for parameter, before in required:
                parameter.requires_grad_(before)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Run the block in evaluation mode and without gradients, then give back the model as it was (`given_back`).

    Raises:
        TypeError: it is no nn.Module.
    """
    with given_back(model), torch.no_grad():
        model.eval()
        yield


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
