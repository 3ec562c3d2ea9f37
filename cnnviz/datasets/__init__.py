"""Data sets: a name in, an ImageSet out; and the published and measured numbers of data/."""

from dataclasses import replace

from cnnviz.datasets.cifar10 import cifar10
from cnnviz.datasets.digits import digits
from cnnviz.datasets.image_set import ImageSet
from cnnviz.datasets.mnist import fashion_mnist, mnist
from cnnviz.datasets.reference import PublishedNumber, measured, published
from cnnviz.datasets.shapes import draw_shapes, shapes
from cnnviz.datasets.stored import DatasetNotFoundError, find, not_found

DATASETS = {
    "digits": digits,
    "shapes": shapes,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
}
FALLBACKS = ("digits", "shapes")  # need no file and no network


def load_dataset(name: str, *, fallback: str | None = None, download: bool = True) -> ImageSet:
    """Return the data set called `name`: `digits` and `shapes` are always there, the others are read or downloaded.

    Args:
        name: one of DATASETS.
        fallback: "digits" or "shapes": taken, and said so in print and in the set's note, where `name` is neither on
            this machine nor can be downloaded.
        download: whether to download what no data folder has; the chapters do in the full profile only.

    Raises:
        ValueError: there is no such data set or fallback, or the file is damaged (then no fallback is taken).
        DatasetNotFoundError: (a FileNotFoundError) no file, no download and no fallback.
    """
    if name not in DATASETS:
        raise ValueError(f"there is no data set {name!r}; choose from {', '.join(DATASETS)}")
    if fallback not in (None, *FALLBACKS):
        raise ValueError(f"fallback (={fallback!r}) must be one of {', '.join(FALLBACKS)}, which need no download")
    try:
        if not (download or name in FALLBACKS or find(name)):
            raise not_found(name, "load_dataset was told download=False")
        return DATASETS[name]()
    except DatasetNotFoundError as error:
        if fallback is None:
            raise error.with_traceback(None) from None  # the message says it all
    except ValueError as error:
        raise error.with_traceback(None) from None
    instead = DATASETS[fallback]()
    note = f"{instead.note}, instead of {name}: no file and no {'network' if download else 'download'}"
    print(f"NOTE: this is not {name}. You see {note}.")
    return replace(instead, note=note)


__all__ = [
    "DATASETS",
    "DatasetNotFoundError",
    "ImageSet",
    "PublishedNumber",
    "draw_shapes",
    "load_dataset",
    "measured",
    "published",
]
