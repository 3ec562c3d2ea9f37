"""Inception-v4 and Inception-ResNet-v2: the same modules without and with residual connections.

C. Szegedy, S. Ioffe, V. Vanhoucke and A. Alemi, Inception-v4, Inception-ResNet and the impact of residual connections
on learning, AAAI 2017: figures 3 to 9 and table 1 for Inception-v4, 15 to 19 for Inception-ResNet-v2.

| stage      | Inception-v4   | parameters | Inception-ResNet-v2 | parameters | by the figures | parameters |
| ---------- | -------------- | ---------- | ------------------- | ---------- | -------------- | ---------- |
| stem       | 384 x 35 x 35  | 605,728    | 320 x 35 x 35       | 440,992    | 384 x 35 x 35  | 605,728    |
| stage1     | 384 x 35 x 35  | 1,270,528  | 320 x 35 x 35       | 1,231,680  | 384 x 35 x 35  | 687,840    |
| reduction1 | 1024 x 17 x 17 | 2,306,112  | 1088 x 17 x 17      | 2,664,960  | 1152 x 17 x 17 | 2,902,528  |
| stage2     | 1024 x 17 x 17 | 20,553,792 | 1088 x 17 x 17      | 22,535,680 | 1152 x 17 x 17 | 11,719,040 |
| reduction2 | 1536 x 8 x 8   | 2,747,392  | 2080 x 8 x 8        | 3,880,960  | 2144 x 8 x 8   | 3,930,112  |
| stage3     | 1536 x 8 x 8   | 13,659,264 | 2080 x 8 x 8        | 20,354,240 | 2144 x 8 x 8   | 10,443,680 |
| head       | 1000           | 1,537,000  | 1000                | 4,734,952  | 1000           | 2,145,000  |
| total      |                | 42,679,816 |                     | 55,843,464 |                | 32,433,928 |

Inception-ResNet-v2 exists twice. The figures show 5, 10 and 5 blocks behind the stem of Inception-v4. What the authors
released, and everyone uses, has 10, 20 and 10 blocks behind the stem of Inception-v3 and one more module, no factor and
no activation in the last block, and a 1x1 convolution to 1536 channels in the head. The paper says that its network
costs about as much as Inception-v4, which takes 12,254 million mult-adds: the released one takes 13,156 million, that
of the figures 9,258. So `inception_resnet_v2()` is the released one, and `inception_resnet_v2(released=False)` follows
the figures (with 1152 and 2144 channels where they print 1154 and 2048: an addition needs as many as its shortcut has).

Keras has the released network, without the factor of every batch normalisation, and counts the 30,272 running means and
the 30,272 running variances: 55,843,464 - 30,272 + 2 x 30,272 = 55,873,736. torchvision has neither network.

Small form, for 32x32: the stem is padded, its only stride is that of its last step (pool2, where it is the stem of
Inception-v3), every number of channels is halved, and so is the number of blocks of each stage, rounded up. Stages 1,
2 and 3 have maps of 16 x 16, 7 x 7 and 3 x 3 pixels.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.inception_v3 import (
    Branches,
    ConvNormReLU,
    ReductionA,
    average,
    chain,
    classifier,
    fork,
    inception_stem,
)
from cnnviz.models.resnet import ResidualBlock, residual_blocks
from cnnviz.models.stochastic_depth import add_stochastic_depth


class InceptionV4(nn.Module):
    """Inception-v4. 42,679,816 parameters.

    The paper does not say how weights begin: here as He et al. 2015 (normal, variance 2 / fan-in), biases 0.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor of all numbers of channels.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0):
        super().__init__()
        self.in_channels, self.image_size = in_channels, 32 if small else 299
        self.smallest = 13 if small else 75  # pixels
        depths = (2, 4, 2) if small else (4, 7, 3)

        def c(channels: int) -> int:
            return scaled(channels // 2 if small else channels, width)

        self.stem, channels = _stem(in_channels, c, small=small)
        self.stage1, channels = _stage(InceptionA, depths[0], channels, c)
        self.reduction1 = ReductionA(channels, 384, (192, 224, 256), c)
        self.stage2, channels = _stage(InceptionB, depths[1], self.reduction1.out_channels, c)
        self.reduction2 = ReductionB(channels, c)
        self.stage3, channels = _stage(InceptionC, depths[2], self.reduction2.out_channels, c)
        self.head = classifier(channels, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "Inception-v4", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 384, 35, 35
        x = self.stage1(x)
        x = self.reduction1(x)  # N, 1024, 17, 17
        x = self.stage2(x)
        x = self.reduction2(x)  # N, 1536, 8, 8
        x = self.stage3(x)
        return self.head(x)


class InceptionResNetV2(nn.Module):
    """Inception-ResNet-v2 as released. 55,843,464 parameters; 32,433,928 by the figures.

    The paper does not say how weights begin: here as He et al. 2015 (normal, variance 2 / fan-in), biases 0.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor of all numbers of channels.
        survival: probability with which the last block survives (stochastic depth); 1 keeps all.
        released: the network that the authors released; False for the one of the paper's figures.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        small: bool = False,
        width: float = 1.0,
        survival: float = 1.0,
        released: bool = True,
    ):
        super().__init__()
        self.in_channels, self.image_size = in_channels, 32 if small else 299
        self.smallest = 13 if small else 75  # pixels
        depths = (10, 20, 10) if released else (5, 10, 5)
        if small:
            depths = [(depth + 1) // 2 for depth in depths]

        def c(channels: int) -> int:
            return scaled(channels // 2 if small else channels, width)

        stem = _released_stem if released else _stem
        self.stem, channels = stem(in_channels, c, small=small)
        self.stage1 = nn.Sequential(*[InceptionResNetA(channels, c) for _ in range(depths[0])])
        self.reduction1 = ReductionA(channels, 384, (256, 256, 384), c)
        channels = self.reduction1.out_channels
        self.stage2 = nn.Sequential(*[InceptionResNetB(channels, c) for _ in range(depths[1])])
        self.reduction2 = ReductionBOfResNet(channels, c)
        channels = self.reduction2.out_channels
        self.stage3 = nn.Sequential(*[InceptionResNetC(channels, c) for _ in range(depths[2])])
        if released:
            self.stage3[-1] = InceptionResNetC(channels, c, scale=1.0, activated=False)
            convolution = ConvNormReLU(channels, c(1536), 1)
            layers = classifier(c(1536), num_classes).named_children()
            self.head = nn.Sequential(OrderedDict([("conv", convolution), *layers]))
        else:
            self.head = classifier(channels, num_classes)
        he_normal(self)
        add_stochastic_depth(residual_blocks(self), survival)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "Inception-ResNet-v2", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 320, 35, 35 (by the figures 384)
        x = self.stage1(x)
        x = self.reduction1(x)  # N, 1088, 17, 17 (1152)
        x = self.stage2(x)
        x = self.reduction2(x)  # N, 2080, 8, 8 (2144)
        x = self.stage3(x)
        return self.head(x)


class InceptionA(Branches):
    """The module on 35 x 35 maps (figure 4).

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, c(96), 1),
                "branch3x3": chain(in_channels, (c(64), 1), (c(96), 3)),
                "branch3x3dbl": chain(in_channels, (c(64), 1), (c(96), 3), (c(96), 3)),
                "branch_pool": average(in_channels, c(96), count_include_pad=False),
            }
        )
        self.out_channels = 4 * c(96)


class InceptionB(Branches):
    """The module on 17 x 17 maps (figure 5): 7x7 filters taken apart into 1x7 and 7x1.

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, c(384), 1),
                "branch7x7": chain(in_channels, (c(192), 1), (c(224), (1, 7)), (c(256), (7, 1))),
                "branch7x7dbl": nn.Sequential(
                    *chain(in_channels, (c(192), 1), (c(192), (7, 1)), (c(224), (1, 7))),
                    *chain(c(224), (c(224), (7, 1)), (c(256), (1, 7))),
                ),
                "branch_pool": average(in_channels, c(128), count_include_pad=False),
            }
        )
        self.out_channels = c(384) + 2 * c(256) + c(128)


class ReductionB(Branches):
    """From 17 x 17 maps to 8 x 8 (figure 8).

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch3x3": nn.Sequential(
                    ConvNormReLU(in_channels, c(192), 1),
                    ConvNormReLU(c(192), c(192), 3, stride=2, padded=False),
                ),
                "branch7x7x3": nn.Sequential(
                    *chain(in_channels, (c(256), 1), (c(256), (1, 7)), (c(320), (7, 1))),
                    ConvNormReLU(c(320), c(320), 3, stride=2, padded=False),
                ),
                "branch_pool": nn.MaxPool2d(kernel_size=3, stride=2),
            }
        )
        self.out_channels = c(192) + c(320) + in_channels


class InceptionC(Branches):
    """The module on 8 x 8 maps (figure 6): 1x3 and 3x1 filters side by side.

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, c(256), 1),
                "branch3x3": nn.Sequential(
                    ConvNormReLU(in_channels, c(384), 1),
                    fork(c(384), c(256)),
                ),
                "branch3x3dbl": nn.Sequential(
                    *chain(in_channels, (c(384), 1), (c(448), (3, 1)), (c(512), (1, 3))),
                    fork(c(512), c(256)),
                ),
                "branch_pool": average(in_channels, c(256), count_include_pad=False),
            }
        )
        self.out_channels = 6 * c(256)


class InceptionResNetBlock(ResidualBlock):
    """A residual block: branches, a 1x1 convolution up to the channels of the input, a small factor, the addition.

    Very wide residual networks "die" early in training unless their residuals are scaled down, by 0.1 to 0.3
    (section 3.3). The factors here are those that the authors released.

    Args:
        branches: what the residual consists of.
        joined: channels of all branches together.
        channels: channels of input and output.
        scale: factor of the residual.
        activated: whether a ReLU follows the addition.
    """

    def __init__(self, branches: Branches, joined: int, channels: int, scale: float, activated: bool = True):
        super().__init__()
        self.pre = nn.Identity()
        self.shortcut = nn.Identity()
        self.residual = nn.Sequential(
            OrderedDict(branches=branches, expand=nn.Conv2d(joined, channels, kernel_size=1), scale=Scale(scale))
        )
        self.post = nn.ReLU() if activated else nn.Identity()


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return factor * x."""
        return self.factor * x

    def extra_repr(self) -> str:
        """Show the factor where the network is printed."""
        return f"{self.factor:g}"


class InceptionResNetA(InceptionResNetBlock):
    """The block on 35 x 35 maps (figure 16).

    Args:
        channels: channels of input and output.
        c: what scales a number of channels.
    """

    def __init__(self, channels: int, c: Callable[[int], int]):
        branches = Branches(
            {
                "branch1x1": ConvNormReLU(channels, c(32), 1),
                "branch3x3": chain(channels, (c(32), 1), (c(32), 3)),
                "branch3x3dbl": chain(channels, (c(32), 1), (c(48), 3), (c(64), 3)),
            }
        )
        super().__init__(branches, 2 * c(32) + c(64), channels, scale=0.17)


class InceptionResNetB(InceptionResNetBlock):
    """The block on 17 x 17 maps (figure 17).

    Args:
        channels: channels of input and output.
        c: what scales a number of channels.
    """

    def __init__(self, channels: int, c: Callable[[int], int]):
        branches = Branches(
            {
                "branch1x1": ConvNormReLU(channels, c(192), 1),
                "branch7x7": chain(channels, (c(128), 1), (c(160), (1, 7)), (c(192), (7, 1))),
            }
        )
        super().__init__(branches, 2 * c(192), channels, scale=0.1)


class ReductionBOfResNet(Branches):
    """From 17 x 17 maps to 8 x 8, with three branches of 3x3 filters (figure 18).

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch3x3": nn.Sequential(
                    ConvNormReLU(in_channels, c(256), 1),
                    ConvNormReLU(c(256), c(384), 3, stride=2, padded=False),
                ),
                "branch3x3narrow": nn.Sequential(
                    ConvNormReLU(in_channels, c(256), 1),
                    ConvNormReLU(c(256), c(288), 3, stride=2, padded=False),
                ),
                "branch3x3dbl": nn.Sequential(
                    *chain(in_channels, (c(256), 1), (c(288), 3)),
                    ConvNormReLU(c(288), c(320), 3, stride=2, padded=False),
                ),
                "branch_pool": nn.MaxPool2d(kernel_size=3, stride=2),
            }
        )
        self.out_channels = c(384) + c(288) + c(320) + in_channels


class InceptionResNetC(InceptionResNetBlock):
    """The block on 8 x 8 maps (figure 19).

    Args:
        channels: channels of input and output.
        c: what scales a number of channels.
        scale: factor of the residual.
        activated: whether a ReLU follows the addition.
    """

    def __init__(self, channels: int, c: Callable[[int], int], scale: float = 0.2, activated: bool = True):
        branches = Branches(
            {
                "branch1x1": ConvNormReLU(channels, c(192), 1),
                "branch3x3": chain(channels, (c(192), 1), (c(224), (1, 3)), (c(256), (3, 1))),
            }
        )
        super().__init__(branches, c(192) + c(256), channels, scale, activated)


def _stem(in_channels: int, c: Callable[[int], int], *, small: bool) -> tuple[nn.Sequential, int]:
    """Return the layers before the first module (figure 3) and their channels: 299 pixels become 35."""
    narrow, wide = 2 * c(96), c(192)
    stride, padding = (1, 1) if small else (2, 0)
    layers = OrderedDict()
    layers["conv1a"] = ConvNormReLU(in_channels, c(32), 3, stride, padded=small)
    layers["conv2a"] = ConvNormReLU(c(32), c(32), 3, padded=small)
    layers["conv2b"] = ConvNormReLU(c(32), c(64), 3)
    layers["mixed3a"] = Branches(
        {
            "pool": nn.MaxPool2d(3, stride, padding),
            "conv": ConvNormReLU(c(64), c(96), 3, stride, padded=small),
        }
    )
    layers["mixed4a"] = Branches(
        {
            "branch3x3": nn.Sequential(
                ConvNormReLU(c(64) + c(96), c(64), 1),
                ConvNormReLU(c(64), c(96), 3, padded=small),
            ),
            "branch7x7x3": nn.Sequential(
                *chain(c(64) + c(96), (c(64), 1), (c(64), (1, 7)), (c(64), (7, 1))),
                ConvNormReLU(c(64), c(96), 3, padded=small),
            ),
        }
    )
    layers["mixed5a"] = Branches(
        {
            "conv": ConvNormReLU(narrow, wide, 3, stride=2, padded=small),
            "pool": nn.MaxPool2d(3, 2, padding),
        }
    )
    return nn.Sequential(layers), narrow + wide


def _released_stem(in_channels: int, c: Callable[[int], int], *, small: bool) -> tuple[nn.Sequential, int]:
    """Return the stem of Inception-v3 with one module more, as the authors released it, and its channels."""
    layers = OrderedDict(inception_stem(in_channels, c, small=small).named_children())
    layers["mixed5b"] = Branches(
        {
            "branch1x1": ConvNormReLU(c(192), c(96), 1),
            "branch5x5": chain(c(192), (c(48), 1), (c(64), 5)),
            "branch3x3dbl": chain(c(192), (c(64), 1), (c(96), 3), (c(96), 3)),
            "branch_pool": average(c(192), c(64), count_include_pad=False),
        }
    )
    return nn.Sequential(layers), 2 * c(96) + 2 * c(64)


def _stage(
    module: Callable[..., nn.Module], depth: int, in_channels: int, c: Callable[[int], int]
) -> tuple[nn.Sequential, int]:
    """Return `depth` modules one after the other, and the channels of the last."""
    modules = []
    for _ in range(depth):
        modules.append(module(in_channels, c))
        in_channels = modules[-1].out_channels
    return nn.Sequential(*modules), in_channels


def inception_v4(
    num_classes: int = 1000, in_channels: int = 3, *, small: bool = False, width: float = 1.0
) -> InceptionV4:
    """Inception-v4: no residual connections."""
    return InceptionV4(num_classes, in_channels, small=small, width=width)


def inception_resnet_v2(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    survival: float = 1.0,
    released: bool = True,
) -> InceptionResNetV2:
    """Inception-ResNet-v2 as its authors released it, or with released=False as the paper's figures show it."""
    return InceptionResNetV2(num_classes, in_channels, small=small, width=width, survival=survival, released=released)
