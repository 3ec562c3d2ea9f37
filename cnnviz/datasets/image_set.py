"""The one form in which every image data set arrives."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled images for training and for testing.

    Raises:
        TypeError, ValueError: when built from tensors of a wrong dtype, shape, length or label range.
    """

    name: str
    x_train: Tensor  # uint8 [N, C, H, W], 0 to 255
    y_train: Tensor  # int64 [N], 0 to num_classes - 1
    x_test: Tensor  # uint8 [M, C, H, W]
    y_test: Tensor  # int64 [M]
    class_names: tuple[str, ...]
    note: str = ""  # what must be said wherever results on this set are shown

    def __post_init__(self):
        object.__setattr__(self, "class_names", tuple(self.class_names))
        for part in ("train", "test"):
            _check_images(f"x_{part}", getattr(self, f"x_{part}"))
            _check_labels(f"y_{part}", getattr(self, f"y_{part}"), getattr(self, f"x_{part}"), self.num_classes)
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            shapes = tuple(self.x_train.shape[1:]), tuple(self.x_test.shape[1:])
            raise ValueError("x_train has images of shape {} and x_test of shape {}; they must agree".format(*shapes))

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one image."""
        return tuple(self.x_train.shape[1:])

    @cached_property
    def mean(self) -> Tensor:
        """Mean of each channel of `x_train / 255`: float32 [C]."""
        return self._moments[0]

    @cached_property
    def std(self) -> Tensor:
        """Standard deviation of each channel of `x_train / 255` over all its pixels: float32 [C]."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation from a histogram of the 256 grey levels: exact, and no float copy of the set."""
        channels = self.x_train.transpose(0, 1).flatten(1)  # C, N*H*W
        counts = torch.stack([torch.bincount(channel, minlength=256) for channel in channels]).double()
        levels = torch.arange(256, dtype=torch.float64) / 255
        share = counts / counts.sum(1, keepdim=True)
        mean = share @ levels
        variance = (share * (levels - mean[:, None]) ** 2).sum(1)
        return mean.float(), variance.sqrt().float()

    @cached_property
    def leaked(self) -> float:
        """Fraction of the test images that are also, pixel for pixel, training images."""
        train, test = (map(bytes, images.flatten(1).cpu().numpy()) for images in (self.x_train, self.x_test))
        train = set(train)
        return sum(image in train for image in test) / len(self.x_test)

    def normalise(self, images: Tensor) -> Tensor:
        """Return uint8 images [..., C, H, W] as float32, `(images / 255 - mean) / std` channel by channel."""
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be uint8 (0 to 255), not {images.dtype}; they may be normalised already")
        return self.standardise(images.float() / 255)

    def standardise(self, pixels: Tensor) -> Tensor:
        """Return float32 images [..., C, H, W] from 0 to 1 as `(pixels - mean) / std`, channel by channel."""
        mean, std = (moment.to(pixels.device)[:, None, None] for moment in (self.mean, self.std))
        return (pixels - mean) / std.clamp(min=1 / 255)  # a constant channel becomes 0, not NaN

    def subset(self, train: int | None = None, test: int | None = None) -> "ImageSet":
        """Return the set with only `train` and `test` images, evenly spaced over the whole; None keeps all."""
        x_train, y_train = _evenly(self.x_train, self.y_train, train, "train")
        x_test, y_test = _evenly(self.x_test, self.y_test, test, "test")
        parts = (x_train, self.x_train, "training"), (x_test, self.x_test, "test")
        said = [f"{len(few):,} of {len(all_):,} {part} images" for few, all_, part in parts if len(few) < len(all_)]
        note = "; ".join(filter(None, [self.note, *said]))
        return replace(self, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test, note=note)

    def halved(self) -> "ImageSet":
        """Return the set with images of half the height and width: each pixel the mean of 2 x 2, rounded.

        A last odd row or column is left out. A quarter of the pixels costs about a quarter of the time.
        """
        height, width = (side // 2 for side in self.image_shape[1:])
        if 0 in (height, width):
            raise ValueError(f"images of {self.image_shape[1]} x {self.image_shape[2]} pixels cannot be halved")
        x_train, x_test = (F.avg_pool2d(images.float(), 2).round().byte() for images in (self.x_train, self.x_test))
        note = "; ".join(filter(None, [self.note, f"images halved to {height} x {width} pixels"]))
        return replace(self, x_train=x_train, x_test=x_test, note=note)

    def describe(self) -> str:
        """Say in a sentence or two what the set holds."""
        shape = " x ".join(map(str, self.image_shape))
        mean, std = (", ".join(f"{value:.3f}" for value in moment.tolist()) for moment in (self.mean, self.std))
        text = (
            f"{self.name}: {len(self.x_train):,} training and {len(self.x_test):,} test images of {shape} "
            f"in {self.num_classes} classes ({', '.join(self.class_names)}); mean {mean}, standard deviation {std}."
        )
        return f"{text} Note: {self.note}." if self.note else text

    def __repr__(self) -> str:
        return self.describe()


def _check_images(name: str, images: Tensor) -> None:
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(
            f"{name} must be a uint8 tensor (0 to 255), not {kind}; NaN and other floats have no place in it"
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"{name} must have the shape N, C, H, W with none of them 0, not {tuple(images.shape)}")


def _check_labels(name: str, labels: Tensor, images: Tensor, num_classes: int) -> None:
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        raise TypeError(f"{name} must be an int64 tensor, not {kind}")
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{name} must hold one label for each of {len(images)} images, its shape is {tuple(labels.shape)}"
        )
    low, high = labels.min().item(), labels.max().item()
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{name} holds labels from {low} to {high}; {num_classes} classes allow 0 to {num_classes - 1}"
        )


def _evenly(images: Tensor, labels: Tensor, count: int | None, part: str) -> tuple[Tensor, Tensor]:
    """Return `count` images and labels, evenly spaced, so that a set sorted by class keeps all its classes."""
    if count is None:
        return images, labels
    if not 1 <= count <= len(images):
        raise ValueError(f"{part} (={count}) must lie between 1 and the {len(images)} {part} images that there are")
    chosen = torch.arange(count) * len(images) // count
    return images[chosen], labels[chosen]
