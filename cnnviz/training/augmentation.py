"""Changes of the training images that keep their class, on the device, a batch at a time.

Every random number of an epoch is drawn for the whole epoch before its first batch, on the processor: so all devices
see the same images, a batch that is split sees what the whole batch would have seen, and a run that goes on sees what
it would have seen without the pause.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from cnnviz.datasets import ImageSet
from cnnviz.training.recipe import Recipe

GREY = (0.299, 0.587, 0.114)  # parts of red, green and blue in brightness (ITU-R BT.601)

Change = Callable[[Tensor, slice], Tensor]  # of images [B, C, H, W], which are this slice of the epoch


class Augmentation:
    """What a recipe does to images after they were cropped: mirror them, change their colours, cut squares out."""

    def __init__(self, data: ImageSet, recipe: Recipe, device: torch.device):
        self._data, self._recipe, self._device = data, recipe, device
        self._colours = colour_components(data) if recipe.pca_colour else None

    def epoch(self, generator: Generator) -> Change:
        """Draw the numbers of an epoch; return the change from uint8 images to normalised float32 ones."""
        recipe, count = self._recipe, len(self._data.x_train)
        mirror = self._mirror(torch.rand(count, generator=generator)) if recipe.flip else None
        colours = []
        if recipe.colour_jitter:
            colours.append(self._jitter(torch.rand(count, 3, generator=generator)))
        if recipe.pca_colour:
            colours.append(self._shift(torch.randn(count, self._data.image_shape[0], generator=generator)))
        cut = self._cut(torch.rand(count, 2, generator=generator)) if recipe.cutout else None

        def change(images: Tensor, batch: slice) -> Tensor:
            if mirror:
                images = mirror(images, batch)
            if colours:
                pixels = images.float() / 255
                for colour in colours:
                    pixels = colour(pixels, batch)
                images = self._data.standardise(pixels)
            else:
                images = self._data.normalise(images)
            return cut(images, batch) if cut else images

        return change

    def _mirror(self, drawn: Tensor) -> Change:
        mirrored = (drawn < self._recipe.flip).to(self._device)
        return lambda images, batch: torch.where(mirrored[batch, None, None, None], images.flip(3), images)

    def _jitter(self, drawn: Tensor) -> Change:
        """Brightness, then contrast, then (of colour images) saturation, each times a number around 1."""
        factors = (1 + self._recipe.colour_jitter * (2 * drawn - 1)).to(self._device)

        def jitter(pixels: Tensor, batch: slice) -> Tensor:
            brightness, contrast, saturation = factors[batch, :, None, None, None].unbind(1)
            pixels = (pixels * brightness).clamp(0, 1)
            mean = _grey(pixels).mean((1, 2, 3), keepdim=True)
            pixels = (mean + contrast * (pixels - mean)).clamp(0, 1)
            grey = _grey(pixels)
            return (grey + saturation * (pixels - grey)).clamp(0, 1)

        return jitter

    def _shift(self, drawn: Tensor) -> Change:
        """One colour for each image, added to all its pixels (Krizhevsky et al. 2012, section 4.1).

        The paper multiplies the random numbers by the eigenvalues, which are variances: what comes out depends on the
        unit of a pixel, and the paper does not say it. Their roots do not depend on it.
        """
        variances, directions = self._colours
        colours = ((self._recipe.pca_colour * drawn * variances.sqrt()) @ directions.T).to(self._device)
        return lambda pixels, batch: pixels + colours[batch, :, None, None]

    def _cut(self, drawn: Tensor) -> Change:
        """A square becomes 0, the mean colour; its centre is any pixel, so that near the border part of it is outside.

        DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017.
        """
        _, height, width = self._data.image_shape
        centres = (drawn * torch.tensor([height, width])).long().to(self._device)
        rows, columns = torch.arange(height, device=self._device), torch.arange(width, device=self._device)

        def cut(images: Tensor, batch: slice) -> Tensor:
            row = _within(rows, centres[batch, 0], self._recipe.cutout)
            column = _within(columns, centres[batch, 1], self._recipe.cutout)
            return images.masked_fill(row[:, None, :, None] & column[:, None, None, :], 0)

        return cut


def colour_components(data: ImageSet) -> tuple[Tensor, Tensor]:
    """Return the variances [C] of the colours of the training pixels, and the directions [C, C], one a column, of them.

    Eigenvalues, smallest first, and eigenvectors of the covariance of the channels of `x_train / 255` over all pixels;
    float32.
    """
    channels = data.x_train.transpose(0, 1).flatten(1)  # C, N*H*W
    products = sum(part.double() @ part.double().T for part in channels.split(1_000_000, 1))
    mean = data.mean.double()
    variances, directions = torch.linalg.eigh(products / channels.shape[1] / 255**2 - mean[:, None] * mean)
    return variances.clamp(min=0).float(), directions.float()


def _grey(pixels: Tensor) -> Tensor:
    """Return the brightness [B, 1, H, W] of colour images, and others as they are."""
    return (pixels * pixels.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True) if pixels.shape[1] == 3 else pixels


def _within(places: Tensor, centres: Tensor, size: int) -> Tensor:
    """Return [B, places]: which places are among the `size` around each centre (of an even number, one more before)."""
    first = centres[:, None] - size // 2
    return (places >= first) & (places < first + size)
