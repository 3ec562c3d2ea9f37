"""MobileNetV2: residual blocks inside out, thin where they are added, wide in between, where filters are depthwise.

M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen, MobileNetV2: inverted residuals and linear bottlenecks, CVPR
2018, table 2.

| stage  | expansion | blocks | output         | parameters |
| ------ | --------- | ------ | -------------- | ---------- |
| stem   |           | 3x3    | 32 x 112 x 112 | 928        |
| stage1 | 1         | 1      | 16 x 112 x 112 | 896        |
| stage2 | 6         | 2      | 24 x 56 x 56   | 13,968     |
| stage3 | 6         | 3      | 32 x 28 x 28   | 39,696     |
| stage4 | 6         | 4      | 64 x 14 x 14   | 183,872    |
| stage5 | 6         | 3      | 96 x 14 x 14   | 303,168    |
| stage6 | 6         | 3      | 160 x 7 x 7    | 795,264    |
| stage7 | 6         | 1      | 320 x 7 x 7    | 473,920    |
| head   |           | 1x1    | 1000           | 1,693,160  |
| all    |           |        |                | 3,504,872  |

The paper prints 3.4 million, though even without batch normalisation and biases there are 3,469,760; of its 300 million
mult-adds we count 300,774,272. torchvision has the same network; dropout of 0.2 is taken from there. Keras counts
3,538,984: the 34,112 numbers more are the running means and variances of batch normalisation.

The form for small images: the stem and stage2 have stride 1 instead of 2, so that 32 x 32 pixels end as 4 x 4.
"""

from collections import OrderedDict
from typing import ClassVar

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.resnet import ResidualBlock, residual_blocks
from cnnviz.models.stochastic_depth import add_stochastic_depth

BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # of stage1 to stage7: n in table 2


class MobileNetV2(nn.Module):
    """MobileNetV2. The paper names no initial weights: He's normal ones here, by fan-in, 9 for a depthwise filter.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: the paper's width multiplier, factor of all channel numbers; below 1 the last convolution keeps its 1280,
            as in the paper (section 4), so that a thin network does not classify from few features.
        survival: probability with which the last block that has a shortcut survives (stochastic depth); 1 keeps all.
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^features\.0\.0\.", "stem.conv."),
        (r"^features\.0\.1\.", "stem.norm."),
        (r"^features\.18\.0\.", "head.0.conv."),
        (r"^features\.18\.1\.", "head.0.norm."),
        (r"^classifier\.1\.", "head.4."),
        # The first block expands nothing: its layers are numbered from the depthwise convolution.
        (r"^features\.1\.conv\.0\.0\.", "stage1.0.residual.depthwise.conv."),
        (r"^features\.1\.conv\.0\.1\.", "stage1.0.residual.depthwise.norm."),
        (r"^features\.1\.conv\.1\.", "stage1.0.residual.project.conv."),
        (r"^features\.1\.conv\.2\.", "stage1.0.residual.project.norm."),
        (r"\.conv\.0\.0\.", ".residual.expand.conv."),
        (r"\.conv\.0\.1\.", ".residual.expand.norm."),
        (r"\.conv\.1\.0\.", ".residual.depthwise.conv."),
        (r"\.conv\.1\.1\.", ".residual.depthwise.norm."),
        (r"\.conv\.2\.", ".residual.project.conv."),
        (r"\.conv\.3\.", ".residual.project.norm."),
        # torchvision counts blocks through all stages, features.1 to features.17.
        *(
            (rf"^features\.{1 + sum(BLOCKS[: stage - 1]) + block}\.", f"stage{stage}.{block}.")
            for stage, blocks in enumerate(BLOCKS, start=1)
            for block in range(blocks)
        ),
    )

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: float = 1.0,
        survival: float = 1.0,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.image_size = 32 if small else 224
        self.smallest = 8 if small else 32  # pixels of the image for one pixel of the last feature map

        stem, *channels = (scaled(c, width) for c in (32, 16, 24, 32, 64, 96, 160, 320))
        features = scaled(1280, max(1, width))
        early_stride = 1 if small else 2
        self.stem = ConvNorm(in_channels, stem, kernel_size=3, stride=early_stride)
        self.stage1 = _stage(stem, channels[0], BLOCKS[0], stride=1, expansion=1)
        self.stage2 = _stage(channels[0], channels[1], BLOCKS[1], stride=early_stride)
        self.stage3 = _stage(channels[1], channels[2], BLOCKS[2], stride=2)
        self.stage4 = _stage(channels[2], channels[3], BLOCKS[3], stride=2)
        self.stage5 = _stage(channels[3], channels[4], BLOCKS[4], stride=1)
        self.stage6 = _stage(channels[4], channels[5], BLOCKS[5], stride=2)
        self.stage7 = _stage(channels[5], channels[6], BLOCKS[6], stride=1)
        self.head = nn.Sequential(
            ConvNorm(channels[6], features, kernel_size=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(features, num_classes),
        )
        he_normal(self)
        nn.init.normal_(self.head[-1].weight, std=0.01)
        add_stochastic_depth([block for block in residual_blocks(self) if block.shortcut is not None], survival)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]; 224 x 224 in the paper."""
        check_image(x, "MobileNetV2", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 32, 112, 112
        x = self.stage1(x)  # N, 16, 112, 112
        x = self.stage2(x)  # N, 24, 56, 56
        x = self.stage3(x)  # N, 32, 28, 28
        x = self.stage4(x)  # N, 64, 14, 14
        x = self.stage5(x)  # N, 96, 14, 14
        x = self.stage6(x)  # N, 160, 7, 7
        x = self.stage7(x)  # N, 320, 7, 7
        return self.head(x)


class InvertedResidual(ResidualBlock):
    """Expand by 1x1, filter each map by 3x3, project back by 1x1; added to the input where size and channels allow it.

    Elsewhere `shortcut` is None. The projection has no ReLU: cutting off half of a few channels would lose what the
    wide layers found (section 3.2).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        hidden = in_channels * expansion
        self.out_channels = out_channels
        self.pre = nn.Identity()
        self.shortcut = nn.Identity() if stride == 1 and in_channels == out_channels else None
        self.residual = nn.Sequential(
            OrderedDict(
                expand=nn.Identity() if expansion == 1 else ConvNorm(in_channels, hidden, kernel_size=1),
                depthwise=ConvNorm(hidden, hidden, kernel_size=3, stride=stride, groups=hidden),
                project=ConvNorm(hidden, out_channels, kernel_size=1, relu=False),
            )
        )
        self.post = nn.Identity()


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, and ReLU cut off at 6, which few bits can represent."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1, relu: bool = True
    ):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = nn.ReLU6() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, in_channels, H, W]."""
        return self.activation(self.norm(self.conv(x)))


def _stage(in_channels: int, out_channels: int, blocks: int, stride: int, expansion: int = 6) -> nn.Sequential:
    """Return `blocks` blocks; the first changes channels and size."""
    first = InvertedResidual(in_channels, out_channels, stride, expansion)
    others = (InvertedResidual(out_channels, out_channels, 1, expansion) for _ in range(blocks - 1))
    return nn.Sequential(first, *others)


def mobilenet_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> MobileNetV2:
    """MobileNetV2 with the paper's width multiplier."""
    return MobileNetV2(num_classes, in_channels, small, width, survival)
