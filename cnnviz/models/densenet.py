"""DenseNet: every layer sees the maps of all layers before it in its block, and adds a few of its own.

G. Huang, Z. Liu, L. van der Maaten and K. Q. Weinberger, Densely connected convolutional networks, CVPR 2017, table 1;
for 32 x 32 pixels section 3 (implementation details) and table 2.

| stage       | output (121)   | DenseNet-121 | DenseNet-169 | DenseNet-201 | output        | BC-100, k = 12 |
| ----------- | -------------- | ------------ | ------------ | ------------ | ------------- | -------------- |
| stem        | 64 x 56 x 56   | 9,536        | 9,536        | 9,536        | 24 x 32 x 32  | 648            |
| block1      | 256 x 56 x 56  | 335,040      | 335,040      | 335,040      | 216 x 32 x 32 | 175,680        |
| transition1 | 128 x 28 x 28  | 33,280       | 33,280       | 33,280       | 108 x 16 x 16 | 23,760         |
| block2      | 512 x 28 x 28  | 919,680      | 919,680      | 919,680      | 300 x 16 x 16 | 242,880        |
| transition2 | 256 x 14 x 14  | 132,096      | 132,096      | 132,096      | 150 x 8 x 8   | 45,600         |
| block3      | 1024 x 14 x 14 | 2,837,760    | 4,316,160    | 8,071,680    | 342 x 8 x 8   | 276,480        |
| transition3 | 512 x 7 x 7    | 526,336      | 821,760      | 1,609,216    |               |                |
| block4      | 1024 x 7 x 7   | 2,158,080    | 5,913,600    | 6,978,560    |               |                |
| head        | classes        | 1,027,048    | 1,668,328    | 1,924,840    | classes       | 4,114          |
| all         | parameters     | 7,978,856    | 14,149,480   | 20,013,928   |               | 769,162        |
| all         | 10^9 mult-adds | 2.834        | 3.360        | 4.291        |               | 0.288          |

BC-100 is counted with 10 classes. With 190 layers (k = 40) and 250 (k = 24) DenseNet-BC has 25,624,430 and 15,324,406
parameters; table 2 prints 0.8, 25.6 and 15.3 million. B stands for the 1x1 bottleneck in each dense layer, C for the
compression to half in the transitions. Keras counts 4 numbers a normalised map, where we have 2.

Small images: the stem is one 3x3 convolution with stride 1, without normalisation and pooling, as in the DenseNets for
CIFAR. Blocks, growth and transitions stay; 32 x 32 pixels come to 4 x 4. DenseNet-121 then has 6,956,298 parameters for
10 classes. `width` scales the growth, to multiples of 4, and so all channel numbers.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled


class DenseLayer(nn.Module):
    """Append `growth` new maps to the input: BN, ReLU, 1x1 to 4 * growth, BN, ReLU, 3x3 to growth (section 3).

    Args:
        in_channels: channels of the input.
        growth: number of new maps, k in the paper.
    """

    def __init__(self, in_channels: int, growth: int):
        super().__init__()
        self.out_channels = in_channels + growth
        self.new = nn.Sequential(
            OrderedDict(
                bn1=nn.BatchNorm2d(in_channels),
                relu1=nn.ReLU(),
                conv1=nn.Conv2d(in_channels, 4 * growth, 1, bias=False),
                bn2=nn.BatchNorm2d(4 * growth),
                relu2=nn.ReLU(),
                conv2=nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x [N, in_channels, H, W] and behind it the new maps: [N, in_channels + growth, H, W]."""
        return torch.cat([x, self.new(x)], dim=1)


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, global average pooling and one linear layer.

    A transition halves the number of maps and their height and width. Convolutions begin with He's normal distribution
    (fan-in), batch normalisation with 1 and 0, the linear layer's bias with 0.

    Args:
        depths: number of dense layers of each block.
        growth: maps that each dense layer adds, k in the paper.
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor on the growth, and so on all channel numbers.
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^features\.conv0\.", "stem.conv."),
        (r"^features\.norm0\.", "stem.bn."),
        (r"^features\.norm5\.", "head.bn."),
        (r"^features\.denseblock(\d)\.", r"block\1."),
        (r"^features\.(transition\d)\.", r"\1."),
        (r"\.denselayer(\d+)\.(norm|conv)\.?(\d)", r".layer\1.new.\2\3"),  # older files: norm.1 for norm1
        (r"\.norm(\d?)\.", r".bn\1."),
        (r"^classifier\.", "head.fc."),
    )

    def __init__(
        self,
        depths: Sequence[int],
        growth: int,
        num_classes: int,
        in_channels: int,
        *,
        small: bool = False,
        width: float = 1.0,
    ):
        super().__init__()
        self.in_channels, self.image_size = in_channels, 32 if small else 224
        self.smallest = 2 ** (len(depths) - 1) * (1 if small else 4)  # all strides multiplied: 1 pixel is left
        growth = scaled(growth, width, divisor=4)  # as the CIFAR networks begin with 12
        channels = 2 * growth
        self.stem = _stem(in_channels, channels, small)
        for number, depth in enumerate(depths, 1):
            block = _dense_block(channels, growth, depth)
            self.add_module(f"block{number}", block)
            channels += depth * growth
            if number < len(depths):
                self.add_module(f"transition{number}", _transition(channels))
                channels //= 2
        self.head = nn.Sequential(
            OrderedDict(
                bn=nn.BatchNorm2d(channels),
                relu=nn.ReLU(),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                fc=nn.Linear(channels, num_classes),
            )
        )
        he_normal(self, kinds=(nn.Conv2d,))
        nn.init.zeros_(self.head.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "DenseNet", self.in_channels, self.smallest)
        for stage in self.children():  # stem, block1, transition1, block2, ..., head
            x = stage(x)
        return x


def densenet121(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> DenseNet:
    """DenseNet-121: blocks of 6, 12, 24, 16 dense layers, growth 32."""
    return DenseNet((6, 12, 24, 16), 32, num_classes, in_channels, small=small, width=width)


def densenet169(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> DenseNet:
    """DenseNet-169: blocks of 6, 12, 32, 32 dense layers, growth 32."""
    return DenseNet((6, 12, 32, 32), 32, num_classes, in_channels, small=small, width=width)


def densenet201(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> DenseNet:
    """DenseNet-201: blocks of 6, 12, 48, 32 dense layers, growth 32."""
    return DenseNet((6, 12, 48, 32), 32, num_classes, in_channels, small=small, width=width)


def densenet_bc100(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> DenseNet:
    """DenseNet-BC for 32 x 32 pixels with 100 layers: three blocks of 16 dense layers, growth 12."""
    return DenseNet((16, 16, 16), 12, num_classes, in_channels, small=True, width=width)


def densenet_bc190(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> DenseNet:
    """DenseNet-BC for 32 x 32 pixels with 190 layers: three blocks of 31 dense layers, growth 40."""
    return DenseNet((31, 31, 31), 40, num_classes, in_channels, small=True, width=width)


def densenet_bc250(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> DenseNet:
    """DenseNet-BC for 32 x 32 pixels with 250 layers: three blocks of 41 dense layers, growth 24."""
    return DenseNet((41, 41, 41), 24, num_classes, in_channels, small=True, width=width)


def _stem(in_channels: int, channels: int, small: bool) -> nn.Sequential:
    if small:  # the dense layers begin with batch normalisation
        return nn.Sequential(OrderedDict(conv=nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)))
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False),
            bn=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )


def _dense_block(in_channels: int, growth: int, depth: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict((f"layer{n + 1}", DenseLayer(in_channels + n * growth, growth)) for n in range(depth))
    )


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            bn=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False),  # compression 0.5, the C of DenseNet-BC
            pool=nn.AvgPool2d(2),
        )
    )
