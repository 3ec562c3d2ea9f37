"""Training images that live on the device, shuffled and augmented a batch at a time; no worker processes."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.datasets import ImageSet
from cnnviz.training.augmentation import Augmentation
from cnnviz.training.recipe import Recipe


class Batches:
    """Normalised batches of a training set. An epoch depends on the seed that it is given and on nothing else.

    Of several processes that train together each takes its part of every batch: number `process` of `processes`.

    Raises:
        ValueError: a batch has fewer images than there are processes.
    """

    def __init__(self, data: ImageSet, recipe: Recipe, device: torch.device, process: int = 0, processes: int = 1):
        padding, (_, height, width) = recipe.crop_padding, data.image_shape
        padded = F.pad(data.x_train.to(device), (padding,) * 4)
        # A view, no copy: every crop of every image, N, C, 2 * padding + 1, 2 * padding + 1, height, width.
        self._crops = padded.unfold(2, height, 1).unfold(3, width, 1)
        self._labels = data.y_train.to(device)
        self._recipe, self._augmentation = recipe, Augmentation(data, recipe, device)
        self._starts = range(0, len(self._labels), recipe.batch_size)
        if len(self._starts) > 1 and len(self._labels) % recipe.batch_size == 1:
            self._starts = self._starts[:-1]  # batch normalisation cannot train on one image
        self.sizes = [min(recipe.batch_size, len(self._labels) - start) for start in self._starts]  # of whole batches
        self._process, self._processes = process, processes
        if min(self.sizes) < processes:
            raise ValueError(
                f"{processes} processes cannot share a batch of {min(self.sizes)} images; {len(self._labels):,} images "
                f"in batches of batch_size (={recipe.batch_size}) have one: choose another batch_size"
            )

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._starts)

    def epoch(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield float32 images [B, C, H, W] and int64 labels [B], each training image once, in the order of `seed`.

        What is random is drawn for all images, so that processes see together what one would see alone.
        """
        generator = torch.Generator().manual_seed(seed)  # on the cpu, so that all devices see the same images
        count, device, places = len(self._labels), self._labels.device, 2 * self._recipe.crop_padding + 1
        order = torch.randperm(count, generator=generator).to(device)
        rows, columns = torch.randint(places, (2, count), generator=generator).to(device)
        change = self._augmentation.epoch(generator)
        for start, size in zip(self._starts, self.sizes, strict=True):
            first, end = (start + size * part // self._processes for part in (self._process, self._process + 1))
            batch = slice(first, end)
            images = self._crops[order[batch], :, rows[batch], columns[batch]]
            yield change(images, batch), self._labels[order[batch]]
