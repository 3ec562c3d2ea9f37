"""Data sets: a name in, an ImageSet out."""

from cnnviz.datasets.digits import digits
from cnnviz.datasets.image_set import ImageSet
from cnnviz.datasets.reference import PublishedNumber, measured, published
from cnnviz.datasets.shapes import draw_shapes, shapes

DATASETS = {
    "digits": digits,
    "shapes": shapes,
}


def load_dataset(name: str, *, fallback: str | None = None) -> ImageSet:
    """Return the data set called `name`."""
    return DATASETS[name]()


__all__ = ["DATASETS", "ImageSet", "PublishedNumber", "draw_shapes", "load_dataset", "measured", "published"]
