"""ResNets for images of 32 x 32 pixels, 20 to 1202 layers, and the same networks without shortcuts.

K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, CVPR 2016, section 4.2;
Identity mappings in deep residual networks, ECCV 2016, figure 4(e) (pre-activation).

Three stages of n basic blocks: 6n + 2 layers with weights.

| stage   | output        | n = 3: ResNet-20 | 5: 32   | 7: 44   | 9: 56   | 18: 110   | 200: 1202  |
| ------- | ------------- | ---------------- | ------- | ------- | ------- | --------- | ---------- |
| stem    | 16 x 32 x 32  | 464              | 464     | 464     | 464     | 464       | 464        |
| stage1  | 16 x 32 x 32  | 14,016           | 23,360  | 32,704  | 42,048  | 84,096    | 934,400    |
| stage2  | 32 x 16 x 16  | 51,072           | 88,192  | 125,312 | 162,432 | 329,472   | 3,707,392  |
| stage3  | 64 x 8 x 8    | 203,520          | 351,488 | 499,456 | 647,424 | 1,313,280 | 14,778,368 |
| head    | 10            | 650              | 650     | 650     | 650     | 650       | 650        |
| all     | parameters    | 269,722          | 464,154 | 658,586 | 853,018 | 1,727,962 | 19,421,274 |
| printed | 10^6, table 6 | 0.27             | 0.46    | 0.66    | 0.85    | 1.7       | 19.4       |

Shortcut "A" (the paper's choice here) pads with zeros, so that a plain network has as many parameters as its ResNet;
"B" projects: 2,752 parameters more. Pre-activation moves normalisations and leaves their number as it is.
"""

from functools import partial

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.resnet import (
    BasicBlock,
    PreactivationBasicBlock,
    check_residual,
    classifier,
    residual_blocks,
    residual_stages,
    stem,
)
from cnnviz.models.stochastic_depth import add_stochastic_depth


class ResNetCifar(nn.Module):
    """A 3x3 convolution, three stages of basic blocks, global average pooling and one linear layer.

    Convolutions begin with He's normal distribution (fan-out), batch normalisation with 1 and 0.

    Args:
        depth: layers with weights, 6n + 2.
        num_classes: length of the output.
        in_channels: channels of the image.
        width: factor on all channel numbers.
        shortcut: "A" (padding), "B" (projection) or "none" (a plain network).
        preactivation: batch normalisation and ReLU stand before the convolutions.
        survival: probability with which the last block survives (stochastic depth, 0.5 in its paper); 1 keeps all.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        in_channels: int = 3,
        *,
        width: float = 1.0,
        shortcut: str = "A",
        preactivation: bool = False,
        survival: float = 1.0,
    ):
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth (={depth}) must be 6n + 2: 8, 14, 20, 26, ...")
        self.in_channels, self.image_size = in_channels, 32
        self.smallest = 4  # both strides multiplied: from here on the last map is more than padding
        channels, depths = [scaled(number, width) for number in (16, 32, 64)], 3 * [depth // 6]
        block = partial(PreactivationBasicBlock if preactivation else BasicBlock, shortcut=shortcut)
        first = partial(block, activated=True) if preactivation else block
        self.stem = stem(in_channels, channels[0], small=True)
        self.stage1, self.stage2, self.stage3 = residual_stages(block, channels[0], channels, depths, first)
        self.head = classifier(channels[-1], num_classes, preactivation)
        he_normal(self, mode="fan_out", kinds=(nn.Conv2d,))
        add_stochastic_depth(residual_blocks(self), survival)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "ResNet for CIFAR", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 16, H, W
        x = self.stage1(x)  # N, 16, H, W
        x = self.stage2(x)  # N, 32, H / 2, W / 2
        x = self.stage3(x)  # N, 64, H / 4, W / 4
        return self.head(x)


def resnet20(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-20: stages of 3 basic blocks."""
    return _resnet(20, num_classes, in_channels, width, shortcut, preactivation, survival)


def resnet32(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-32: stages of 5 basic blocks."""
    return _resnet(32, num_classes, in_channels, width, shortcut, preactivation, survival)


def resnet44(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-44: stages of 7 basic blocks."""
    return _resnet(44, num_classes, in_channels, width, shortcut, preactivation, survival)


def resnet56(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-56: stages of 9 basic blocks."""
    return _resnet(56, num_classes, in_channels, width, shortcut, preactivation, survival)


def resnet110(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-110: stages of 18 basic blocks."""
    return _resnet(110, num_classes, in_channels, width, shortcut, preactivation, survival)


def resnet1202(
    num_classes: int = 10,
    in_channels: int = 3,
    *,
    width: float = 1.0,
    shortcut: str = "A",
    preactivation: bool = False,
    survival: float = 1.0,
) -> ResNetCifar:
    """ResNet-1202: stages of 200 basic blocks."""
    return _resnet(1202, num_classes, in_channels, width, shortcut, preactivation, survival)


def plain20(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> ResNetCifar:
    """ResNet-20 without shortcuts."""
    return ResNetCifar(20, num_classes, in_channels, width=width, shortcut="none")


def plain32(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> ResNetCifar:
    """ResNet-32 without shortcuts."""
    return ResNetCifar(32, num_classes, in_channels, width=width, shortcut="none")


def plain44(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> ResNetCifar:
    """ResNet-44 without shortcuts."""
    return ResNetCifar(44, num_classes, in_channels, width=width, shortcut="none")


def plain56(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> ResNetCifar:
    """ResNet-56 without shortcuts."""
    return ResNetCifar(56, num_classes, in_channels, width=width, shortcut="none")


def plain110(num_classes: int = 10, in_channels: int = 3, *, width: float = 1.0) -> ResNetCifar:
    """ResNet-110 without shortcuts."""
    return ResNetCifar(110, num_classes, in_channels, width=width, shortcut="none")


def _resnet(
    depth: int,
    num_classes: int,
    in_channels: int,
    width: float,
    shortcut: str,
    preactivation: bool,
    survival: float,
) -> ResNetCifar:
    check_residual(shortcut)
    options = {"width": width, "shortcut": shortcut, "preactivation": preactivation, "survival": survival}
    return ResNetCifar(depth, num_classes, in_channels, **options)
