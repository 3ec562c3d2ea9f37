"""What a network in training shows of its health, layer by layer, on a few images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnviz.analysis.hooks import untouched

PER_LAYER = ("activation_mean", "activation_std", "gradient_std", "gradient_norm", "silent", "update_ratio")


@dataclass(frozen=True)
class Signals:
    """Health of every convolution and linear layer, in the order in which they run; a tuple holds one number a layer.

    What a layer that is not trained has no gradient for is nan.
    """

    layers: tuple[str, ...]  # names in the model
    activation_mean: tuple[float, ...]  # of what the layer returns, over images, maps and places
    activation_std: tuple[float, ...]  # likewise
    gradient_std: tuple[float, ...]  # of the gradient of one image's loss with respect to what the layer returns
    gradient_norm: tuple[float, ...]  # length of the gradient of the mean loss with respect to the layer's weights
    silent: tuple[float, ...]  # fraction of the filters (rows of the weight) whose gradient is exactly 0: they rest
    update_ratio: tuple[float, ...]  # length of one step of the weights / length of the weights; 0 before the first
    input_mean: float  # of the pixels that the network is given
    input_std: float  # likewise
    evaluation_noise: (
        float  # by how much logits change, in evaluation mode, with the images beside them and with chance
    )

    def of(self, layer: str) -> dict[str, float]:
        """Return the numbers of one layer by name."""
        place = self.layers.index(layer)
        return {name: getattr(self, name)[place] for name in PER_LAYER}

    def describe(self) -> str:
        """Say how activations, gradients and updates go from the first layer to the last."""
        words = {"activation_std": "deviation of the activations", "gradient_std": "of the gradients",
                 "update_ratio": "update / weight"}  # fmt: skip
        parts = [
            f"{text} {getattr(self, name)[0]:.2g} to {getattr(self, name)[-1]:.2g}" for name, text in words.items()
        ]
        return f"{len(self.layers)} layers, from {self.layers[0]} to {self.layers[-1]}: {', '.join(parts)}."


def signals(model: nn.Module, images: Tensor, labels: Tensor, objective: Callable[[object, Tensor], Tensor]) -> Signals:
    """Run a model forwards and backwards in training mode, and measure; the model stays as it was.

    Args:
        model: with at least one convolution or linear layer.
        images: [N, C, H, W], normalised, where the model is; N at least 2.
        labels: [N].
        objective: of what the model returns and the labels: the mean loss that training makes smaller.
    """
    layers = {module: name for name, module in model.named_modules() if _has_filters(module)}
    outputs: dict[nn.Module, Tensor] = {}

    def keep(module, args, output):
        outputs[module] = output
        return output.clone()  # a ReLU with inplace=True would overwrite what is measured

    handles = []
    try:
        handles += [module.register_forward_hook(keep) for module in layers]
        with untouched(model), torch.enable_grad():
            model.train()
            loss = objective(model(images), labels)
            tensors = [*outputs.values(), *(module.weight for module in outputs)]
            asked = [tensor for tensor in tensors if tensor.requires_grad]
            found = torch.autograd.grad(loss, asked, materialize_grads=True) if asked else ()
    finally:
        for handle in handles:
            handle.remove()
    gradients = dict(zip(asked, found, strict=True))  # a tensor is its own key, whatever it holds
    rows = [
        _numbers(output.detach(), gradients.get(output), gradients.get(module.weight), len(images))
        for module, output in outputs.items()
    ]
    columns = torch.stack([torch.stack(row) for row in rows]).T.tolist()  # one wait for the device
    return Signals(
        tuple(layers[module] for module in outputs),
        *map(tuple, columns),
        update_ratio=(0.0,) * len(outputs),
        input_mean=images.mean().item(),
        input_std=images.std().item(),
        evaluation_noise=_evaluation_noise(model, images),
    )


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weight of every convolution and linear layer."""
    return {name: layer.weight.detach().clone() for name, layer in model.named_modules() if _has_filters(layer)}


def update_ratios(model: nn.Module, before: dict[str, Tensor]) -> dict[str, float]:
    """Return, for each layer, the length of the change of its weight since `before`, over the length of that."""
    ratios = []
    for name, old in before.items():
        step = model.get_submodule(name).weight.detach() - old
        ratios.append(step.norm() / old.norm().clamp(min=1e-12))  # weights of 0 have no length
    return dict(zip(before, torch.stack(ratios).tolist(), strict=True))


def _has_filters(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear)


def _numbers(output: Tensor, gradient: Tensor | None, weight: Tensor | None, images: int) -> list[Tensor]:
    """Return the first five of PER_LAYER, on the device."""
    output, unknown = output.float(), output.new_full((), float("nan"), dtype=torch.float32)
    return [
        output.mean(),
        output.std(),
        unknown if gradient is None else images * gradient.float().std(),  # of the mean loss: an image's share is 1 / N
        unknown if weight is None else weight.float().norm(),
        unknown if weight is None else (weight.flatten(1) == 0).all(1).float().mean(),
    ]


def _evaluation_noise(model: nn.Module, images: Tensor) -> float:
    """Return the deviation between logits of the same images in two batches and in one, as a part of their own."""
    with untouched(model):
        whole = model(images)
        halves = torch.cat([model(half) for half in images.chunk(2)])
        return ((whole - halves).square().mean().sqrt() / whole.std().clamp(min=1e-12)).item()
