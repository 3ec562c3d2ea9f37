"""LeNet-5, the network that read cheques, as published in 1998 and in the form in which it is taught now.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, Proceedings of
the IEEE 86(11), 2278-2324, 1998, section II.B.

| layer  | output       | 1998: parameters | modern: parameters |
| ------ | ------------ | ---------------- | ------------------ |
| c1     | 6 x 28 x 28  | 156              | 156                |
| s2     | 6 x 14 x 14  | 12               | 0                  |
| c3     | 16 x 10 x 10 | 1,516            | 2,416              |
| s4     | 16 x 5 x 5   | 32               | 0                  |
| c5     | 120          | 48,120           | 48,120             |
| f6     | 84           | 10,164           | 10,164             |
| output | 10           | 850 (see below)  | 850                |

`width` scales the numbers of maps and units of the modern form (6, 16, 120 and 84), to whole numbers. The form of 1998
has one size: table I of the paper says for these 6 and 16 maps, and for no others, which sees which.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, scaled

# Table I of the paper: which maps of s2 (0 to 5) each of the 16 maps of c3 sees.
C3_INPUTS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(nn.Module):
    """LeNet-5 in its modern form: ReLU, max pooling, every map of c3 sees every map of s2. 61,706 parameters.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image, 1 for grey.
        image_size: 28 pixels (MNIST), padded to the paper's 32 in c1, or 32 pixels.
        width: factor of all numbers of maps and units but those of image and output.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, width: float = 1.0):
        super().__init__()
        self.in_channels, self.image_size = in_channels, image_size
        self.smallest = image_size
        n6, n16, n120, n84 = (scaled(number, width, divisor=1) for number in (6, 16, 120, 84))
        self.c1 = nn.Conv2d(in_channels, n6, kernel_size=5, padding=_padding(image_size))
        self.s2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.c3 = nn.Conv2d(n6, n16, kernel_size=5)
        self.s4 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.c5 = nn.Linear(n16 * 5 * 5, n120)  # a 5x5 convolution of 5x5 maps: a full connection
        self.f6 = nn.Linear(n120, n84)
        self.output = nn.Linear(n84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, image_size, image_size]."""
        check_image(x, "LeNet-5", self.in_channels, self.smallest, self.image_size)
        x = F.relu(self.c1(x))  # N, 6, 28, 28
        x = self.s2(x)  # N, 6, 14, 14
        x = F.relu(self.c3(x))  # N, 16, 10, 10
        x = self.s4(x)  # N, 16, 5, 5
        x = F.relu(self.c5(x.flatten(1)))  # N, 120
        x = F.relu(self.f6(x))  # N, 84
        return self.output(x)


class LeNet5Of1998(nn.Module):
    """LeNet-5 as published: trainable subsampling, table I, scaled tanh. 60,000 parameters up to f6, as in the paper.

    Three things differ from the paper. The output was 10 radial basis functions with fixed centres, bitmaps of the
    characters; here it is a linear layer (850 parameters more), trained with cross-entropy. The border of 2 pixels
    around a 28 x 28 image has the value 0, the mean of the normalised images, where the paper has the background's. And
    weights begin with the variance 1 / fan-in (LeCun et al., Efficient BackProp, 1998, section 4.6): the paper's
    +-2.4 / fan-in needs its second-order step sizes, and with plain gradient descent stays at chance.

    Args: as for LeNet5, without the width: the table of connections is made for 6 and 16 maps.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28):
        super().__init__()
        self.in_channels, self.image_size = in_channels, image_size
        self.smallest = image_size
        self.c1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=_padding(image_size))
        self.s2 = Subsampling(6)
        self.c3 = PartialConv2d(C3_INPUTS, in_channels=6, kernel_size=5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, kernel_size=5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for layer in (self.c1, self.c5, self.f6, self.output):
            nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, image_size, image_size]."""
        check_image(x, "LeNet-5", self.in_channels, self.smallest, self.image_size)
        x = scaled_tanh(self.c1(x))  # N, 6, 28, 28
        x = scaled_tanh(self.s2(x))  # N, 6, 14, 14
        x = scaled_tanh(self.c3(x))  # N, 16, 10, 10
        x = scaled_tanh(self.s4(x))  # N, 16, 5, 5
        x = scaled_tanh(self.c5(x))  # N, 120, 1, 1
        x = scaled_tanh(self.f6(x.flatten(1)))  # N, 84
        return self.output(x)


class Subsampling(nn.Module):
    """Trainable subsampling: the sum of each 2 x 2 block, times one coefficient a map, plus one bias a map."""

    def __init__(self, channels: int):
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((channels,), 0.25))  # 1/4 of a sum of four: an average
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, H / 2, W / 2] for x [N, C, H, W]."""
        total = 4 * F.avg_pool2d(x, kernel_size=2)
        return total * self.coefficient[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """A convolution in which each output map sees only the input maps that a table gives it.

    Args:
        inputs: for each output map, the input maps that it sees.
        in_channels: number of input maps.
        kernel_size: height and width of the filters in pixels.
    """

    def __init__(self, inputs: tuple[tuple[int, ...], ...], in_channels: int, kernel_size: int):
        super().__init__()
        connected = torch.zeros(len(inputs), in_channels, dtype=torch.bool)
        for row, seen in zip(connected, inputs, strict=True):
            row[list(seen)] = True
        self.register_buffer("connected", connected)  # [out_channels, in_channels]
        self.kernels = nn.Parameter(torch.empty(sum(map(len, inputs)), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(len(inputs)))
        # Weights begin with the variance 1 / fan-in, which differs from output map to output map.
        maps = torch.tensor([float(len(seen)) for seen in inputs for _ in seen])
        with torch.no_grad():
            self.kernels.normal_().mul_((maps * kernel_size**2)[:, None, None] ** -0.5)

    @property
    def weight(self) -> Tensor:
        """The filters as nn.Conv2d has them: [out_channels, in_channels, k, k], zeros where there is no connection."""
        dense = self.kernels.new_zeros(*self.connected.shape, *self.kernels.shape[1:])
        return dense.masked_scatter(self.connected[:, :, None, None], self.kernels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H - k + 1, W - k + 1] for x [N, in_channels, H, W]."""
        return F.conv2d(x, self.weight, self.bias)


def scaled_tanh(x: Tensor) -> Tensor:
    """Return 1.7159 tanh(2x / 3): f(1) = 1 and f(-1) = -1, and the curvature is largest there (appendix A)."""
    return 1.7159 * torch.tanh(2 / 3 * x)


def lenet5(num_classes: int = 10, in_channels: int = 1, image_size: int = 28, *, width: float = 1.0) -> LeNet5:
    """LeNet-5 with ReLU, max pooling and full connections."""
    return LeNet5(num_classes, in_channels, image_size, width)


def lenet5_1998(num_classes: int = 10, in_channels: int = 1, image_size: int = 28) -> LeNet5Of1998:
    """LeNet-5 as of 1998, with a linear layer in the place of the radial basis functions."""
    return LeNet5Of1998(num_classes, in_channels, image_size)


def _padding(image_size: int) -> int:
    """Return the pixels that c1 adds on each side, so that its maps have 28 x 28 pixels."""
    if image_size not in (28, 32):
        raise ValueError(f"image_size (={image_size}) must be 28 or 32 pixels; resize the images")
    return (32 - image_size) // 2
