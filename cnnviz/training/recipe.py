"""How a network is trained, in one place, each number with its unit."""

import math
from dataclasses import asdict, dataclass, field, fields

import torch
from torch import nn

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "cosine")


def _unit(unit: str, default):
    return field(default=default, metadata={"unit": unit})


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of one run. `Recipe.unit("lr")` says what a number counts.

    Raises:
        TypeError, ValueError: a field is not of its kind or out of range; the message says what is allowed.
    """

    epochs: int = _unit("passes over the training images", 5)
    batch_size: int = _unit("images", 128)
    lr: float = _unit("step size, times the gradient of the mean loss of a batch", 0.05)
    momentum: float = _unit("fraction of the last step that is kept (sgd only)", 0.9)
    weight_decay: float = _unit("gradient of the penalty for each unit of weight", 0.0)
    optimizer: str = _unit("one of sgd, adamw", "sgd")
    schedule: str = _unit("shape of lr over the run: one of constant, cosine (to 0)", "cosine")
    warmup: float = _unit("epochs during which lr rises linearly from 0", 0.0)
    crop_padding: int = _unit("pixels of zeros on each side before a random crop of the old size", 0)
    flip: float = _unit("fraction of the images that are mirrored left to right", 0.0)
    label_smoothing: float = _unit("fraction of the target that is spread over all classes", 0.0)

    def __post_init__(self):
        for name, low in (("epochs", 1), ("batch_size", 1), ("crop_padding", 0)):
            _check(name, getattr(self, name), int, low, math.inf)
        for name, high in (("lr", math.inf), ("weight_decay", math.inf), ("warmup", self.epochs)):
            _check(name, getattr(self, name), (int, float), 0, high)
        for name in ("momentum", "flip", "label_smoothing"):
            _check(name, getattr(self, name), (int, float), 0, 1)
        for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} (={getattr(self, name)!r}) must be one of {', '.join(allowed)}")

    @classmethod
    def unit(cls, name: str) -> str:
        """Return the unit of a field."""
        return {item.name: item.metadata["unit"] for item in fields(cls)}[name]

    def lr_at(self, epoch: float) -> float:
        """Return the step size after `epoch` epochs (a fraction counts the batches): warm-up, then the schedule."""
        if epoch < self.warmup:
            return self.lr * epoch / self.warmup
        if self.schedule == "constant" or self.warmup == self.epochs:
            return self.lr
        share = (epoch - self.warmup) / (self.epochs - self.warmup)
        return self.lr * (1 + math.cos(math.pi * share)) / 2

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's trainable parameters."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not parameters:
            raise ValueError("the model has no parameter with requires_grad=True: there is nothing to train")
        options = {"lr": self.lr, "weight_decay": self.weight_decay, "fused": _fused(parameters)}
        if self.optimizer == "adamw":
            return torch.optim.AdamW(parameters, **options)
        return torch.optim.SGD(parameters, momentum=self.momentum, **options)

    def describe(self) -> str:
        """Say the fields as name = value."""
        return ", ".join(f"{name} = {value}" for name, value in asdict(self).items())


def _fused(parameters) -> bool | None:
    """Return True where torch can update all parameters in one call, None (torch decides) elsewhere."""
    return True if all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters) else None


def _check(name, value, kind, low, high):
    kinds = "a whole number" if kind is int else "a number"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} (={value!r}) must be {kinds}, not {type(value).__name__}")
    if not low <= value <= high or not math.isfinite(value):
        above = f"from {low} to {high}" if math.isfinite(high) else f"at least {low} and finite"
        raise ValueError(f"{name} (={value}) must be {above}: {Recipe.unit(name)}")
