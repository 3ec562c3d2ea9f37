"""Network in network (NiN): a small network slid over the image in the place of a filter, and no linear layers.

M. Lin, Q. Chen and S. Yan, Network in network, ICLR 2014 (arXiv:1312.4400), sections 3 and 4, figure 2. The paper
prints no widths; these are of the authors' networks for Caffe, one for ImageNet (29 MB, four bytes a parameter) and
one for CIFAR-10, which is the small form here.

| stage    | ImageNet: output | parameters | CIFAR-10: output | parameters |
| -------- | ---------------- | ---------- | ---------------- | ---------- |
| mlpconv1 | 96 x 54 x 54     | 53,568     | 96 x 32 x 32     | 60,928     |
| pool1    | 96 x 27 x 27     | 0          | 96 x 16 x 16     | 0          |
| mlpconv2 | 256 x 27 x 27    | 746,240    | 192 x 16 x 16    | 535,104    |
| pool2    | 256 x 13 x 13    | 0          | 192 x 8 x 8      | 0          |
| mlpconv3 | 384 x 13 x 13    | 1,180,800  | 10 x 8 x 8       | 370,954    |
| pool3    | 384 x 6 x 6      | 0          |                  |            |
| mlpconv4 | 1000 x 6 x 6     | 5,614,568  |                  |            |
| average  | 1000             | 0          | 10               | 0          |
| all      |                  | 7,595,176  |                  | 966,986    |

Poolings round up, as Caffe does. Those of CIFAR-10 are maxima, as in the paper; the authors' second one averages.
Neither torchvision nor Keras has NiN.

For 32 x 32 images (`small=True`): the authors' network for CIFAR-10: three stages for four, conv1 with 5 x 5 filters
at stride 1 for 11 x 11 at stride 4, and the widths of the table.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled

# Of each stage: maps of its three layers (None: one a class), its convolution, and whether dropout follows its pooling.
IMAGENET = (
    ((96, 96, 96), {"kernel_size": 11, "stride": 4}, False),
    ((256, 256, 256), {"kernel_size": 5, "padding": 2}, False),
    ((384, 384, 384), {"kernel_size": 3, "padding": 1}, True),
    ((1024, 1024, None), {"kernel_size": 3, "padding": 1}, False),
)
CIFAR_10 = (
    ((192, 160, 96), {"kernel_size": 5, "padding": 2}, True),
    ((192, 192, 192), {"kernel_size": 5, "padding": 2}, True),
    ((192, 192, None), {"kernel_size": 3, "padding": 1}, False),
)


class MLPConv(nn.Module):
    """A convolution and two 1 x 1 convolutions, each with ReLU: at every place the same small perceptron.

    The authors call the 1 x 1 convolutions cascaded cross-channel parametric pooling, hence their names.

    Args:
        in_channels: channels of the input.
        maps: numbers of maps of the three layers.
        kernel_size: height and width in pixels of what the perceptron sees.
        stride: pixels from one place to the next.
        padding: pixels of zeros on each side.
    """

    def __init__(
        self, in_channels: int, maps: tuple[int, int, int], kernel_size: int, stride: int = 1, padding: int = 0
    ):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, maps[0], kernel_size, stride, padding)
        self.cccp1 = nn.Conv2d(maps[0], maps[1], kernel_size=1)
        self.cccp2 = nn.Conv2d(maps[1], maps[2], kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, maps[2], H', W'], the size of the convolution, for x [N, in_channels, H, W]."""
        x = F.relu(self.conv(x))
        x = F.relu(self.cccp1(x))
        return F.relu(self.cccp2(x))


class NiN(nn.Module):
    """Stages of MLPConv with pooling between them; the last has one map a class, whose mean is the logit.

    The ReLU before that mean is the authors': no logit is below 0. Weights begin with He's deviation, the root of
    2 / fan-in, and biases with 0, as the paper does not say how. The last layer begins with 0.01 and 1: all logits near
    1, which softmax does not see. With 0 most of them die in the first steps of training and pass no gradient.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for 32 x 32 images.
        width: factor of all numbers of maps but the last.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0):
        super().__init__()
        self.in_channels = in_channels
        self.image_size, self.smallest = (32, 4) if small else (224, 39)
        stages, seen = CIFAR_10 if small else IMAGENET, in_channels
        for i, (maps, convolution, dropout) in enumerate(stages, start=1):
            maps = tuple(scaled(number, width) if number else num_classes for number in maps)
            self.add_module(f"mlpconv{i}", MLPConv(seen, maps, **convolution))
            if i < len(stages):
                self.add_module(f"pool{i}", nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            if dropout:
                self.add_module(f"drop{i}", nn.Dropout(0.5))
            seen = maps[-1]
        self._initialise()

    def _initialise(self) -> None:
        he_normal(self)
        last = list(self.children())[-1].cccp2
        nn.init.normal_(last.weight, std=0.01)
        nn.init.ones_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "NiN", self.in_channels, self.smallest)
        for stage in self.children():
            x = stage(x)
        return x.mean(dim=(2, 3))  # N, num_classes, 6, 6 (8, 8 in the small form) -> N, num_classes


def nin(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> NiN:
    """NiN for 224 x 224 images, or the small form, the authors' network for CIFAR-10."""
    return NiN(num_classes, in_channels, small=small, width=width)
