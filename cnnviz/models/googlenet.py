"""GoogLeNet: nine Inception modules that look at every place with filters of several sizes at once.

C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke and A. Rabinovich, Going deeper
with convolutions, CVPR 2015, table 1 and figure 3.

| stage       | output        | parameters |
| ----------- | ------------- | ---------- |
| stem        | 192 x 28 x 28 | 124,416    |
| inception3a | 256 x 28 x 28 | 163,696    |
| inception3b | 480 x 28 x 28 | 388,736    |
| pool3       | 480 x 14 x 14 | 0          |
| inception4a | 512 x 14 x 14 | 376,176    |
| aux1        | 1000          | 3,188,840  |
| inception4b | 512 x 14 x 14 | 449,160    |
| inception4c | 512 x 14 x 14 | 510,104    |
| inception4d | 528 x 14 x 14 | 605,376    |
| aux2        | 1000          | 3,190,888  |
| inception4e | 832 x 14 x 14 | 868,352    |
| pool4       | 832 x 7 x 7   | 0          |
| inception5a | 832 x 7 x 7   | 1,043,456  |
| inception5b | 1024 x 7 x 7  | 1,444,080  |
| head        | 1000          | 1,025,000  |

6,998,552 parameters, and 6,379,728 in the two auxiliary heads, which are needed in training only: 13,378,280. Table 1
prints kibi-parameters without biases (3a: 163,328 / 1024 = 159 K), not all of them right: the 7x7 convolution of the
stem has 9,408 weights and 118 million mult-adds, where the table has 2.7 K and 34 M. The printed sizes leave open how a
3x3 pooling of stride 2 halves a map exactly: the last window may reach over the border (ceil_mode).

torchvision's network of this name is another one: 3x3 filters in the 5x5 branch, 2x2 windows in pool4, batch
normalisation, adaptive pooling in the auxiliary heads. `googlenet(norm="batch", torchvision_twin=True)` is that network
(its pretrained weights want images scaled to mean 0.5 and deviation 0.5, not the usual ones of ImageNet).

Small form, for 32x32: the convolution conv1 is 3x3 with stride 1, pool1 is left out, every number of channels is
halved. The maps of modules 3, 4 and 5 have 16 x 16, 8 x 8 and 4 x 4 pixels; the auxiliary heads average 8 x 8 to 4 x 4.
"""

from collections import OrderedDict
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled


class GoogLeNetOutputs(NamedTuple):
    """Logits of the network and of its two auxiliary heads, each [N, num_classes].

    The paper adds 0.3 times the loss of each auxiliary head to the loss of the network.
    """

    logits: Tensor
    aux1: Tensor
    aux2: Tensor


class GoogLeNet(nn.Module):
    """GoogLeNet with both auxiliary heads. 13,378,280 parameters, 6,998,552 without those heads.

    The paper does not say how weights begin: here as He et al. 2015 (normal, variance 2 / fan-in), biases 0; those
    of the last layers, which no ReLU follows, with a deviation of 0.01.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        small: the form for images of 32 x 32 pixels.
        width: factor of all numbers of channels.
        norm: "local_response" as in the paper, or "batch": batch normalisation after every convolution instead.
        aux_logits: whether there are auxiliary heads.
        torchvision_twin: torchvision's network (see above), whose weights then fit; it needs norm="batch".
    """

    TORCHVISION_NAMES: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^conv", "stem.conv"),
        (r"^fc\.", "head.fc."),
        (r"\.branch1\.", ".branch1x1."),
        (r"\.branch2\.", ".branch3x3."),
        (r"\.branch3\.", ".branch5x5."),
        (r"\.branch4\.", ".branch_pool."),
    )

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        *,
        small: bool = False,
        width: float = 1.0,
        norm: str = "local_response",
        aux_logits: bool = True,
        torchvision_twin: bool = False,
    ):
        super().__init__()
        if norm not in ("local_response", "batch"):
            raise ValueError(f"norm (={norm!r}) must be 'local_response' or 'batch'")
        if torchvision_twin and norm != "batch":
            raise ValueError(f"torchvision's network has batch normalisation: norm (={norm!r}) must be 'batch'")
        self.in_channels, self.image_size = in_channels, 32 if small else 224
        self.smallest = 8 if small else 79  # pixels; the auxiliary heads need maps of 5 x 5
        self.aux_logits = aux_logits
        batch_norm = norm == "batch"

        def c(channels: int) -> int:
            return scaled(channels // 2 if small else channels, width)

        def inception(before: int, *channels: int) -> Inception:
            largest = 3 if torchvision_twin else 5
            return Inception(before, *map(c, channels), batch_norm=batch_norm, largest=largest)

        def auxiliary_head(before: int) -> nn.Sequential:
            paper = not (small or torchvision_twin)
            return _auxiliary_head(before, c(128), c(1024), num_classes, batch_norm=batch_norm, paper=paper)

        self.stem = _stem(in_channels, c(64), c(192), batch_norm=batch_norm, small=small)
        #                             in,            1x1, reduce, 3x3, reduce, 5x5, pool projection
        self.inception3a = inception(c(192), 64, 96, 128, 16, 32, 32)
        self.inception3b = inception(self.inception3a.out_channels, 128, 128, 192, 32, 96, 64)
        self.pool3 = _halve()
        self.inception4a = inception(self.inception3b.out_channels, 192, 96, 208, 16, 48, 64)
        if aux_logits:
            self.aux1 = auxiliary_head(self.inception4a.out_channels)
        self.inception4b = inception(self.inception4a.out_channels, 160, 112, 224, 24, 64, 64)
        self.inception4c = inception(self.inception4b.out_channels, 128, 128, 256, 24, 64, 64)
        self.inception4d = inception(self.inception4c.out_channels, 112, 144, 288, 32, 64, 64)
        if aux_logits:
            self.aux2 = auxiliary_head(self.inception4d.out_channels)
        self.inception4e = inception(self.inception4d.out_channels, 256, 160, 320, 32, 128, 128)
        self.pool4 = _halve(kernel_size=2 if torchvision_twin else 3)
        self.inception5a = inception(self.inception4e.out_channels, 256, 160, 320, 32, 128, 128)
        self.inception5b = inception(self.inception5a.out_channels, 384, 192, 384, 48, 128, 128)
        self.head = nn.Sequential(
            OrderedDict(
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                dropout=nn.Dropout(0.4),
                fc=nn.Linear(self.inception5b.out_channels, num_classes),
            )
        )
        self._initialise()

    def _initialise(self) -> None:
        he_normal(self)
        heads = (self.aux1.fc2, self.aux2.fc2, self.head.fc) if self.aux_logits else (self.head.fc,)
        for layer in heads:
            nn.init.normal_(layer.weight, std=0.01)  # no ReLU follows: the first logits are near 0, as chance is

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W].

        In training mode, with auxiliary heads, return GoogLeNetOutputs(logits, aux1, aux2).
        """
        check_image(x, "GoogLeNet", self.in_channels, self.smallest)
        with_aux = self.training and self.aux_logits
        x = self.stem(x)  # N, 192, 28, 28
        x = self.inception3a(x)  # N, 256, 28, 28
        x = self.inception3b(x)  # N, 480, 28, 28
        x = self.pool3(x)  # N, 480, 14, 14
        x = self.inception4a(x)  # N, 512, 14, 14
        aux1 = self.aux1(x) if with_aux else None
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)  # N, 528, 14, 14
        aux2 = self.aux2(x) if with_aux else None
        x = self.inception4e(x)  # N, 832, 14, 14
        x = self.pool4(x)  # N, 832, 7, 7
        x = self.inception5a(x)
        x = self.inception5b(x)  # N, 1024, 7, 7
        logits = self.head(x)
        return GoogLeNetOutputs(logits, aux1, aux2) if with_aux else logits


class Inception(nn.Module):
    """Filters of three sizes and a pooling side by side; 1x1 convolutions make the maps fewer before costly filters.

    Args:
        in_channels: channels of the input.
        out1x1: channels of the branch of 1x1 filters.
        reduce3x3: channels to which the input of the 3x3 filters is reduced.
        out3x3: channels of the branch of 3x3 filters.
        reduce5x5: channels to which the input of the 5x5 filters is reduced.
        out5x5: channels of the branch of 5x5 filters.
        pool_projection: channels of the branch of pooling, after its 1x1 convolution.
        batch_norm: batch normalisation after every convolution, which then has no bias.
        largest: height and width of the filters in the branch 5x5 (3 in torchvision's network).
    """

    def __init__(
        self,
        in_channels: int,
        out1x1: int,
        reduce3x3: int,
        out3x3: int,
        reduce5x5: int,
        out5x5: int,
        pool_projection: int,
        *,
        batch_norm: bool = False,
        largest: int = 5,
    ):
        super().__init__()
        self.out_channels = out1x1 + out3x3 + out5x5 + pool_projection
        self.branch1x1 = _conv(in_channels, out1x1, 1, batch_norm)
        self.branch3x3 = nn.Sequential(
            _conv(in_channels, reduce3x3, 1, batch_norm),
            _conv(reduce3x3, out3x3, 3, batch_norm),
        )
        self.branch5x5 = nn.Sequential(
            _conv(in_channels, reduce5x5, 1, batch_norm),
            _conv(reduce5x5, out5x5, largest, batch_norm),
        )
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            _conv(in_channels, pool_projection, 1, batch_norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H, W] for x [N, in_channels, H, W]."""
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], dim=1)


class NaiveInception(nn.Module):
    """The module before its 1x1 reductions (figure 2a): costly, and wider with every repetition.

    Its pooling hands on all maps of the input, so that out_channels is above in_channels whatever the filters are.

    Args:
        in_channels: channels of the input.
        out1x1: number of 1x1 filters.
        out3x3: number of 3x3 filters.
        out5x5: number of 5x5 filters.
    """

    def __init__(self, in_channels: int, out1x1: int, out3x3: int, out5x5: int):
        super().__init__()
        self.out_channels = out1x1 + out3x3 + out5x5 + in_channels
        self.branch1x1 = _conv(in_channels, out1x1, 1)
        self.branch3x3 = _conv(in_channels, out3x3, 3)
        self.branch5x5 = _conv(in_channels, out5x5, 5)
        self.branch_pool = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H, W] for x [N, in_channels, H, W]."""
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], dim=1)


def _stem(in_channels: int, narrow: int, wide: int, *, batch_norm: bool, small: bool) -> nn.Sequential:
    """Return the layers before the first module: 224 pixels become 28, in the small form 32 become 16."""
    # The paper gives no constants: those of AlexNet, whose alpha of 1e-4 is not divided by the 5 maps as torch's is.
    layers = OrderedDict()
    layers["conv1"] = _conv(in_channels, narrow, 3 if small else 7, batch_norm, stride=1 if small else 2)
    if not small:
        layers["pool1"] = _halve()
    if not batch_norm:
        layers["norm1"] = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    layers["conv2"] = _conv(narrow, narrow, 1, batch_norm)
    layers["conv3"] = _conv(narrow, wide, 3, batch_norm)
    if not batch_norm:
        layers["norm2"] = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    layers["pool2"] = _halve()
    return nn.Sequential(layers)


def _auxiliary_head(
    in_channels: int, channels: int, hidden: int, num_classes: int, *, batch_norm: bool, paper: bool
) -> nn.Sequential:
    """Return a classifier on the maps in the middle of the network, which gives the layers before it a gradient."""
    pool = nn.AdaptiveAvgPool2d(4)
    if paper:  # 14 x 14 becomes 4 x 4, and the adaptive pooling has nothing to do but for images of another size
        pool = nn.Sequential(nn.AvgPool2d(kernel_size=5, stride=3), pool)
    return nn.Sequential(
        OrderedDict(
            pool=pool,
            conv=_conv(in_channels, channels, 1, batch_norm),
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels * 4 * 4, hidden),
            relu=nn.ReLU(),
            dropout=nn.Dropout(0.7),
            fc2=nn.Linear(hidden, num_classes),
        )
    )


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, batch_norm: bool = False, stride: int = 1
) -> nn.Sequential:
    """Return a padded convolution and ReLU, with batch normalisation between them on demand."""
    layers = OrderedDict()
    layers["conv"] = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=not batch_norm
    )
    if batch_norm:
        layers["bn"] = nn.BatchNorm2d(out_channels, eps=0.001)  # the eps of Google's networks, and of torchvision's
    layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


def _halve(kernel_size: int = 3) -> nn.MaxPool2d:
    """Return a max pooling of stride 2 that makes 28 pixels of 56: its last window reaches over the border."""
    return nn.MaxPool2d(kernel_size, stride=2, ceil_mode=True)


def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    small: bool = False,
    width: float = 1.0,
    norm: str = "local_response",
    aux_logits: bool = True,
    torchvision_twin: bool = False,
) -> GoogLeNet:
    """GoogLeNet, winner of ILSVRC 2014; in training mode its output is named: logits, aux1, aux2."""
    return GoogLeNet(
        num_classes,
        in_channels,
        small=small,
        width=width,
        norm=norm,
        aux_logits=aux_logits,
        torchvision_twin=torchvision_twin,
    )
