"""How a network is trained, in one place, each number with its unit."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields

import torch
from torch import nn

from cnnviz.analysis.losses import LOSSES, Loss, loss_function

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "step", "cosine", "one-cycle", "plateau")
PRECISIONS = ("float32", "bf16")


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
    nesterov: bool = _unit("whether the gradient is taken as if that step were made already (sgd only)", False)
    weight_decay: float = _unit("gradient of the penalty for each unit of weight", 0.0)
    optimizer: str = _unit("one of sgd, adamw", "sgd")
    schedule: str = _unit(f"shape of lr over the run: one of {', '.join(SCHEDULES)}; see lr_at", "cosine")
    steps: tuple = _unit("pairs of a share of the run and the part of lr from there on (schedule step)", ())
    patience: int = _unit("epochs without a smaller training loss, after which lr falls (schedule plateau)", 5)
    warmup: float = _unit("epochs during which lr rises linearly from 0", 0.0)
    clip_norm: float = _unit("length to which a longer gradient of all weights is cut; 0: never", 0.0)
    crop_padding: int = _unit("pixels of zeros on each side before a random crop of the old size", 0)
    flip: float = _unit("fraction of the images that are mirrored left to right", 0.0)
    colour_jitter: float = _unit("largest change of brightness, contrast and saturation, as a fraction", 0.0)
    pca_colour: float = _unit("shift of the colours along each of their components, in standard deviations", 0.0)
    cutout: int = _unit("side of the square that is cut out of each image, in pixels", 0)
    loss: str = _unit(f"one of {', '.join(LOSSES)}; see loss_function", "cross_entropy")
    groups: tuple = _unit("classes of each group (loss two_level)", ())
    label_smoothing: float = _unit("fraction of the target that is spread over all classes", 0.0)
    aux_weight: float = _unit("times the loss of each auxiliary head, added to the network's own", 0.3)
    precision: str = _unit("of multiplications: float32, or bf16 where the device has it", "float32")

    def __post_init__(self):
        for name, low in (("epochs", 1), ("batch_size", 1), ("patience", 0), ("crop_padding", 0), ("cutout", 0)):
            _check(name, getattr(self, name), int, low, math.inf)
        for name in ("lr", "weight_decay", "clip_norm", "pca_colour", "aux_weight"):
            _check(name, getattr(self, name), (int, float), 0, math.inf)
        _check("warmup", self.warmup, (int, float), 0, self.epochs)
        for name in ("momentum", "flip", "colour_jitter", "label_smoothing"):
            _check(name, getattr(self, name), (int, float), 0, 1)
        choices = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS, "nesterov": (False, True)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} (={getattr(self, name)!r}) must be one of {', '.join(map(str, allowed))}")
        for name in ("steps", "groups"):  # as JSON has them, and as a frozen recipe holds them
            object.__setattr__(self, name, tuple(map(tuple, getattr(self, name))))
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=True needs a momentum above 0")
        if bool(self.steps) != (self.schedule == "step"):
            raise ValueError(f"schedule (={self.schedule!r}) and steps (={self.steps}) do not fit: step needs steps")
        if any(len(step) != 2 or not 0 <= step[0] <= 1 or step[1] < 0 for step in self.steps):
            raise ValueError(f"steps (={self.steps}) must be pairs (share of the run from 0 to 1, part of lr)")
        self.loss_function()  # refuses what does not fit

    @classmethod
    def unit(cls, name: str) -> str:
        """Return the unit of a field."""
        return {item.name: item.metadata["unit"] for item in fields(cls)}[name]

    def lr_at(self, epoch: float, losses: Sequence[float] = ()) -> float:
        """Return the step size after `epoch` epochs (a fraction counts the batches): warm-up, then the schedule.

        constant: `lr`. step: `lr` times the part of the last of `steps` that has begun. cosine: from `lr` to 0.
        one-cycle: from `lr` / 25 up to `lr` at 30 % of the run, then down to `lr` / 250,000 (Smith and Topin 2017, with
        torch's numbers). plateau: a tenth each time that none of more than `patience` training losses in a row was
        smaller by 1/10,000 than the smallest before; `losses` are those of the finished epochs.
        """
        if epoch < self.warmup:
            return self.lr * epoch / self.warmup
        share = (epoch - self.warmup) / (self.epochs - self.warmup) if self.epochs > self.warmup else 0.0
        if self.schedule == "step":
            return self.lr * ([1.0] + [part for begin, part in sorted(self.steps) if share >= begin])[-1]
        if self.schedule == "cosine":
            return _cosine(self.lr, 0.0, share)
        if self.schedule == "one-cycle":
            low, peak = self.lr / 25, 0.3
            if share < peak:
                return _cosine(low, self.lr, share / peak)
            return _cosine(self.lr, low / 10_000, (share - peak) / (1 - peak))
        return self.lr * (0.1 ** _plateaus(losses, self.patience) if self.schedule == "plateau" else 1)

    def loss_function(self) -> Loss:
        """Return the loss of each image, as a function of logits and labels."""
        return loss_function(self.loss, label_smoothing=self.label_smoothing, groups=self.groups)

    def build_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's trainable parameters."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not parameters:
            raise ValueError("the model has no parameter with requires_grad=True: there is nothing to train")
        options = {"lr": self.lr, "weight_decay": self.weight_decay, "fused": _fused(parameters)}
        if self.optimizer == "adamw":
            return torch.optim.AdamW(parameters, **options)
        return torch.optim.SGD(parameters, momentum=self.momentum, nesterov=self.nesterov, **options)

    def describe(self) -> str:
        """Say the fields as name = value."""
        return ", ".join(f"{name} = {value}" for name, value in asdict(self).items())


def _fused(parameters) -> bool | None:
    """Return True where torch can update all parameters in one call, None (torch decides) elsewhere."""
    return True if all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters) else None


def _cosine(begin: float, end: float, share: float) -> float:
    """Return the place between two numbers after a share of half a cosine wave."""
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


def _plateaus(losses: Sequence[float], patience: int) -> int:
    """Return how often the losses stopped falling for more than `patience` epochs."""
    found, waited, best = 0, 0, math.inf
    for loss in losses:
        best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
        if waited > patience:
            found, waited = found + 1, 0
    return found


def _check(name, value, kind, low, high):
    kinds = "a whole number" if kind is int else "a number"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} (={value!r}) must be {kinds}, not {type(value).__name__}")
    if not low <= value <= high or not math.isfinite(value):
        above = f"from {low} to {high}" if math.isfinite(high) else f"at least {low} and finite"
        raise ValueError(f"{name} (={value}) must be {above}: {Recipe.unit(name)}")
