"""Data sets: a name in, an ImageSet out."""

from cnnviz.datasets.digits import digits
from cnnviz.datasets.image_set import ImageSet
from cnnviz.datasets.shapes import draw_shapes, shapes

DATASETS = {
    "digits": digits,
    "shapes": shapes,
}


def load_dataset(name: str, *, fallback: str | None = None) -> ImageSet:
    """Return the data set called `name`."""
    return DATASETS[name]()


__all__ = ["DATASETS", "ImageSet", "draw_shapes", "load_dataset", "shapes"]
