"""AlexNet, the network that won ImageNet 2012: one tower, the original on two GPUs, and the later one of torchvision.

A. Krizhevsky, I. Sutskever and G. Hinton, ImageNet classification with deep convolutional neural networks, NIPS 2012,
sections 3 and 4, figure 2. The third column: A. Krizhevsky, One weird trick for parallelizing convolutional neural
networks, 2014, arXiv:1404.5997, with the numbers of maps that Torch and torchvision have.

| stage | output        | one tower: parameters | two groups: parameters | one weird trick: maps, parameters |
| ----- | ------------- | --------------------- | ---------------------- | --------------------------------- |
| conv1 | 96 x 55 x 55  | 34,944                | 34,944                 | 64, 23,296                        |
| pool1 | 96 x 27 x 27  | 0                     | 0                      | 64, 0                             |
| conv2 | 256 x 27 x 27 | 614,656               | 307,456                | 192, 307,392                      |
| pool2 | 256 x 13 x 13 | 0                     | 0                      | 192, 0                            |
| conv3 | 384 x 13 x 13 | 885,120               | 885,120                | 384, 663,936                      |
| conv4 | 384 x 13 x 13 | 1,327,488             | 663,936                | 256, 884,992                      |
| conv5 | 256 x 13 x 13 | 884,992               | 442,624                | 256, 590,080                      |
| pool5 | 256 x 6 x 6   | 0                     | 0                      | 256, 0                            |
| fc6   | 4096          | 37,752,832            | 37,752,832             | 37,752,832                        |
| fc7   | 4096          | 16,781,312            | 16,781,312             | 16,781,312                        |
| fc8   | 1000          | 4,097,000             | 4,097,000              | 4,097,000                         |
| all   |               | 62,378,344            | 60,965,224             | 61,100,840                        |

The paper counts "60 million" (the two groups). It says that images have 224 pixels, but only 227 give 55 x 55 maps
without padding; and its figure counts 253,440 neurons in conv1, where 55 x 55 x 96 are 290,400.

torchvision has the one weird trick network only (without response normalisation, 224 pixels and a padding of 2 in
conv1), and drops units before fc6 and fc7 rather than after; when evaluated the outputs are the same. Keras has none.

For 32 x 32 images (`small=True`): conv1 has 5 x 5 filters at stride 1 with padding 2, and each layer half as many maps
or units: 32 x 32, pool1 15 x 15, pool2 7 x 7, pool5 3 x 3.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, scaled


class AlexNet(nn.Module):
    """Five convolutions, three of them pooled, then three linear layers; only images of `image_size` pixels fit.

    Weights begin normal with deviation 0.01 and the biases of conv2, conv4, conv5, fc6 and fc7 with 1, so that their
    ReLU passes something at first (section 5). Those 0.01 suit the paper's widths; the small form has He's deviation,
    the root of 2 / fan-in, before each ReLU, and biases of 0.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        maps: numbers of maps of the five convolutions.
        groups: 2 for the paper's two GPUs, which exchanged maps before conv3 and fc6 only; 1 for one tower.
        local_response_norm: normalise after conv1 and conv2, as in the paper.
        image_size: 227 pixels, or 224 with a padding of 2 pixels in conv1: both give 55 x 55 maps.
        small: the form for 32 x 32 images.
        width: factor of all numbers of maps and units.
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^features\.0\.", "conv1."),
        (r"^features\.3\.", "conv2."),
        (r"^features\.6\.", "conv3."),
        (r"^features\.8\.", "conv4."),
        (r"^features\.10\.", "conv5."),
        (r"^classifier\.1\.", "fc6."),
        (r"^classifier\.4\.", "fc7."),
        (r"^classifier\.6\.", "fc8."),
    )

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        maps: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        groups: int = 1,
        local_response_norm: bool = True,
        image_size: int = 227,
        small: bool = False,
        width: float = 1.0,
    ):
        super().__init__()
        if groups not in (1, 2):
            raise ValueError(f"groups (={groups}) must be 1 (one tower) or 2 (the two GPUs)")
        if image_size not in (224, 227):
            raise ValueError(f"image_size (={image_size}) must be 224 or 227 pixels; small=True takes 32")
        self.in_channels = in_channels
        self.image_size = self.smallest = 32 if small else image_size
        maps1, maps2, maps3, maps4, maps5, units = (
            scaled(number // 2 if small else number, width) for number in (*maps, 4096)
        )
        side = 3 if small else 6  # of the maps of pool5, in pixels

        if small:
            self.conv1 = nn.Conv2d(in_channels, maps1, kernel_size=5, padding=2)
        else:
            self.conv1 = nn.Conv2d(in_channels, maps1, kernel_size=11, stride=4, padding=0 if image_size == 227 else 2)
        self.norm1 = local_response() if local_response_norm else nn.Identity()
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2)  # windows overlap by a pixel: section 3.4
        self.conv2 = nn.Conv2d(maps1, maps2, kernel_size=5, padding=2, groups=groups)
        self.norm2 = local_response() if local_response_norm else nn.Identity()
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.conv3 = nn.Conv2d(maps2, maps3, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(maps3, maps4, kernel_size=3, padding=1, groups=groups)
        self.conv5 = nn.Conv2d(maps4, maps5, kernel_size=3, padding=1, groups=groups)
        self.pool5 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.fc6 = nn.Linear(maps5 * side * side, units)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(units, units)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(units, num_classes)
        self._initialise(small)

    def _initialise(self, small: bool) -> None:
        for name, layer in self.named_children():
            if not isinstance(layer, nn.Conv2d | nn.Linear):
                continue
            if small and name != "fc8":
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, std=0.01)
            ones = not small and name in ("conv2", "conv4", "conv5", "fc6", "fc7")
            nn.init.constant_(layer.bias, 1 if ones else 0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, image_size, image_size]."""
        check_image(x, "AlexNet", self.in_channels, self.image_size, self.image_size)
        x = self.norm1(F.relu(self.conv1(x)))  # N, 96, 55, 55
        x = self.pool1(x)  # N, 96, 27, 27
        x = self.norm2(F.relu(self.conv2(x)))  # N, 256, 27, 27
        x = self.pool2(x)  # N, 256, 13, 13
        x = F.relu(self.conv3(x))  # N, 384, 13, 13
        x = F.relu(self.conv4(x))  # N, 384, 13, 13
        x = F.relu(self.conv5(x))  # N, 256, 13, 13
        x = self.pool5(x)  # N, 256, 6, 6
        x = self.drop6(F.relu(self.fc6(x.flatten(1))))  # N, 4096
        x = self.drop7(F.relu(self.fc7(x)))  # N, 4096
        return self.fc8(x)


def local_response() -> nn.LocalResponseNorm:
    """Divide each value by (2 + 0.0001 s)^0.75, s the sum of squares at its place in 5 adjacent maps (section 3.3)."""
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2)  # torch divides alpha by size, the paper not


def alexnet(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> AlexNet:
    """AlexNet in one tower, as it is usually taught: every map sees every map of the layer before."""
    return AlexNet(num_classes, in_channels, small=small, width=width)


def alexnet_two_groups(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0
) -> AlexNet:
    """AlexNet as published: in conv2, conv4 and conv5 a map sees only the half that is on its own GPU."""
    return AlexNet(num_classes, in_channels, groups=2, small=small, width=width)


def alexnet_owt(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> AlexNet:
    """AlexNet of 2014 (One weird trick), which torchvision calls alexnet; 224 pixels, no response normalisation."""
    return AlexNet(
        num_classes,
        in_channels,
        maps=(64, 192, 384, 256, 256),
        local_response_norm=False,
        image_size=224,
        small=small,
        width=width,
    )
