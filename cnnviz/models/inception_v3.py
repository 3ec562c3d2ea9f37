"""Inception-v3: large filters taken apart into small and one-sided ones (5x5 into two 3x3, 7x7 into 1x7 and 7x1).

C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, Rethinking the Inception architecture for computer vision,
CVPR 2016, table 1 and figures 5 to 8 and 10.

| stage      | output         | parameters |
| ---------- | -------------- | ---------- |
| stem       | 192 x 35 x 35  | 172,672    |
| stage1     | 288 x 35 x 35  | 818,528    |
| reduction1 | 768 x 17 x 17  | 1,153,280  |
| stage2     | 768 x 17 x 17  | 6,821,376  |
| aux        | 1000           | 3,326,696  |
| reduction2 | 1280 x 8 x 8   | 1,698,304  |
| stage3     | 2048 x 8 x 8   | 11,121,408 |
| head       | 1000           | 2,049,000  |

23,834,568 parameters (the paper: less than 25 million) and 3,326,696 in the auxiliary head, which is needed in training
only: 27,161,264. The paper leaves numbers of channels open, and its table 1 differs in the stem from what its authors
released: the released network, built here, is the one that everyone means. In its stage1 one branch still has 5x5
filters; its stage3 is that of figure 7.

torchvision's network is the same one (its pretrained weights want images scaled to mean 0.5 and deviation 0.5, not the
usual ones of ImageNet). Keras leaves out the auxiliary head and the factor of every batch normalisation, and counts the
17,216 running means and the 17,216 running variances: 23,834,568 - 17,216 + 2 x 17,216 = 23,851,784.

Small form, for 32x32: the convolutions of the stem are padded and have stride 1, its first pooling is left out, every
number of channels is halved. Stages 1, 2 and 3 have maps of 16 x 16, 7 x 7 and 3 x 3 pixels; the auxiliary head
averages 7 x 7 to 5 x 5.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled


class InceptionV3Outputs(NamedTuple):
    """Logits of the network and of its auxiliary head, each [N, num_classes].

    The authors' code adds 0.4 times the loss of the auxiliary head to the loss of the network.
    """

    logits: Tensor
    aux: Tensor


class InceptionV3(nn.Module):
    """Inception-v3 with its auxiliary head. 27,161,264 parameters, 23,834,568 without that head.

    The paper does not say how weights begin: here as He et al. 2015 (normal, variance 2 / fan-in), biases 0.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor of all numbers of channels.
        aux_logits: whether there is an auxiliary head.
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^Conv2d_(\d\w)_\dx\d", r"stem.conv\1"),
        (r"^Mixed_5", "stage1.mixed5"),
        (r"^Mixed_6a", "reduction1"),
        (r"^Mixed_6", "stage2.mixed6"),
        (r"^AuxLogits", "aux"),
        (r"^Mixed_7a", "reduction2"),
        (r"^Mixed_7", "stage3.mixed7"),
        (r"^fc", "head.fc"),
        (r"\.branch_pool", ".branch_pool.1"),
        *((rf"_{layer}\.", f".{layer - 1}.") for layer in range(1, 6)),
        *((rf"_{layer}a\.", f".{layer - 1}.branch1x3.") for layer in (2, 3)),
        *((rf"_{layer}b\.", f".{layer - 1}.branch3x1.") for layer in (2, 3)),
    )

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        small: bool = False,
        width: float = 1.0,
        aux_logits: bool = True,
    ):
        super().__init__()
        self.in_channels, self.image_size = in_channels, 32 if small else 299
        self.smallest = 13 if small else 107  # pixels; the auxiliary head needs maps of 5 x 5
        self.aux_logits = aux_logits

        def c(channels: int) -> int:
            return scaled(channels // 2 if small else channels, width)

        self.stem = inception_stem(in_channels, c, small=small)
        mixed5b = InceptionA(c(192), 32, c)
        mixed5c = InceptionA(mixed5b.out_channels, 64, c)
        mixed5d = InceptionA(mixed5c.out_channels, 64, c)
        self.stage1 = nn.Sequential(OrderedDict(mixed5b=mixed5b, mixed5c=mixed5c, mixed5d=mixed5d))
        self.reduction1 = ReductionA(mixed5d.out_channels, 384, (64, 96, 96), c)
        mixed6b = InceptionB(self.reduction1.out_channels, 128, c)
        mixed6c = InceptionB(mixed6b.out_channels, 160, c)
        mixed6d = InceptionB(mixed6c.out_channels, 160, c)
        mixed6e = InceptionB(mixed6d.out_channels, 192, c)
        self.stage2 = nn.Sequential(OrderedDict(mixed6b=mixed6b, mixed6c=mixed6c, mixed6d=mixed6d, mixed6e=mixed6e))
        if aux_logits:
            self.aux = _auxiliary_head(mixed6e.out_channels, num_classes, c, small=small)
        self.reduction2 = ReductionB(mixed6e.out_channels, c)
        mixed7b = InceptionC(self.reduction2.out_channels, c)
        mixed7c = InceptionC(mixed7b.out_channels, c)
        self.stage3 = nn.Sequential(OrderedDict(mixed7b=mixed7b, mixed7c=mixed7c))
        self.head = classifier(mixed7c.out_channels, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor | InceptionV3Outputs:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W].

        In training mode, with the auxiliary head, return InceptionV3Outputs(logits, aux).
        """
        check_image(x, "Inception-v3", self.in_channels, self.smallest)
        with_aux = self.training and self.aux_logits
        x = self.stem(x)  # N, 192, 35, 35
        x = self.stage1(x)  # N, 288, 35, 35
        x = self.reduction1(x)  # N, 768, 17, 17
        x = self.stage2(x)
        aux = self.aux(x) if with_aux else None
        x = self.reduction2(x)  # N, 1280, 8, 8
        x = self.stage3(x)  # N, 2048, 8, 8
        logits = self.head(x)
        return InceptionV3Outputs(logits, aux) if with_aux else logits


class ConvNormReLU(nn.Sequential):
    """A convolution without bias, batch normalisation, ReLU: the unit of every later Inception network.

    Args:
        in_channels: channels of the input.
        out_channels: number of filters.
        kernel_size: of the filters, one number or (height, width).
        stride: of the filters.
        padded: whether zeros around the input keep its size (at stride 1).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        *,
        padded: bool = True,
    ):
        height, width = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        padding = (height // 2, width // 2) if padded else 0
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, out_channels, (height, width), stride, padding, bias=False),
                bn=nn.BatchNorm2d(out_channels, eps=0.001),  # the eps of Google's networks, and of torchvision's
                relu=nn.ReLU(),
            )
        )


class Branches(nn.ModuleDict):
    """Branches side by side, their outputs joined along the channels: what all Inception modules are."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, sum of the branches' channels, H', W'] for x [N, C, H, W]."""
        return torch.cat([branch(x) for branch in self.values()], dim=1)


class InceptionA(Branches):
    """The module on 35 x 35 maps: 1x1, 5x5 and twice 3x3 filters, and an average (figure 5, with a 5x5 left).

    Args:
        in_channels: channels of the input.
        pool_channels: channels of the branch of the average.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, pool_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, c(64), 1),
                "branch5x5": chain(in_channels, (c(48), 1), (c(64), 5)),
                "branch3x3dbl": chain(in_channels, (c(64), 1), (c(96), 3), (c(96), 3)),
                "branch_pool": average(in_channels, c(pool_channels)),
            }
        )
        self.out_channels = c(64) + c(64) + c(96) + c(pool_channels)


class ReductionA(Branches):
    """From 35 x 35 maps to 17 x 17: 3x3 and twice 3x3 filters of stride 2, and a maximum (figure 10).

    Args:
        in_channels: channels of the input.
        out3x3: channels of the branch of 3x3 filters.
        double: channels of the three convolutions in the branch of twice 3x3 filters.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, out3x3: int, double: tuple[int, int, int], c: Callable[[int], int]):
        reduced, between, out = map(c, double)
        super().__init__(
            {
                "branch3x3": ConvNormReLU(in_channels, c(out3x3), 3, stride=2, padded=False),
                "branch3x3dbl": nn.Sequential(
                    *chain(in_channels, (reduced, 1), (between, 3)),
                    ConvNormReLU(between, out, 3, stride=2, padded=False),
                ),
                "branch_pool": nn.MaxPool2d(kernel_size=3, stride=2),
            }
        )
        self.out_channels = c(out3x3) + out + in_channels


class InceptionB(Branches):
    """The module on 17 x 17 maps: 7x7 filters taken apart into 1x7 and 7x1 (figure 6 with n = 7).

    Args:
        in_channels: channels of the input.
        inner: channels between the one-sided filters.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, inner: int, c: Callable[[int], int]):
        n, out = c(inner), c(192)
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, out, 1),
                "branch7x7": chain(in_channels, (n, 1), (n, (1, 7)), (out, (7, 1))),
                "branch7x7dbl": chain(in_channels, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (out, (1, 7))),
                "branch_pool": average(in_channels, out),
            }
        )
        self.out_channels = 4 * out


class ReductionB(Branches):
    """From 17 x 17 maps to 8 x 8: 3x3 filters of stride 2, alone and after 1x7 and 7x1, and a maximum.

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        n = c(192)
        super().__init__(
            {
                "branch3x3": nn.Sequential(
                    ConvNormReLU(in_channels, n, 1),
                    ConvNormReLU(n, c(320), 3, stride=2, padded=False),
                ),
                "branch7x7x3": nn.Sequential(
                    *chain(in_channels, (n, 1), (n, (1, 7)), (n, (7, 1))),
                    ConvNormReLU(n, n, 3, stride=2, padded=False),
                ),
                "branch_pool": nn.MaxPool2d(kernel_size=3, stride=2),
            }
        )
        self.out_channels = c(320) + n + in_channels


class InceptionC(Branches):
    """The module on 8 x 8 maps: 1x3 and 3x1 filters side by side, for many features (figure 7).

    Args:
        in_channels: channels of the input.
        c: what scales a number of channels.
    """

    def __init__(self, in_channels: int, c: Callable[[int], int]):
        super().__init__(
            {
                "branch1x1": ConvNormReLU(in_channels, c(320), 1),
                "branch3x3": nn.Sequential(
                    ConvNormReLU(in_channels, c(384), 1),
                    fork(c(384), c(384)),
                ),
                "branch3x3dbl": nn.Sequential(
                    *chain(in_channels, (c(448), 1), (c(384), 3)),
                    fork(c(384), c(384)),
                ),
                "branch_pool": average(in_channels, c(192)),
            }
        )
        self.out_channels = c(320) + 4 * c(384) + c(192)


def chain(in_channels: int, *layers: tuple[int, int | tuple[int, int]]) -> nn.Sequential:
    """Return convolutions one after the other, each given as (out_channels, kernel_size)."""
    convolutions = []
    for out_channels, kernel_size in layers:
        convolutions.append(ConvNormReLU(in_channels, out_channels, kernel_size))
        in_channels = out_channels
    return nn.Sequential(*convolutions)


def fork(in_channels: int, out_channels: int) -> Branches:
    """Return 1x3 and 3x1 filters side by side, `out_channels` of each."""
    return Branches(
        {
            "branch1x3": ConvNormReLU(in_channels, out_channels, (1, 3)),
            "branch3x1": ConvNormReLU(in_channels, out_channels, (3, 1)),
        }
    )


def average(in_channels: int, out_channels: int, *, count_include_pad: bool = True) -> nn.Sequential:
    """Return the mean of 3x3 pixels and a 1x1 convolution.

    Means at the border count its zeros, as torchvision's do; with count_include_pad=False they do not, as in Keras.
    """
    return nn.Sequential(
        nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=count_include_pad),
        ConvNormReLU(in_channels, out_channels, 1),
    )


def inception_stem(in_channels: int, c: Callable[[int], int], *, small: bool) -> nn.Sequential:
    """Return the layers before the first module: 299 pixels become 35, in the small form 32 become 16."""
    layers = OrderedDict()
    layers["conv1a"] = ConvNormReLU(in_channels, c(32), 3, stride=1 if small else 2, padded=small)
    layers["conv2a"] = ConvNormReLU(c(32), c(32), 3, padded=small)
    layers["conv2b"] = ConvNormReLU(c(32), c(64), 3)
    if not small:
        layers["pool1"] = nn.MaxPool2d(kernel_size=3, stride=2)
    layers["conv3b"] = ConvNormReLU(c(64), c(80), 1)
    layers["conv4a"] = ConvNormReLU(c(80), c(192), 3, padded=small)
    layers["pool2"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1 if small else 0)
    return nn.Sequential(layers)


def _auxiliary_head(in_channels: int, num_classes: int, c: Callable[[int], int], *, small: bool) -> nn.Sequential:
    """Return a classifier on the maps in the middle of the network (figure 8)."""
    pool = nn.AdaptiveAvgPool2d(5)
    if not small:  # 17 x 17 becomes 5 x 5, and the adaptive pooling has nothing to do but for images of another size
        pool = nn.Sequential(nn.AvgPool2d(kernel_size=5, stride=3), pool)
    return nn.Sequential(
        OrderedDict(
            pool=pool,
            conv0=ConvNormReLU(in_channels, c(128), 1),
            conv1=ConvNormReLU(c(128), c(768), 5, padded=False),
            flatten=nn.Flatten(),
            fc=nn.Linear(c(768), num_classes),
        )
    )


def classifier(in_channels: int, num_classes: int) -> nn.Sequential:
    """Return global average pooling, dropout of a fifth (the authors keep 0.8) and the linear layer."""
    return nn.Sequential(
        OrderedDict(
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.2),
            fc=nn.Linear(in_channels, num_classes),
        )
    )


def inception_v3(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    aux_logits: bool = True,
) -> InceptionV3:
    """Inception-v3 as its authors released it; in training mode its output is named: logits, aux."""
    return InceptionV3(num_classes, in_channels, small=small, width=width, aux_logits=aux_logits)
