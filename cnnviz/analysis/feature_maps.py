"""What every channel of every layer answers to an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.analysis.hooks import capture, check_module


@dataclass(frozen=True)
class FeatureMaps:
    """The outputs of a network's layers for N images, in the order in which the layers run."""

    maps: dict[str, np.ndarray]  # layer name -> float32 [N, C, H, W]

    @property
    def names(self) -> tuple[str, ...]:
        """The layers, in the order in which they run."""
        return tuple(self.maps)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the maps of one layer, float32 [N, C, H, W]."""
        if name not in self.maps:
            raise ValueError(f"no feature maps of a layer {name!r}; there are {', '.join(self.maps)}")
        return self.maps[name]

    def describe(self) -> str:
        """Say how many maps of which size each layer has, and between which values they lie."""
        images = len(next(iter(self.maps.values())))
        layers = [
            f"{name} {channels} maps of {height} x {width} ({_span(self.maps[name])})"
            for name, (_, channels, height, width) in ((name, array.shape) for name, array in self.maps.items())
        ]
        return f"Feature maps of {images} image{'s' * (images != 1)}: {'; '.join(layers)}."


def feature_maps(model: nn.Module, images: Tensor, layers: Sequence[str] | None = None) -> FeatureMaps:
    """Return what each layer answers to each image: every layer whose output is a map, or the named `layers`.

    Works on any module. A layer that runs twice is there twice, as `relu` and `relu_1`.

    Args:
        model: runs in evaluation mode on the device where it is, and is left as it was, without hooks.
        images: float [N, C, H, W], normalised as in training.
        layers: names as in `model.named_modules()`; by default all layers without children that return a map.

    Raises:
        TypeError: the model is no nn.Module.
        ValueError: images of a wrong shape or type, or not finite, or of a size that the model does not take; an
            unknown layer, or one that does not return maps.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014, section 2.
    """
    check_module(model)
    images = _checked(images)
    device = next((parameter.device for parameter in model.parameters()), images.device)
    with capture(model, layers) as outputs:
        try:
            model(images.to(device))
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"{type(model).__name__} does not take images of shape {list(images.shape)}: {reason}"
            ) from None
    maps = {name: output.float().cpu().numpy() for name, output in outputs.items() if output.ndim == 4}
    others = {name: list(output.shape) for name, output in outputs.items() if output.ndim != 4}
    if layers is not None and others:
        name, shape = next(iter(others.items()))
        raise ValueError(f"layer {name} returns the shape {shape}, not maps [N, C, H, W]; choose a layer before it")
    if not maps:
        raise ValueError(f"no layer of {type(model).__name__} returns maps [N, C, H, W]: it has {', '.join(others)}")
    return FeatureMaps(maps)


def _checked(images: Tensor) -> Tensor:
    images = torch.as_tensor(images)
    if images.ndim != 4 or not images.numel():
        raise ValueError(f"images must be [N, C, H, W] with at least one image, got {list(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be normalised floats, got {images.dtype}; use data.normalise(images)")
    if not images.isfinite().all():
        raise ValueError(f"{int((~images.isfinite()).sum())} values of the images are not finite (NaN or infinite)")
    return images


def _span(array: np.ndarray) -> str:
    finite = array[np.isfinite(array)]
    lost = "" if finite.size == array.size else f", {array.size - finite.size} not finite"
    return (f"{finite.min():.2f} to {finite.max():.2f}" if finite.size else "no number") + lost
