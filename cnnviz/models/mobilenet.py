"""MobileNet: almost every convolution is split into one filter a channel and a 1x1 convolution, to run on a phone.

A. G. Howard, M. Zhu, B. Chen, D. Kalenichenko, W. Wang, T. Weyand, M. Andreetto and H. Adam, MobileNets: efficient
convolutional neural networks for mobile vision applications, arXiv:1704.04861, 2017, table 1.

| stage  | blocks | output         | parameters | with full convolutions |
| ------ | ------ | -------------- | ---------- | ---------------------- |
| stem   | 3x3    | 32 x 112 x 112 | 928        | 928                    |
| stage1 | 1      | 64 x 112 x 112 | 2,528      | 18,560                 |
| stage2 | 2      | 128 x 56 x 56  | 27,200     | 221,696                |
| stage3 | 2      | 256 x 28 x 28  | 103,552    | 885,760                |
| stage4 | 6      | 512 x 14 x 14  | 1,478,912  | 12,982,272             |
| stage5 | 2      | 1024 x 7 x 7   | 1,593,856  | 14,159,872             |
| head   |        | 1000           | 1,025,000  | 1,025,000              |
| all    |        |                | 4,231,976  | 29,294,088             |

The paper prints 4.2 and 29.3 million (`separable=False`). Mult-adds are 568,740,352 and 4,867,293,184; the paper's 569
million has the linear layer's 1,024,000 in it, its 4866 million has not.

The table gives the last depthwise convolution stride 2, yet 7 x 7 pixels before and after it: its stride is 1 here, as
in the authors' code. The paper has ReLU; that code and Keras cut it off at 6. Keras counts 4,253,864: the 21,888
numbers more are the running means and variances of batch normalisation.

The form for small images: the stem and stage2 have stride 1 instead of 2, so that 32 x 32 pixels end as 4 x 4.
"""

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled


class MobileNet(nn.Module):
    """MobileNet. The paper names no initial weights: He's normal ones here, by fan-in, 9 for a depthwise filter.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: the paper's width multiplier alpha (1, 0.75, 0.5, 0.25): factor of all channel numbers.
        resolution: the paper's resolution multiplier rho: factor of `image_size`, rounded so that every stage with
            stride 2 halves it evenly: 0.714 gives 160 pixels.
        separable: False for the network that the paper compares with, in which every block is one full convolution.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: float = 1.0,
        resolution: float = 1.0,
        separable: bool = True,
    ):
        super().__init__()
        if not resolution > 0:
            raise ValueError(f"resolution (={resolution}) must be above 0; the paper has 1, 0.857, 0.714 and 0.571")
        self.in_channels = in_channels
        self.smallest = 8 if small else 32  # pixels of the image for one pixel of the last feature map
        self.image_size = scaled(32 if small else 224, resolution, divisor=self.smallest)

        block = DepthwiseSeparable if separable else ConvNorm
        c32, c64, c128, c256, c512, c1024 = (scaled(c, width) for c in (32, 64, 128, 256, 512, 1024))
        early_stride = 1 if small else 2
        self.stem = ConvNorm(in_channels, c32, stride=early_stride)
        self.stage1 = _stage(block, c32, c64, blocks=1, stride=1)
        self.stage2 = _stage(block, c64, c128, blocks=2, stride=early_stride)
        self.stage3 = _stage(block, c128, c256, blocks=2, stride=2)
        self.stage4 = _stage(block, c256, c512, blocks=6, stride=2)
        self.stage5 = _stage(block, c512, c1024, blocks=2, stride=2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c1024, num_classes))
        he_normal(self)
        nn.init.normal_(self.head[-1].weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]; 224 x 224 in the paper."""
        check_image(x, "MobileNet", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 32, 112, 112
        x = self.stage1(x)  # N, 64, 112, 112
        x = self.stage2(x)  # N, 128, 56, 56
        x = self.stage3(x)  # N, 256, 28, 28
        x = self.stage4(x)  # N, 512, 14, 14
        x = self.stage5(x)  # N, 1024, 7, 7
        return self.head(x)


class DepthwiseSeparable(nn.Module):
    """A 3x3 convolution in two steps: first over space, each map by its own filter, then over the maps, pixel by pixel.

    A full convolution takes 9 * in_channels * out_channels mult-adds a pixel, the two steps in_channels * (9 +
    out_channels): between 8 and 9 times fewer.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.depthwise = ConvNorm(in_channels, in_channels, kernel_size=3, stride=stride, groups=in_channels)
        self.pointwise = ConvNorm(in_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, in_channels, H, W]."""
        return self.pointwise(self.depthwise(x))


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, ReLU. The convolution has no bias: the normalisation would subtract it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, groups: int = 1):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, in_channels, H, W]."""
        return self.relu(self.norm(self.conv(x)))


def _stage(block: type[nn.Module], in_channels: int, out_channels: int, blocks: int, stride: int) -> nn.Sequential:
    """Return `blocks` blocks; the first changes channels and size."""
    first = block(in_channels, out_channels, stride=stride)
    return nn.Sequential(first, *(block(out_channels, out_channels, stride=1) for _ in range(blocks - 1)))


def mobilenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    resolution: float = 1.0,
    separable: bool = True,
) -> MobileNet:
    """MobileNet with the paper's two multipliers; `separable=False` is its comparison with full convolutions."""
    return MobileNet(num_classes, in_channels, small, width, resolution, separable)
