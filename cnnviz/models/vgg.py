"""VGG-11, 13, 16 and 19: nothing but 3 x 3 convolutions, stacked, with or without batch normalisation.

K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015
(arXiv:1409.1556), table 1: VGG-11 is its column A, 13 B, 16 D and 19 E. A row below gives the 3 x 3 convolutions of a
stage, which ends with 2 x 2 pooling, and its parameters.

| stage  | output         | VGG-11       | VGG-13       | VGG-16       | VGG-19       |
| ------ | -------------- | ------------ | ------------ | ------------ | ------------ |
| stage1 | 64 x 112 x 112 | 1: 1,792     | 2: 38,720    | 2: 38,720    | 2: 38,720    |
| stage2 | 128 x 56 x 56  | 1: 73,856    | 2: 221,440   | 2: 221,440   | 2: 221,440   |
| stage3 | 256 x 28 x 28  | 2: 885,248   | 2: 885,248   | 3: 1,475,328 | 4: 2,065,408 |
| stage4 | 512 x 14 x 14  | 2: 3,539,968 | 2: 3,539,968 | 3: 5,899,776 | 4: 8,259,584 |
| stage5 | 512 x 7 x 7    | 2: 4,719,616 | 2: 4,719,616 | 3: 7,079,424 | 4: 9,439,232 |
| fc6    | 4096           | 102,764,544  | 102,764,544  | 102,764,544  | 102,764,544  |
| fc7    | 4096           | 16,781,312   | 16,781,312   | 16,781,312   | 16,781,312   |
| fc8    | 1000           | 4,097,000    | 4,097,000    | 4,097,000    | 4,097,000    |
| all    |                | 132,863,336  | 133,047,848  | 138,357,544  | 143,667,240  |

Table 2 of the paper prints 133, 133, 138 and 144 million. Batch normalisation (2015) is later than the paper and adds
two numbers a map: 5,504, 5,888, 8,448 and 11,008, which makes 132,868,840, 133,053,736, 138,365,992 and 143,678,248.
torchvision and Keras (VGG16 and VGG19) have the same networks.

For 32 x 32 images (`small=True`): stage1 is not pooled, and each layer has half as many maps or units: stage1
32 x 32, stage2 16 x 16, stage3 8 x 8, stage4 4 x 4, stage5 2 x 2.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
MAPS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Five stages of 3 x 3 convolutions, then three linear layers; only images of `image_size` pixels fit.

    Weights begin with He's deviation, the root of 2 / fan-in (fc8, which no ReLU follows: the paper's 0.01), and biases
    with 0. The paper trained the deeper networks from the weights of the trained VGG-11; He et al. (2015) made such a
    start unnecessary for just these networks.

    Args:
        depth: layers with weights: 11, 13, 16 or 19.
        num_classes: length of the output.
        in_channels: channels of the image.
        batch_norm: normalise after each convolution.
        small: the form for 32 x 32 images.
        width: factor of all numbers of maps and units.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        batch_norm: bool = False,
        small: bool = False,
        width: float = 1.0,
    ):
        super().__init__()
        if depth not in CONVOLUTIONS:
            raise ValueError(f"depth (={depth}) must be one of {', '.join(map(str, CONVOLUTIONS))}")
        self.depth, self.in_channels = depth, in_channels
        self.image_size = self.smallest = 32 if small else 224
        *maps, units = (scaled(number // 2 if small else number, width) for number in (*MAPS, 4096))
        side = 2 if small else 7  # of the maps of stage5, in pixels

        for i, number in enumerate(CONVOLUTIONS[depth]):
            seen = maps[i - 1] if i else in_channels
            layers = _stage(number, seen, maps[i], batch_norm, pool=not (small and i == 0))
            self.add_module(f"stage{i + 1}", layers)
        self.fc6 = nn.Linear(maps[-1] * side * side, units)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(units, units)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(units, num_classes)
        self.TORCHVISION_NAMES = self._torchvision_names()
        he_normal(self)
        nn.init.normal_(self.fc8.weight, std=0.01)  # first logits near 0: larger ones drive the deeper nets to chance

    def _torchvision_names(self) -> tuple[tuple[str, str], ...]:
        """Pair torchvision's names with ours: it numbers the layers of all stages through."""
        ours = [f"stage{i}.{j}" for i in range(1, 6) for j in range(len(self.get_submodule(f"stage{i}")))]
        features = [(rf"^features\.{index}\.", f"{name}.") for index, name in enumerate(ours)]
        return (*features, (r"^classifier\.0\.", "fc6."), (r"^classifier\.3\.", "fc7."), (r"^classifier\.6\.", "fc8."))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, image_size, image_size]."""
        check_image(x, f"VGG-{self.depth}", self.in_channels, self.image_size, self.image_size)
        x = self.stage1(x)  # N, 64, 112, 112
        x = self.stage2(x)  # N, 128, 56, 56
        x = self.stage3(x)  # N, 256, 28, 28
        x = self.stage4(x)  # N, 512, 14, 14
        x = self.stage5(x)  # N, 512, 7, 7
        x = self.drop6(F.relu(self.fc6(x.flatten(1))))  # N, 4096
        x = self.drop7(F.relu(self.fc7(x)))  # N, 4096
        return self.fc8(x)


def _stage(convolutions: int, in_channels: int, out_channels: int, batch_norm: bool, pool: bool) -> nn.Sequential:
    """Return 3 x 3 convolutions that keep height and width, then pooling, which halves them."""
    layers = []
    for _ in range(convolutions):
        layers.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU())
        in_channels = out_channels
    if pool:
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def vgg11(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-11: column A of the paper's table 1."""
    return VGG(11, num_classes, in_channels, small=small, width=width)


def vgg13(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-13: column B of the paper's table 1."""
    return VGG(13, num_classes, in_channels, small=small, width=width)


def vgg16(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-16: column D of the paper's table 1."""
    return VGG(16, num_classes, in_channels, small=small, width=width)


def vgg19(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-19: column E of the paper's table 1."""
    return VGG(19, num_classes, in_channels, small=small, width=width)


def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-11 with batch normalisation after each convolution."""
    return VGG(11, num_classes, in_channels, batch_norm=True, small=small, width=width)


def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-13 with batch normalisation after each convolution."""
    return VGG(13, num_classes, in_channels, batch_norm=True, small=small, width=width)


def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-16 with batch normalisation after each convolution."""
    return VGG(16, num_classes, in_channels, batch_norm=True, small=small, width=width)


def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> VGG:
    """VGG-19 with batch normalisation after each convolution."""
    return VGG(19, num_classes, in_channels, batch_norm=True, small=small, width=width)
