"""ResNet: each block adds a correction to its input, so that 152 layers still train; and its pre-activated second form.

K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, CVPR 2016, table 1 and figure 3;
Identity mappings in deep residual networks, ECCV 2016, figures 1 and 4(e) and the appendix (the forms V2).

| stage  | paper          | output (18, 34)      | ResNet-18  | ResNet-34  | ResNet-50  | ResNet-101 | ResNet-152 |
| ------ | -------------- | -------------------- | ---------- | ---------- | ---------- | ---------- | ---------- |
| stem   | conv1          | 64 x 56 x 56         | 9,536      | 9,536      | 9,536      | 9,536      | 9,536      |
| stage1 | conv2_x        | 64 (256) x 56 x 56   | 147,968    | 221,952    | 215,808    | 215,808    | 215,808    |
| stage2 | conv3_x        | 128 (512) x 28 x 28  | 525,568    | 1,116,416  | 1,219,584  | 1,219,584  | 2,339,840  |
| stage3 | conv4_x        | 256 (1024) x 14 x 14 | 2,099,712  | 6,822,400  | 7,098,368  | 26,090,496 | 40,613,888 |
| stage4 | conv5_x        | 512 (2048) x 7 x 7   | 8,393,728  | 13,114,368 | 14,964,736 | 14,964,736 | 14,964,736 |
| head   | fc             | classes              | 513,000    | 513,000    | 2,049,000  | 2,049,000  | 2,049,000  |
| all    | parameters     |                      | 11,689,512 | 21,797,672 | 25,557,032 | 44,549,160 | 60,192,808 |
| all    | 10^9 mult-adds |                      | 1.814      | 3.664      | 3.858      | 7.570      | 11.282     |
| all    | as printed     |                      | 1.8        | 3.6        | 3.8        | 7.6        | 11.3       |

Channels in brackets: bottlenecks. Plain-18 and plain-34 have 11,515,688 and 21,623,848 parameters (no projections). V2
has 11,687,720, 21,795,880, 25,549,352, 44,541,480 and 60,185,128: normalisation moves before the convolutions, and the
projections have none. The paper has no V2 of 18 and 34 layers; they are built by its rule.

The stride of a bottleneck stands in its first 1x1 convolution (`stride_in="1x1"`, the default): only so come out the
mult-adds that the paper prints. torchvision and V2 have it in the 3x3 convolution, which then sees all pixels:
4.089, 7.801 and 11.514. Parameters do not differ, so torchvision's weights are only taken with `stride_in="3x3"`.
Keras (V1: 1x1) gives biases to all convolutions of V1, and in V2 to the stem, the projections and each block's last.

Small images: the stem is one 3x3 convolution with stride 1, without pooling. Stages, blocks and channels stay; 32 x 32
pixels come to 4 x 4. ResNet-18 then has 11,173,962 parameters for 10 classes, and 0.555 10^9 mult-adds.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.stochastic_depth import add_stochastic_depth


class ResidualBlock(nn.Module):
    """What every residual block is: post(shortcut(pre(x)) + residual(pre(x))). Subclasses fill the four places.

    Attributes:
        pre: what both paths share: nothing, or batch normalisation and ReLU.
        shortcut: the way past: identity, padding or projection; None in a plain network, which has only `residual`.
        residual: the layers that learn.
        post: ReLU, or nothing in a pre-activated block.
        out_channels: channels of the output.
    """

    pre: nn.Module
    shortcut: nn.Module | None
    residual: nn.Sequential
    post: nn.Module
    out_channels: int

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, in_channels, H, W]."""
        x = self.pre(x)
        if self.shortcut is None:
            return self.post(self.residual(x))
        return self.post(self.shortcut(x) + self.residual(x))


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions (figure 5, left).

    Args:
        in_channels: channels of the input.
        channels: channels of both convolutions.
        stride: of the first convolution.
        shortcut: where the shape changes, "A" pads with zeros, "B" projects; "none" makes a plain network's layers.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str = "B"):
        super().__init__()
        self.out_channels = channels
        self.pre = nn.Identity()
        self.shortcut = shortcut_of(shortcut, in_channels, channels, stride)
        self.residual = nn.Sequential(
            OrderedDict(
                conv1=conv(in_channels, channels, 3, stride),
                bn1=nn.BatchNorm2d(channels),
                relu1=nn.ReLU(),
                conv2=conv(channels, channels, 3),
                bn2=nn.BatchNorm2d(channels),
            )
        )
        self.post = nn.ReLU()


class Bottleneck(ResidualBlock):
    """1x1 down, 3x3, 1x1 up to four times the channels (figure 5, right): deeper at the cost of a basic block.

    Args:
        in_channels: channels of the input.
        channels: channels of the 3x3 convolution; the output has four times as many.
        stride: of the block.
        stride_in: which convolution has the stride, "1x1" (the first) or "3x3".
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, stride_in: str = "1x1"):
        super().__init__()
        if stride_in not in ("1x1", "3x3"):
            raise ValueError(f"stride_in (={stride_in!r}) must be '1x1' or '3x3'")
        stride1, stride2 = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.out_channels = 4 * channels
        self.pre = nn.Identity()
        self.shortcut = shortcut_of("B", in_channels, 4 * channels, stride)
        self.residual = nn.Sequential(
            OrderedDict(
                conv1=conv(in_channels, channels, 1, stride1),
                bn1=nn.BatchNorm2d(channels),
                relu1=nn.ReLU(),
                conv2=conv(channels, channels, 3, stride2),
                bn2=nn.BatchNorm2d(channels),
                relu2=nn.ReLU(),
                conv3=conv(channels, 4 * channels, 1),
                bn3=nn.BatchNorm2d(4 * channels),
            )
        )
        self.post = nn.ReLU()


class PreactivationBasicBlock(ResidualBlock):
    """A basic block with batch normalisation and ReLU before each convolution; nothing follows the addition.

    Args: as for BasicBlock, and
        activated: the input comes activated (from the stem), so that the block does not begin with an activation.
    """

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str = "B", activated: bool = False
    ):
        super().__init__()
        self.out_channels = channels
        self.shortcut = shortcut_of(shortcut, in_channels, channels, stride, norm=False)
        self.pre, first = _preactivation(in_channels, self.shortcut, activated)
        self.residual = nn.Sequential(
            OrderedDict(
                **first,
                conv1=conv(in_channels, channels, 3, stride),
                bn2=nn.BatchNorm2d(channels),
                relu2=nn.ReLU(),
                conv2=conv(channels, channels, 3),
            )
        )
        self.post = nn.Identity()


class PreactivationBottleneck(ResidualBlock):
    """A bottleneck with batch normalisation and ReLU before each convolution; the 3x3 one has the stride.

    Args: as for Bottleneck and PreactivationBasicBlock.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, activated: bool = False):
        super().__init__()
        self.out_channels = 4 * channels
        self.shortcut = shortcut_of("B", in_channels, 4 * channels, stride, norm=False)
        self.pre, first = _preactivation(in_channels, self.shortcut, activated)
        self.residual = nn.Sequential(
            OrderedDict(
                **first,
                conv1=conv(in_channels, channels, 1),
                bn2=nn.BatchNorm2d(channels),
                relu2=nn.ReLU(),
                conv2=conv(channels, channels, 3, stride),
                bn3=nn.BatchNorm2d(channels),
                relu3=nn.ReLU(),
                conv3=conv(channels, 4 * channels, 1),
            )
        )
        self.post = nn.Identity()


class PaddingShortcut(nn.Module):
    """Shortcut A: every stride-th pixel, and maps of zeros for the channels that are missing. No parameters."""

    def __init__(self, out_channels: int, stride: int):
        super().__init__()
        self.out_channels, self.stride = out_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / stride, W / stride] for x [N, C, H, W]."""
        missing = self.out_channels - x.shape[1]
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, missing))

    def extra_repr(self) -> str:
        """Show the settings where the network is printed."""
        return f"out_channels={self.out_channels}, stride={self.stride}"


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, global average pooling and one linear layer.

    Convolutions begin with He's normal distribution (fan-out), batch normalisation with 1 and 0.

    Args:
        block: makes a block from (in_channels, channels, stride).
        depths: number of blocks of each stage.
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor on all channel numbers.
        survival: probability with which the last block survives (stochastic depth, 0.5 in its paper); 1 keeps all.
        preactivation: the blocks are pre-activated: the first gets its input activated, the head activates its own.
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^(conv|bn)1\.", r"stem.\1."),
        (r"^layer(\d)\.", r"stage\1."),
        (r"^(stage\d\.\d+)\.((conv|bn)\d)\.", r"\1.residual.\2."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.bn."),
        (r"^fc\.", "head.fc."),
    )

    def __init__(
        self,
        block: Callable[..., ResidualBlock],
        depths: Sequence[int],
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        small: bool = False,
        width: float = 1.0,
        survival: float = 1.0,
        preactivation: bool = False,
    ):
        super().__init__()
        self.in_channels, self.image_size = in_channels, 32 if small else 224
        self.smallest = 8 if small else 32  # all strides multiplied: from here on the last map is more than padding
        channels = [scaled(number, width) for number in (64, 128, 256, 512)]
        first = partial(block, activated=True) if preactivation else block
        self.stem = stem(in_channels, channels[0], small)
        stages = residual_stages(block, channels[0], channels, depths, first)
        self.stage1, self.stage2, self.stage3, self.stage4 = stages
        self.head = classifier(self.stage4[-1].out_channels, num_classes, preactivation)
        he_normal(self, mode="fan_out", kinds=(nn.Conv2d,))
        add_stochastic_depth(residual_blocks(self), survival)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, type(self).__name__, self.in_channels, self.smallest)
        x = self.stem(x)  # N, 64, H / 4, W / 4
        x = self.stage1(x)  # N, 64 (bottlenecks: 256), H / 4, W / 4
        x = self.stage2(x)  # N, 128 (512), H / 8, W / 8
        x = self.stage3(x)  # N, 256 (1024), H / 16, W / 16
        x = self.stage4(x)  # N, 512 (2048), H / 32, W / 32
        return self.head(x)


def residual_stages(
    block: Callable[..., ResidualBlock],
    in_channels: int,
    channels: Sequence[int],
    depths: Sequence[int],
    first: Callable[..., ResidualBlock],
) -> list[nn.Sequential]:
    """Return one stage for each number of `channels` and `depths`; each but the first begins with stride 2.

    `first` makes the first block of all, `block` the others, from (in_channels, channels, stride).
    """
    stages, make = [], first
    for stage_channels, depth in zip(channels, depths, strict=True):
        blocks = []
        for number in range(depth):
            stride = 2 if stages and number == 0 else 1
            blocks.append(make(in_channels, stage_channels, stride))
            in_channels, make = blocks[-1].out_channels, block
        stages.append(nn.Sequential(*blocks))
    return stages


def residual_blocks(model: nn.Module) -> list[ResidualBlock]:
    """Return the residual blocks of a network, in the order of the forward pass."""
    return [module for module in model.modules() if isinstance(module, ResidualBlock)]


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps height and width at stride 1; no bias, as batch normalisation has one."""
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)


def stem(in_channels: int, channels: int, small: bool) -> nn.Sequential:
    """Return the layers before the first stage: down to a quarter of the height, or with `small` at full height."""
    layers = OrderedDict(
        conv=conv(in_channels, channels, 3) if small else conv(in_channels, channels, 7, stride=2),
        bn=nn.BatchNorm2d(channels),
        relu=nn.ReLU(),
    )
    if not small:
        layers["pool"] = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(layers)


def classifier(channels: int, num_classes: int, preactivation: bool = False) -> nn.Sequential:
    """Return the head: the mean of each map, then one linear layer; before it the activation that is still due."""
    activation = {"bn": nn.BatchNorm2d(channels), "relu": nn.ReLU()} if preactivation else {}
    return nn.Sequential(
        OrderedDict(
            **activation, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, num_classes)
        )
    )


def check_residual(shortcut: str) -> None:
    """Raise ValueError unless the shortcut is that of a residual network; one without any is called plain."""
    if shortcut not in ("A", "B"):
        raise ValueError(
            f"shortcut (={shortcut!r}) must be 'A' (padding) or 'B' (projection); none: the plain networks"
        )


def shortcut_of(kind: str, in_channels: int, out_channels: int, stride: int, norm: bool = True) -> nn.Module | None:
    """Return the shortcut of a block; the projection of a pre-activated block has no normalisation of its own."""
    if kind not in ("A", "B", "none"):
        raise ValueError(f"shortcut (={kind!r}) must be 'A' (padding), 'B' (projection) or 'none'")
    if kind == "none":
        return None
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if kind == "A":
        return PaddingShortcut(out_channels, stride)
    projection = OrderedDict(conv=conv(in_channels, out_channels, 1, stride))
    if norm:
        projection["bn"] = nn.BatchNorm2d(out_channels)
    return nn.Sequential(projection)


def _preactivation(channels: int, shortcut: nn.Module | None, activated: bool) -> tuple[nn.Module, dict]:
    """Return a block's first activation as (part of `pre`, part of `residual`): shared where the shortcut projects."""
    if activated:
        return nn.Identity(), {}
    activation = {"bn1": nn.BatchNorm2d(channels), "relu1": nn.ReLU()}
    if isinstance(shortcut, nn.Identity):
        return nn.Identity(), activation
    return nn.Sequential(OrderedDict(activation)), {}


def resnet18(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    shortcut: str = "B",
    survival: float = 1.0,
) -> ResNet:
    """ResNet-18: stages of 2, 2, 2, 2 basic blocks. Shortcut "B" projects, "A" pads (the paper's table 2)."""
    check_residual(shortcut)
    block = partial(BasicBlock, shortcut=shortcut)
    return ResNet(block, (2, 2, 2, 2), num_classes, in_channels, small=small, width=width, survival=survival)


def resnet34(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    shortcut: str = "B",
    survival: float = 1.0,
) -> ResNet:
    """ResNet-34: stages of 3, 4, 6, 3 basic blocks. Shortcut "B" projects, "A" pads (the paper's table 2)."""
    check_residual(shortcut)
    block = partial(BasicBlock, shortcut=shortcut)
    return ResNet(block, (3, 4, 6, 3), num_classes, in_channels, small=small, width=width, survival=survival)


def resnet50(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    stride_in: str = "1x1",
    survival: float = 1.0,
) -> ResNet:
    """ResNet-50: stages of 3, 4, 6, 3 bottlenecks."""
    return _bottlenecks((3, 4, 6, 3), stride_in, num_classes, in_channels, small, width, survival)


def resnet101(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    stride_in: str = "1x1",
    survival: float = 1.0,
) -> ResNet:
    """ResNet-101: stages of 3, 4, 23, 3 bottlenecks."""
    return _bottlenecks((3, 4, 23, 3), stride_in, num_classes, in_channels, small, width, survival)


def resnet152(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    stride_in: str = "1x1",
    survival: float = 1.0,
) -> ResNet:
    """ResNet-152: stages of 3, 8, 36, 3 bottlenecks."""
    return _bottlenecks((3, 8, 36, 3), stride_in, num_classes, in_channels, small, width, survival)


def plain18(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> ResNet:
    """ResNet-18 without shortcuts."""
    block = partial(BasicBlock, shortcut="none")
    return ResNet(block, (2, 2, 2, 2), num_classes, in_channels, small=small, width=width)


def plain34(num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0) -> ResNet:
    """ResNet-34 without shortcuts: deeper than plain-18, and worse, even on the images that it was trained on."""
    block = partial(BasicBlock, shortcut="none")
    return ResNet(block, (3, 4, 6, 3), num_classes, in_channels, small=small, width=width)


def resnet18_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNet:
    """ResNet-18 with pre-activated basic blocks."""
    return _preactivated(PreactivationBasicBlock, (2, 2, 2, 2), num_classes, in_channels, small, width, survival)


def resnet34_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNet:
    """ResNet-34 with pre-activated basic blocks."""
    return _preactivated(PreactivationBasicBlock, (3, 4, 6, 3), num_classes, in_channels, small, width, survival)


def resnet50_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNet:
    """ResNet-50 with pre-activated bottlenecks."""
    return _preactivated(PreactivationBottleneck, (3, 4, 6, 3), num_classes, in_channels, small, width, survival)


def resnet101_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNet:
    """ResNet-101 with pre-activated bottlenecks."""
    return _preactivated(PreactivationBottleneck, (3, 4, 23, 3), num_classes, in_channels, small, width, survival)


def resnet152_v2(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0, survival: float = 1.0
) -> ResNet:
    """ResNet-152 with pre-activated bottlenecks."""
    return _preactivated(PreactivationBottleneck, (3, 8, 36, 3), num_classes, in_channels, small, width, survival)


def _bottlenecks(
    depths: Sequence[int],
    stride_in: str,
    num_classes: int,
    in_channels: int,
    small: bool,
    width: float,
    survival: float,
) -> ResNet:
    block = partial(Bottleneck, stride_in=stride_in)
    model = ResNet(block, depths, num_classes, in_channels, small=small, width=width, survival=survival)
    if stride_in == "1x1":
        model.TORCHVISION_NAMES = None  # torchvision's weights would fit, and compute something else
    return model


def _preactivated(
    block: Callable[..., ResidualBlock],
    depths: Sequence[int],
    num_classes: int,
    in_channels: int,
    small: bool,
    width: float,
    survival: float,
) -> ResNet:
    options = {"small": small, "width": width, "survival": survival}
    return ResNet(block, depths, num_classes, in_channels, preactivation=True, **options)
