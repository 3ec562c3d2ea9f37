"""Xception, Inception taken to its extreme: every filter over space sees one map only; and a small net of that kind.

F. Chollet, Xception: deep learning with depthwise separable convolutions, CVPR 2017, figure 5.

| stage  | in the figure | blocks                     | output         | parameters |
| ------ | ------------- | -------------------------- | -------------- | ---------- |
| stem   | entry flow    | two convolutions           | 64 x 147 x 147 | 19,488     |
| stage1 | entry flow    | 1                          | 128 x 74 x 74  | 35,264     |
| stage2 | entry flow    | 1                          | 256 x 37 x 37  | 136,064    |
| stage3 | entry flow    | 1                          | 728 x 19 x 19  | 915,944    |
| stage4 | middle flow   | 8                          | 728 x 19 x 19  | 12,911,808 |
| stage5 | exit flow     | 1                          | 1024 x 10 x 10 | 2,039,584  |
| stage6 | exit flow     | two separable convolutions | 2048 x 10 x 10 | 4,748,800  |
| head   | exit flow     |                            | 1000           | 2,049,000  |
| all    |               |                            |                | 22,855,952 |

The paper prints the same 22,855,952 (table 3). Keras counts 22,910,480: the 54,528 numbers more are the running means
and variances of batch normalisation. torchvision has no Xception.

The form for small images: the stem has stride 1 and padding and stage1 does not pool, so that 32 x 32 pixels end as
4 x 4; half of all channels; 4 blocks instead of 8 in stage4.

`xception_small` is the "mini Xception-like model" that tells cats from dogs in F. Chollet, Deep learning with Python,
2nd edition, 2021, section 9.3.5:

| stage  | output         | parameters |
| ------ | -------------- | ---------- |
| stem   | 32 x 176 x 176 | 2,400      |
| stage1 | 32 x 88 x 88   | 3,776      |
| stage2 | 64 x 44 x 44   | 9,248      |
| stage3 | 128 x 22 x 22  | 34,880     |
| stage4 | 256 x 11 x 11  | 135,296    |
| stage5 | 512 x 6 x 6    | 532,736    |
| head   | 1000           | 513,000    |
| all    |                | 1,231,336  |

The book's has one output and so a head of 513; Keras counts 721,857 then, 3,008 of them running means and variances.
Its form for small images: the stem has padding, and stage1 and stage2 do not pool, so that 32 x 32 end as 4 x 4.
"""

from itertools import pairwise

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.resnet import ResidualBlock, residual_blocks
from cnnviz.models.stochastic_depth import add_stochastic_depth


class Xception(nn.Module):
    """Xception. The paper names no initial weights: He's normal ones here, by fan-in, 9 for a depthwise filter.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor of all channel numbers.
        survival: probability with which the last block survives (stochastic depth); 1 keeps all.
    """

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
        self.image_size = 32 if small else 299
        self.smallest = 8 if small else 32  # pixels of the image for one pixel of the last feature map

        divisor = 2 if small else 1
        channels = (32, 64, 128, 256, 728, 1024, 1536, 2048)
        c32, c64, c128, c256, c728, c1024, c1536, c2048 = (scaled(c // divisor, width) for c in channels)
        early_stride, padding, middle = (1, 1, 4) if small else (2, 0, 8)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, c32, kernel_size=3, stride=early_stride, padding=padding, bias=False),
            nn.BatchNorm2d(c32),
            nn.ReLU(),
            nn.Conv2d(c32, c64, kernel_size=3, padding=padding, bias=False),
            nn.BatchNorm2d(c64),
            nn.ReLU(),
        )
        self.stage1 = XceptionBlock(c64, (c128, c128), stride=early_stride)
        self.stage2 = XceptionBlock(c128, (c256, c256), stride=2)
        self.stage3 = XceptionBlock(c256, (c728, c728), stride=2)
        self.stage4 = nn.Sequential(*(XceptionBlock(c728, (c728, c728, c728)) for _ in range(middle)))
        self.stage5 = XceptionBlock(c728, (c728, c1024), stride=2)
        self.stage6 = nn.Sequential(
            SeparableConv2d(c1024, c1536),
            nn.BatchNorm2d(c1536),
            nn.ReLU(),
            SeparableConv2d(c1536, c2048),
            nn.BatchNorm2d(c2048),
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.5),  # section 4.3
            nn.Linear(c2048, num_classes),
        )
        he_normal(self)
        nn.init.normal_(self.head[-1].weight, std=0.01)
        add_stochastic_depth(residual_blocks(self), survival)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]; 299 x 299 in the paper."""
        check_image(x, "Xception", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 64, 147, 147
        x = self.stage1(x)  # N, 128, 74, 74
        x = self.stage2(x)  # N, 256, 37, 37
        x = self.stage3(x)  # N, 728, 19, 19
        x = self.stage4(x)  # N, 728, 19, 19
        x = self.stage5(x)  # N, 1024, 10, 10
        x = self.stage6(x)  # N, 2048, 10, 10
        return self.head(x)


class XceptionBlock(ResidualBlock):
    """Separable convolutions, each after a ReLU, and where the stride is 2 a pooling; a shortcut around them.

    The figure's first block has no ReLU at its beginning. It has one here, which changes nothing behind the stem's.

    Args:
        in_channels: channels that come in.
        channels: what each separable convolution makes of them.
        stride: 1, or 2 for half the size.
    """

    def __init__(self, in_channels: int, channels: tuple[int, ...], stride: int = 1):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((in_channels, *channels)):
            layers += [nn.ReLU(), SeparableConv2d(before, after), nn.BatchNorm2d(after)]
        if stride == 2:
            layers.append(nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.out_channels = channels[-1]
        self.pre = nn.Identity()
        self.residual = nn.Sequential(*layers)
        self.shortcut = nn.Identity()
        if stride == 2 or in_channels != channels[-1]:
            projection = nn.Conv2d(in_channels, channels[-1], kernel_size=1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels[-1]))
        self.post = nn.Identity()


class SeparableConv2d(nn.Module):
    """A convolution in two steps: over space, each map by its own filter, then over the maps, pixel by pixel.

    No ReLU stands between the two: with one the paper's network learns worse (section 4.7).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1):
        super().__init__()
        padding = kernel_size // 2
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, in_channels, H, W]."""
        return self.pointwise(self.depthwise(x))


class XceptionSmall(nn.Module):
    """The small network of Xception's kind. Weights begin as Glorot's uniform ones, as all in Keras and so the book's.

    Args: as for Xception.
    """

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
        self.image_size = 32 if small else 180
        self.smallest = 8 if small else 32  # pixels of the image for one pixel of the last feature map

        c32, c64, c128, c256, c512 = (scaled(c, width) for c in (32, 64, 128, 256, 512))
        early_stride, padding = (1, 2) if small else (2, 0)
        # A full convolution, as red, green and blue are too much alike to be filtered apart.
        self.stem = nn.Conv2d(in_channels, c32, kernel_size=5, padding=padding, bias=False)
        self.stage1 = XceptionSmallBlock(c32, c32, stride=early_stride)
        self.stage2 = XceptionSmallBlock(c32, c64, stride=early_stride)
        self.stage3 = XceptionSmallBlock(c64, c128, stride=2)
        self.stage4 = XceptionSmallBlock(c128, c256, stride=2)
        self.stage5 = XceptionSmallBlock(c256, c512, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(c512, num_classes))
        self._initialise()
        add_stochastic_depth(residual_blocks(self), survival)

    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.head[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]; 180 x 180 in the book."""
        check_image(x, "Xception's small relative", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 32, 176, 176
        x = self.stage1(x)  # N, 32, 88, 88
        x = self.stage2(x)  # N, 64, 44, 44
        x = self.stage3(x)  # N, 128, 22, 22
        x = self.stage4(x)  # N, 256, 11, 11
        x = self.stage5(x)  # N, 512, 6, 6
        return self.head(x)


class XceptionSmallBlock(ResidualBlock):
    """Two separable convolutions, each after normalisation and ReLU, and a pooling; a projection around them."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.out_channels = out_channels
        self.pre = nn.Identity()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(),
            SeparableConv2d(in_channels, out_channels),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            SeparableConv2d(out_channels, out_channels),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1) if stride == 2 else nn.Identity(),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)
        self.post = nn.Identity()


def xception(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> Xception:
    """Xception of figure 5, without the optional fully connected layers."""
    return Xception(num_classes, in_channels, small, width, survival)


def xception_small(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> XceptionSmall:
    """The book's small network of Xception's kind, for 180 x 180 pixels; `small=True` is its form for 32 x 32."""
    return XceptionSmall(num_classes, in_channels, small, width, survival)
