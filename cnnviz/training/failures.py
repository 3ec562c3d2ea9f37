"""A gallery of failures: each can be switched on, seen in its signals, and repaired."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from cnnviz.datasets import ImageSet
from cnnviz.models.laboratory import LabNet
from cnnviz.training.fit import Run, fit
from cnnviz.training.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=32, lr=0.02, momentum=0.9, schedule="constant")
NETWORK = {"channels": (8, 16, 32), "head": "flatten"}
DEEP = {"norm": False, "kernel_sizes": (3, 3)}  # six layers, and nothing that keeps the scale of their maps


@dataclass(frozen=True)
class Failure:
    """One thing that goes wrong; everything else is as in the repaired run."""

    cause: str  # what was done
    repair: str  # what to do instead
    diagnosis: str  # the name under which `diagnoses` finds it
    options: Mapping = field(default_factory=dict)  # of the network, also of the repaired one
    wrong: Mapping = field(default_factory=dict)  # options of the network that fails
    spoil: Callable[[nn.Module], nn.Module] | None = None  # the untrained network
    spoil_data: Callable[[ImageSet], ImageSet] | None = None
    recipe: Mapping = field(default_factory=dict)  # fields of the recipe that are wrong


def failing_run(name: str, data: ImageSet, *, seed: int = 0, repaired: bool = False, **options) -> Run:
    """Return a run of a small network that fails as `FAILURES[name]` says, or the same run repaired.

    Args:
        name: one of FAILURES.
        data: any set of images of at least 8 pixels; a few hundred are enough.
        seed: of weights and run.
        repaired: do it right.
        options: of `fit`.

    Raises:
        ValueError: there is no such failure; the message lists those that there are.
    """
    if name not in FAILURES:
        raise ValueError(f"there is no failure {name!r}; choose from {', '.join(FAILURES)}")
    failure = FAILURES[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        channels, height, _ = data.image_shape
        chosen = NETWORK | failure.options | ({} if repaired else failure.wrong)
        model, recipe = LabNet(data.num_classes, channels, image_size=height, **chosen), RECIPE
        if not repaired:
            model = failure.spoil(model) if failure.spoil else model
            data = failure.spoil_data(data) if failure.spoil_data else data
            recipe = replace(recipe, **failure.recipe)
    return fit(model, data, recipe, seed=seed, **options)


def _weights(draw: Callable[[Tensor], object]) -> Callable[[nn.Module], nn.Module]:
    """Return what draws all weights anew and sets all biases to 0."""

    def spoil(model: nn.Module) -> nn.Module:
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                draw(layer.weight)
                nn.init.zeros_(layer.bias)
        return model

    return spoil


def lecture_uniform(weight: Tensor) -> Tensor:
    """Draw from U(0, 1) / sqrt(n), n the inputs of a unit, as the lectures' slide has it: all weights positive."""
    with torch.no_grad():
        return weight.uniform_(0, 1).div_(weight[0].numel() ** 0.5)


def small_normal(weight: Tensor) -> Tensor:
    """Draw from a normal distribution with deviation 0.01, the slide on which the activations vanish."""
    return nn.init.normal_(weight, std=0.01)


class _AlwaysTraining(nn.Module):
    """A network whose eval() has no effect."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> nn.Module:
        return super().train(True)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class _Pixels(ImageSet):
    """Images that go into the network as they are, from 0 to 255."""

    def standardise(self, pixels: Tensor) -> Tensor:
        return 255 * pixels


def _as_pixels(data: ImageSet) -> ImageSet:
    return _Pixels(**{name: getattr(data, name) for name in data.__dataclass_fields__})


def _shuffled_labels(data: ImageSet) -> ImageSet:
    return replace(data, y_train=data.y_train[torch.randperm(len(data.y_train))])


def _leaked(data: ImageSet) -> ImageSet:
    """Put the test images among those for training."""
    pairs = ((data.x_train, data.x_test), (data.y_train, data.y_test))
    images, labels = (torch.cat(pair) for pair in pairs)
    return replace(data, x_train=images, y_train=labels)


def _shut(model: nn.Module) -> nn.Module:
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.bias[: 3 * len(layer.bias) // 4], -10)
    return model


FAILURES = {
    "learning rate too high": Failure(
        "a learning rate of 3", "a hundredth of it", "learning rate too high", recipe={"lr": 3.0}
    ),
    "learning rate too low": Failure(
        "a learning rate of 0.000003", "ten thousand times as much", "learning rate too low", recipe={"lr": 3e-6}
    ),
    "all zeros": Failure(
        "every weight begins with 0", "He's deviation, the root of 2 / inputs", "zero weights",
        {"norm": False}, spoil=_weights(nn.init.zeros_),
    ),
    "positive weights": Failure(
        "weights from U(0, 1) / sqrt(n), as on the lectures' slide", "He's deviation, on both sides of 0",
        "activations explode", DEEP, spoil=_weights(lecture_uniform),
    ),
    "variance vanishes": Failure(
        "weights of deviation 0.01 and tanh, as on the lectures' slide", "a deviation that keeps the variance",
        "activations vanish", DEEP | {"activation": "tanh"}, spoil=_weights(small_normal),
    ),
    "deep without normalisation": Failure(
        "18 layers with torch's own first weights, not normalised", "batch normalisation",
        "activations vanish", {"kernel_sizes": (3,) * 6}, {"norm": False},
        spoil=_weights(lambda weight: nn.init.kaiming_uniform_(weight, a=5**0.5)),
    ),
    "dead ReLUs": Failure(
        "three filters of four have a bias of -10, as after one step that was far too long", "biases of 0",
        "dead ReLUs", {"norm": False}, spoil=_shut,
    ),
    "evaluation in training mode": Failure(
        "dropout that eval() does not switch off", "model.eval() before it is tested", "evaluation in training mode",
        {"dropout": 0.5}, spoil=_AlwaysTraining,
    ),
    "input not normalised": Failure(
        "pixels from 0 to 255", "(pixels - mean) / deviation", "input not normalised", {"norm": False},
        spoil_data=_as_pixels,
    ),
    "labels shuffled": Failure(
        "images and labels were shuffled apart", "shuffle both with one order", "labels do not fit",
        spoil_data=_shuffled_labels,
    ),
    "test data leaked": Failure(
        "the test images are among those for training", "split before anything else", "test data leaked",
        spoil_data=_leaked,
    ),
}  # fmt: skip
