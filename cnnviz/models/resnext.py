"""ResNeXt: a ResNet whose bottlenecks have 32 thin paths side by side, as one grouped convolution.

S. Xie, R. Girshick, P. Dollár, Z. Tu and K. He, Aggregated residual transformations for deep neural networks, CVPR
2017, table 1 and figure 3(c).

| stage  | paper          | output         | ResNeXt-50 (32x4d) | ResNeXt-101 (32x8d) |
| ------ | -------------- | -------------- | ------------------ | ------------------- |
| stem   | conv1          | 64 x 56 x 56   | 9,536              | 9,536               |
| stage1 | conv2          | 256 x 56 x 56  | 205,824            | 420,864             |
| stage2 | conv3          | 512 x 28 x 28  | 1,197,056          | 2,405,376           |
| stage3 | conv4          | 1024 x 14 x 14 | 7,022,592          | 55,160,832          |
| stage4 | conv5          | 2048 x 7 x 7   | 14,544,896         | 28,745,728          |
| head   | fc             | classes        | 2,049,000          | 2,049,000           |
| all    | parameters     |                | 25,028,904         | 88,791,336          |
| all    | 10^9 mult-adds |                | 4.230              | 16.414              |
| all    | as printed     |                | 4.2                |                     |

The 3x3 convolution has the stride. As many parameters as ResNet-50, and fewer errors: the paths share nothing, so that
they can be twice as wide in sum. The paper's own 101 layers are 32x4d and 64x4d; 32x8d is torchvision's, by its rule.

Small images: as ResNet: a 3x3 stem with stride 1, no pooling. ResNeXt-50 then has 22,992,714 parameters for 10 classes.
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from cnnviz.models.resnet import ResidualBlock, ResNet, conv, shortcut_of


class ResNeXtBlock(ResidualBlock):
    """1x1 to cardinality * group_width channels, 3x3 in groups, 1x1 to the output (figure 3(c)).

    Args:
        in_channels: channels of the input.
        channels: a quarter of the output's channels.
        stride: of the 3x3 convolution.
        cardinality: number of paths, C in the paper.
        group_width: channels of each path where `channels` is 64, d in the paper; in proportion elsewhere.
    """

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, cardinality: int = 32, group_width: int = 4
    ):
        super().__init__()
        inside, self.out_channels = cardinality * max(1, round(group_width * channels / 64)), 4 * channels
        self.pre = nn.Identity()
        self.shortcut = shortcut_of("B", in_channels, self.out_channels, stride)
        self.residual = nn.Sequential(
            OrderedDict(
                conv1=conv(in_channels, inside, 1),
                bn1=nn.BatchNorm2d(inside),
                relu1=nn.ReLU(),
                conv2=conv(inside, inside, 3, stride, groups=cardinality),
                bn2=nn.BatchNorm2d(inside),
                relu2=nn.ReLU(),
                conv3=conv(inside, self.out_channels, 1),
                bn3=nn.BatchNorm2d(self.out_channels),
            )
        )
        self.post = nn.ReLU()


class ResNeXt(ResNet):
    """A ResNet of ResNeXt blocks; weights begin as in a ResNet."""


def resnext50_32x4d(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNeXt:
    """ResNeXt-50: stages of 3, 4, 6, 3 blocks of 32 paths, 4 channels each in stage 1."""
    block = partial(ResNeXtBlock, cardinality=32, group_width=4)
    return ResNeXt(block, (3, 4, 6, 3), num_classes, in_channels, small=small, width=width, survival=survival)


def resnext101_32x8d(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNeXt:
    """ResNeXt-101: stages of 3, 4, 23, 3 blocks of 32 paths, 8 channels each in stage 1."""
    block = partial(ResNeXtBlock, cardinality=32, group_width=8)
    return ResNeXt(block, (3, 4, 23, 3), num_classes, in_channels, small=small, width=width, survival=survival)
