"""scikit-learn's handwritten digits, enlarged: real images that need no download."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from cnnviz.datasets.image_set import ImageSet

TEST_IMAGES = 360  # the last fifth: the set is ordered by writer, so most of its writers are not in the training part


def digits() -> ImageSet:
    """Return 1,437 + 360 handwritten digits, 1 x 28 x 28.

    The originals have 8 x 8 pixels with 17 grey levels. As in MNIST, the digit fills the 20 x 20 pixels in the middle.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (test part), 1998.
    """
    bunch = load_digits()
    small = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16 * 255  # N, 1, 8, 8
    large = F.interpolate(small, size=(20, 20), mode="bicubic", align_corners=False)
    images = F.pad(large, (4, 4, 4, 4)).clamp(0, 255).round().to(torch.uint8)  # N, 1, 28, 28
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    return ImageSet(
        name="digits",
        x_train=images[:-TEST_IMAGES],
        y_train=labels[:-TEST_IMAGES],
        x_test=images[-TEST_IMAGES:],
        y_test=labels[-TEST_IMAGES:],
        class_names=tuple(str(digit) for digit in range(10)),
        note="scikit-learn's digits, 8 x 8 pixels enlarged to 28 x 28",
    )
