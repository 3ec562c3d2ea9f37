"""CIFAR-10: 50,000 + 10,000 colour photos of 32 x 32 pixels in 10 classes."""

from pathlib import Path

import numpy as np

from cnnviz.datasets.image_set import ImageSet
from cnnviz.datasets.stored import stored


def cifar10() -> ImageSet:
    """Return CIFAR-10 (Krizhevsky, Learning multiple layers of features from tiny images, 2009)."""
    return stored("cifar10", 171, _download)


def _download(folder: Path) -> dict[str, np.ndarray]:
    """Fetch torchvision's CIFAR-10, checksums included; images uint8 [N, 32, 32, 3], labels int64 [N]."""
    from torchvision.datasets import CIFAR10  # a second to import, and needed once

    train, test = (CIFAR10(folder, train=train, download=True) for train in (True, False))
    return {
        "x_train": train.data,
        "y_train": np.array(train.targets, np.int64),
        "x_test": test.data,
        "y_test": np.array(test.targets, np.int64),
        "class_names": np.array(train.classes),
    }
