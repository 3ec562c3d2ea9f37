"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28 pixels in 10 classes."""

from pathlib import Path

import numpy as np

from cnnviz.datasets.image_set import ImageSet
from cnnviz.datasets.stored import stored

DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def mnist() -> ImageSet:
    """Return MNIST, handwritten digits (LeCun, Cortes and Burges, 1998)."""
    return stored("mnist", 12, lambda folder: _download("MNIST", folder, DIGITS))


def fashion_mnist() -> ImageSet:
    """Return Fashion-MNIST, articles of clothing (Xiao, Rasul and Vollgraf, 2017)."""
    return stored("fashion_mnist", 31, lambda folder: _download("FashionMNIST", folder, CLOTHES))


def _download(source: str, folder: Path, class_names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Fetch one of torchvision's MNIST-like sets, checksums included; images uint8 [N, 28, 28], labels int64 [N]."""
    import torchvision.datasets  # a second to import, and needed once

    train, test = (getattr(torchvision.datasets, source)(folder, train=train, download=True) for train in (True, False))
    return {
        "x_train": train.data.numpy(),
        "y_train": train.targets.numpy(),
        "x_test": test.data.numpy(),
        "y_test": test.targets.numpy(),
        "class_names": np.array(class_names),
    }
