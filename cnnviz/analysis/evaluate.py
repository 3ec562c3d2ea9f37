"""How well a classifier does: loss, top-k error, confusions, predictions."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.analysis.hooks import check_module, untouched
from cnnviz.analysis.losses import Loss, loss_function

NOT_THE_LEARNERS = str(Path(__file__).parents[1]), str(Path(torch.__file__).parent)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a classifier made of labelled images."""

    loss: float  # mean over the images: cross-entropy in nats, unless another loss was asked for
    error: dict[int, float]  # for each k, the fraction of images whose label is not among the k largest logits
    confusion: np.ndarray  # int64 [num_classes, num_classes], images by [true, predicted] class
    predictions: np.ndarray  # int64 [N], class of the largest logit

    def describe(self) -> str:
        """Say loss and errors in a sentence."""
        errors = ", ".join(f"top-{k} error {100 * error:.2f} %" for k, error in self.error.items())
        return f"{len(self.predictions):,} images: mean loss {self.loss:.4f}, {errors}."

    def __repr__(self) -> str:
        return self.describe()


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    topk: Sequence[int] = (1, 5),
    loss: Loss | None = None,
    batch_size: int = 1000,
) -> Evaluation:
    """Run a classifier over labelled images, in evaluation mode and without gradients; the model stays as it was.

    Args:
        model: takes [N, C, H, W], returns logits [N, num_classes].
        images: float32 [N, C, H, W], normalised (`ImageSet.normalise`), on any device.
        labels: int64 [N], 0 to num_classes - 1.
        topk: the k of the errors; with no more than k classes the top-k error is 0.
        loss: of each image, from logits and labels (`loss_function`); cross-entropy by default.
        batch_size: images at a time.

    Raises:
        TypeError, ValueError: dtypes or shapes do not fit, a pixel is not finite, a label is out of range, the model
            does not take such images; the message names what was given and what is allowed.
    """
    check_images(images)
    if min((*topk, batch_size)) < 1:
        raise ValueError(f"topk (={tuple(topk)}) and batch_size (={batch_size}) must be at least 1")
    check_fit(model, images[:1], labels, len(images))
    device = device_of(model)
    with untouched(model):
        parts = [
            _evaluate_batch(model(x.to(device)), y.to(device), topk, loss or loss_function())
            for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
        ]
    losses, hits, predictions, classes = zip(*parts, strict=True)
    predictions = torch.cat(predictions).cpu()
    pairs = torch.bincount(labels.cpu() * classes[0] + predictions, minlength=classes[0] ** 2)
    return Evaluation(
        loss=sum(losses).item() / len(images),
        error={k: (len(images) - count) / len(images) for k, count in zip(topk, sum(hits).tolist(), strict=True)},
        confusion=pairs.reshape(classes[0], classes[0]).numpy(),
        predictions=predictions.numpy(),
    )


def _evaluate_batch(
    logits: Tensor, labels: Tensor, topk: Sequence[int], loss: Loss
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return the sum of the losses, the hits for each k, the predictions and the number of classes."""
    best = logits.topk(min(max(topk), logits.shape[1])).indices  # N, k, best first
    hit = best == labels[:, None]
    hits = torch.stack([hit[:, :k].sum() for k in topk])
    return loss(logits, labels).sum(), hits, best[:, 0], logits.shape[1]


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's first parameter; cpu for a model without parameters."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def check_images(images: Tensor) -> None:
    """Raise unless `images` are float32 [N, C, H, W], at least one, and finite."""
    if not isinstance(images, Tensor) or images.dtype != torch.float32:
        raise TypeError(f"images must be a normalised float32 tensor, not {_kind(images)}; use ImageSet.normalise")
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must have the shape N, C, H, W with N at least 1, not {tuple(images.shape)}")
    broken = sum((~batch.isfinite()).flatten(1).any(1).sum().item() for batch in images.split(1000))
    if broken:
        raise ValueError(f"{broken} of {len(images)} images hold NaN or infinity; every pixel must be finite")


def check_fit(model: nn.Module, image: Tensor, labels: Tensor, count: int) -> None:
    """Raise unless the model takes `image` [1, C, H, W] and its logits have a class for each of `count` labels."""
    check_module(model)
    with untouched(model):
        try:
            logits = model(image.to(device_of(model)))
        except ValueError as error:
            if _in_the_learners_code(error):
                raise
            raise error.with_traceback(None) from None  # one of our models: its message says it all
        except RuntimeError as error:  # torch's: a layer does not take this shape or type
            raise ValueError(_refusal(model, image, error)) from (error if _in_the_learners_code(error) else None)
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"the model must return a tensor of logits N, num_classes, not {_kind(logits)}; what does forward return?"
        )
    if logits.ndim != 2 or len(logits) != 1:
        raise ValueError(f"the model must return logits N, num_classes; for one image it gave {tuple(logits.shape)}")
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        raise TypeError(f"labels must be an int64 tensor, not {_kind(labels)}")
    if labels.shape != (count,):
        raise ValueError(f"labels must hold one label for each of {count} images; the shape is {tuple(labels.shape)}")
    low, high, classes = labels.min().item(), labels.max().item(), logits.shape[1]
    if low < 0 or high >= classes:
        raise ValueError(f"labels run from {low} to {high}; the model's {classes} logits allow 0 to {classes - 1}")


def _refusal(model: nn.Module, image: Tensor, error: RuntimeError) -> str:
    """Say why torch refuses the image."""
    reason = str(error).splitlines()[0]
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.dtype != image.dtype:
            return f"the model's weights are {parameter.dtype}, images are {image.dtype} ({reason}); say model.float()"
    shape = " x ".join(map(str, image.shape[1:]))
    return f"the model does not take images of shape {shape} ({reason}); give it images of its own input size"


def _in_the_learners_code(error: Exception) -> bool:
    """Return whether a line outside cnnviz and torch led to the error: then its traceback is worth keeping."""
    return any(not frame.filename.startswith(NOT_THE_LEARNERS) for frame in traceback.extract_tb(error.__traceback__))


def _kind(value) -> str:
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
