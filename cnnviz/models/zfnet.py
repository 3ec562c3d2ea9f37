"""ZFNet, AlexNet with finer first layers, after a look at what the filters of AlexNet had learned.

M. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014 (arXiv:1311.2901), figure 3.

| stage | output         | parameters | against AlexNet                  |
| ----- | -------------- | ---------- | -------------------------------- |
| conv1 | 96 x 110 x 110 | 14,208     | 7 x 7, stride 2; was 11 x 11, 4  |
| pool1 | 96 x 55 x 55   | 0          |                                  |
| conv2 | 256 x 26 x 26  | 614,656    | stride 2, no padding; was 1, 2   |
| pool2 | 256 x 13 x 13  | 0          |                                  |
| conv3 | 384 x 13 x 13  | 885,120    | as one tower                     |
| conv4 | 384 x 13 x 13  | 1,327,488  | as one tower                     |
| conv5 | 256 x 13 x 13  | 884,992    | as one tower                     |
| pool5 | 256 x 6 x 6    | 0          |                                  |
| fc6   | 4096           | 37,752,832 |                                  |
| fc7   | 4096           | 16,781,312 |                                  |
| fc8   | 1000           | 4,097,000  |                                  |
| all   |                | 62,357,608 | 20,736 less: 96 x 3 x (121 - 49) |

The paper prints no count. Its figure gives the sizes of the maps; a padding of 1 pixel in conv1 and rounding up in the
poolings lead to them. It normalises "across feature maps" after pooling and gives no formula: here AlexNet's. Neither
torchvision nor Keras has ZFNet.

For 32 x 32 images (`small=True`): conv1 has 3 x 3 filters, conv1 and conv2 stride 1 and a padding that keeps the size,
and each layer half as many maps or units: 32 x 32, pool1 16 x 16, pool2 8 x 8, pool5 4 x 4.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.alexnet import local_response
from cnnviz.models.image import check_image, scaled


class ZFNet(nn.Module):
    """Five convolutions, three of them pooled, then three linear layers; only images of `image_size` pixels fit.

    Weights begin normal with deviation 0.01 and biases with 0 (section 3). Those 0.01 suit the paper's widths; the
    small form has He's deviation, the root of 2 / fan-in, before each ReLU.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for 32 x 32 images.
        width: factor of all numbers of maps and units.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0):
        super().__init__()
        self.in_channels = in_channels
        self.image_size = self.smallest = 32 if small else 224
        maps1, maps2, maps3, maps4, maps5, units = (
            scaled(number // 2 if small else number, width) for number in (96, 256, 384, 384, 256, 4096)
        )
        side = 4 if small else 6  # of the maps of pool5, in pixels

        finer = {"kernel_size": 3, "padding": 1} if small else {"kernel_size": 7, "stride": 2, "padding": 1}
        self.conv1 = nn.Conv2d(in_channels, maps1, **finer)
        self.pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.norm1 = local_response()
        self.conv2 = nn.Conv2d(maps1, maps2, kernel_size=5, **({"padding": 2} if small else {"stride": 2}))
        self.pool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.norm2 = local_response()
        self.conv3 = nn.Conv2d(maps2, maps3, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(maps3, maps4, kernel_size=3, padding=1)
        self.conv5 = nn.Conv2d(maps4, maps5, kernel_size=3, padding=1)
        self.pool5 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
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
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, image_size, image_size]."""
        check_image(x, "ZFNet", self.in_channels, self.image_size, self.image_size)
        x = F.relu(self.conv1(x))  # N, 96, 110, 110
        x = self.norm1(self.pool1(x))  # N, 96, 55, 55
        x = F.relu(self.conv2(x))  # N, 256, 26, 26
        x = self.norm2(self.pool2(x))  # N, 256, 13, 13
        x = F.relu(self.conv3(x))  # N, 384, 13, 13
        x = F.relu(self.conv4(x))  # N, 384, 13, 13
        x = F.relu(self.conv5(x))  # N, 256, 13, 13
        x = self.pool5(x)  # N, 256, 6, 6
        x = self.drop6(F.relu(self.fc6(x.flatten(1))))  # N, 4096
        x = self.drop7(F.relu(self.fc7(x)))  # N, 4096
        return self.fc8(x)


def zfnet(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> ZFNet:
    """ZFNet for 224 x 224 images, or the small form for 32 x 32."""
    return ZFNet(num_classes, in_channels, small=small, width=width)
