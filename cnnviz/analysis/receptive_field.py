"""Which part of the image a number of a layer depends on: at most, by arithmetic; and how strongly, by gradients."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.analysis.evaluate import check_images, device_of
from cnnviz.analysis.hooks import check_module, untouched
from cnnviz.analysis.pixel_fields import Axis, pixel_fields
from cnnviz.analysis.trace import InputSize, as_inputs, trace

LEAST_IMAGES = 50  # one image's gradients follow that image; the mean over many shows the field
COUNTS = 1 - 0.9545  # of the largest gradient: two standard deviations, as in Luo et al., section 3


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The pixels that the number in the centre of a layer's map depends on."""

    model: str
    layer: str
    image_size: tuple[int, ...]  # pixels along each axis
    position: tuple[int | None, ...]  # of the number in its map; None along an axis that the layer has no more
    first: tuple[int, ...] | None  # first and last pixel; negative and beyond the image where padding counts;
    last: tuple[int, ...] | None  # None if the arithmetic does not know one of the layer's functions
    jump: tuple[float, ...] | None  # pixels from one number of the map to the next
    effective: np.ndarray | None  # float64 [H, W]: mean absolute gradient, the largest is 1; None without images
    images: int  # over which the mean goes

    @property
    def size(self) -> tuple[int, ...] | None:
        """Pixels along each axis of the theoretical field."""
        if self.first is None:
            return None
        return tuple(last - first + 1 for first, last in zip(self.first, self.last, strict=True))

    @property
    def effective_size(self) -> float | None:
        """Side of a square with as many pixels as have more than 4.55 % of the largest gradient."""
        return None if self.effective is None else float(np.sqrt((self.effective > COUNTS).sum()))

    def describe(self) -> str:
        """Say both sizes in a sentence."""
        size = "not known" if self.size is None else f"{_times(self.size)} pixels"
        text = f"{self.model}, {self.layer}: receptive field {size}"
        if self.jump is not None:
            text += f", {_times(self.jump)} from one to the next"
        if self.effective is not None:
            side = self.effective_size
            text += f"; effective {side:.0f} x {side:.0f} (mean absolute gradient over {self.images} images)"
        return f"{text}; images of {_times(self.image_size)}."

    def __repr__(self) -> str:
        return self.describe()


def receptive_field(
    model: nn.Module,
    layer: str,
    images: Tensor | None = None,
    *,
    input_size: InputSize = None,
    batch_size: int = 10,
) -> ReceptiveField:
    """Return the pixels that the number in the centre of a layer's map depends on.

    The theoretical field follows every branch and shortcut from the image to the layer, and goes on where padding is.
    The effective one is the gradient of the number, summed over channels, with respect to each pixel: its absolute
    value, summed over the colours, averaged over the images. With a trained and an untrained model it shows what
    training does to it.

    Args:
        model: any module; it is left as it was.
        layer: name as in `model.named_modules()`; of a layer that runs twice, the first run.
        images: float32 [N, C, H, W] with N at least 50, normalised; None for the theoretical field alone.
        input_size: as for `layer_table`; by default that of the images, or the model's own.
        batch_size: images at a time.

    Raises:
        TypeError: model, images or input_size are of a wrong type.
        ValueError: no such layer, or it does not run; too few images; a size that the model does not take.

    Source: W. Luo, Y. Li, R. Urtasun and R. Zemel, Understanding the Effective Receptive Field in Deep Convolutional
    Neural Networks, 2016.
    """
    check_module(model)
    names = [name for name, _ in model.named_modules() if name]
    if layer not in names:
        raise ValueError(f"{type(model).__name__} has no layer {layer!r}; its layers are {', '.join(names)}")
    if images is not None:
        check_images(images)
        if len(images) < LEAST_IMAGES:
            raise ValueError(f"{len(images)} images are too few for a mean gradient; give at least {LEAST_IMAGES}")
        input_size = tuple(images.shape[1:])
    record = trace(model, as_inputs(model, input_size))
    if not record.outputs.get(layer):
        raise ValueError(f"{layer} does not run in {type(model).__name__} in evaluation mode, or returns no tensor")
    [output, *_] = record.outputs[layer]
    field = pixel_fields(record).get(id(output))
    places = [None if axis.dim is None else output.shape[axis.dim] // 2 for axis in field or ()]
    return ReceptiveField(
        model=type(model).__name__,
        layer=layer,
        image_size=tuple(record.inputs[0].shape[2:]),
        position=tuple(places),
        first=_pixels(field, places, "first"),
        last=_pixels(field, places, "last"),
        jump=tuple(axis.jump for axis in field) if field and all(axis.jump for axis in field) else None,
        effective=None if images is None else _effective(model, layer, images, batch_size),
        images=0 if images is None else len(images),
    )


def _pixels(field: tuple[Axis, ...] | None, places: list[int | None], end: str) -> tuple[int, ...] | None:
    if not field:
        return None
    return tuple(int(getattr(axis, end)[place or 0]) for axis, place in zip(field, places, strict=True))


def _effective(model: nn.Module, layer: str, images: Tensor, batch_size: int) -> np.ndarray:
    """Return the mean over images of the absolute gradient, [H, W], the largest 1."""
    total = torch.zeros(images.shape[2:], dtype=torch.float64)
    with untouched(model), torch.enable_grad(), _centre_of(model.get_submodule(layer)) as centres:
        for batch in images.split(batch_size):
            pixels = batch.to(device_of(model)).requires_grad_()
            centres.clear()
            model(pixels)
            [gradient] = torch.autograd.grad(centres[0], pixels)
            total += gradient.abs().sum((0, 1)).double().cpu()
    if not total.any():
        raise ValueError(f"every gradient at the centre of {layer} is 0: its numbers do not change with the images")
    return (total / total.max()).numpy()


@contextmanager
def _centre_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, at every run of the layer, the sum over channels of what it returns in the centre of its map."""
    centres: list[Tensor] = []

    def keep(module: nn.Module, args: tuple, output: Tensor) -> None:
        middle = tuple(size // 2 for size in output.shape[2:])
        centres.append(output[:, :, *middle].sum())  # at once: an in-place ReLU may overwrite the output

    handle = layer.register_forward_hook(keep)
    try:
        yield centres
    finally:
        handle.remove()


def _times(sizes: tuple) -> str:
    return " x ".join(f"{size:g}" for size in sizes)
