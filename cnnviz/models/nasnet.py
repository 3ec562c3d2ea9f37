"""NASNet-A: a search on 500 graphics cards found two cells; people said how they are stacked.

B. Zoph, V. Vasudevan, J. Shlens and Q. V. Le, Learning transferable architectures for scalable image recognition, CVPR
2018, figures 2 and 4. "N @ F" stands for N normal cells in a stage and F channels at the end.

| stage  | cells                 | mobile, 4 @ 1056 | parameters | large, 6 @ 4032 | parameters |
| ------ | --------------------- | ---------------- | ---------- | --------------- | ---------- |
| stem   | a 3x3 convolution     | 32 x 111 x 111   | 928        | 96 x 165 x 165  | 2,784      |
| stage1 | 2 reduction           | 88 x 28 x 28     | 22,482     | 336 x 42 x 42   | 170,358    |
| stage2 | N normal              | 264 x 28 x 28    | 176,528    | 1008 x 42 x 42  | 3,538,080  |
| stage3 | 1 reduction, N normal | 528 x 14 x 14    | 843,568    | 2016 x 21 x 21  | 16,390,752 |
| stage4 | 1 reduction, N normal | 1056 x 7 x 7     | 3,189,472  | 4032 x 11 x 11  | 64,618,176 |
| head   |                       | 1000             | 1,057,000  | 1000            | 4,033,000  |
| all    |                       |                  | 5,289,978  |                 | 88,753,150 |

Keras counts 5,326,716 and 88,949,818: the 36,738 and 196,668 numbers more are the running means and variances of batch
normalisation. The paper's 5.3 and 88.9 million (tables 3 and 2) seem to have them too. Of its 564 million and 23.8
billion mult-adds we count 563,638,816 and 23,783,414,658. torchvision has no NASNet.

The figures leave open what the authors' code settles, and the counts depend on it: the first cell takes the stem's
output for both of its inputs; an input of twice the size goes through `FactorizedReduction`; and in the large network
the cell behind a reduction looks one cell further back (`skip`). That code pads even sizes below and on the right only,
ours on all sides; Keras pools zeros beyond the border in its reductions. Left out are the auxiliary classifier and the
dropping of paths, both for training. There is no form for small images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled
from cnnviz.models.xception import SeparableConv2d


class NASNet(nn.Module):
    """NASNet-A. The paper names no initial weights: He's normal ones here, by fan-in, 9 for a depthwise 3x3 filter.

    Args:
        cells: normal cells in each of stage2, stage3 and stage4, at least 2: the paper's N.
        filters: channels of every operation in stage2, a multiple of 4; stage3 has twice, stage4 four times as many and
            joins 6 operations: the paper's F is 24 * filters.
        stem_channels: channels of the first convolution.
        image_size: pixels of the paper's images.
        skip: whether the cell behind a reduction has for its second input the second input of that reduction, and not
            the first.
        num_classes: length of the output.
        in_channels: channels of the image.
    """

    def __init__(
        self,
        cells: int,
        filters: int,
        stem_channels: int,
        image_size: int,
        skip: bool,
        num_classes: int = 1000,
        in_channels: int = 3,
    ):
        super().__init__()
        self.in_channels, self.image_size = in_channels, image_size
        self.smallest = 32  # pixels of the image for one pixel of the last feature map

        f = filters
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, stem_channels, kernel_size=3, stride=2, bias=False), nn.BatchNorm2d(stem_channels)
        )
        first = ReductionCell(stem_channels, None, f // 4)
        second = ReductionCell(f, stem_channels, f // 2, halve=True)
        self.stage1 = Stage(first, second)
        self.stage2 = Stage(*_normal_cells(cells, 2 * f, f, filters=f))
        reduction = ReductionCell(6 * f, 6 * f, 2 * f)
        self.stage3 = Stage(reduction, *_normal_cells(cells, 8 * f, 6 * f, filters=2 * f), skip=skip)
        reduction = ReductionCell(12 * f, 12 * f, 4 * f)
        self.stage4 = Stage(reduction, *_normal_cells(cells, 16 * f, 12 * f, filters=4 * f), skip=skip)
        self.head = nn.Sequential(
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(24 * f, num_classes)
        )
        he_normal(self)
        nn.init.normal_(self.head[-1].weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]; the shapes are mobile's."""
        check_image(x, "NASNet", self.in_channels, self.smallest)
        x = self.stem(x)  # N, 32, 111, 111
        x, previous = self.stage1(x, x)  # N, 88, 28, 28
        x, previous = self.stage2(x, previous)  # N, 264, 28, 28
        x, previous = self.stage3(x, previous)  # N, 528, 14, 14
        x, previous = self.stage4(x, previous)  # N, 1056, 7, 7
        return self.head(x)


class Stage(nn.Module):
    """Cells one behind the other, each with the outputs of the two before it as inputs.

    Args:
        cells: the cells.
        skip: as for NASNet.
    """

    def __init__(self, *cells: nn.Module, skip: bool = False):
        super().__init__()
        self.cells, self.skip = nn.ModuleList(cells), skip

    def forward(self, x: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last cell's output and what a next cell needs for its second input."""
        for cell in self.cells:
            output = cell(x, previous)
            if not (self.skip and isinstance(cell, ReductionCell)):
                previous = x
            x = output
        return x, previous


class Cell(nn.Module):
    """What both kinds of cell begin with: their two inputs get the same size and number of channels.

    Args:
        channels: channels of the first input, the output of the cell before.
        previous_channels: channels of the second input, the output of the cell before that; None if it is the first
            input again, which then stays as it is.
        filters: channels of every operation in the cell.
        halve: whether the second input has twice the height and width of the first.
    """

    def __init__(self, channels: int, previous_channels: int | None, filters: int, halve: bool = False):
        super().__init__()
        self.fit = _relu_conv_norm(channels, filters)
        if previous_channels is None:
            self.fit_previous, self.fitted = nn.Identity(), channels
        else:
            fit = FactorizedReduction if halve else _relu_conv_norm
            self.fit_previous, self.fitted = fit(previous_channels, filters), filters


class NormalCell(Cell):
    """The cell that keeps the size (figure 4, left): 5 sums of two operations each, joined with the second input."""

    def __init__(self, channels: int, previous_channels: int, filters: int, halve: bool = False):
        super().__init__(channels, previous_channels, filters, halve)
        self.x_5x5 = _separable_twice(filters, filters, kernel_size=5)
        self.p_3x3 = _separable_twice(filters, filters, kernel_size=3)
        self.p_5x5 = _separable_twice(filters, filters, kernel_size=5)
        self.p_3x3_other = _separable_twice(filters, filters, kernel_size=3)
        self.average = nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=False)
        self.x_3x3 = _separable_twice(filters, filters, kernel_size=3)

    def forward(self, x: Tensor, previous: Tensor) -> Tensor:
        """Return [N, 6 * filters, H, W] for x [N, channels, H, W]."""
        x, p = self.fit(x), self.fit_previous(previous)
        results = (
            p,
            self.x_5x5(x) + self.p_3x3(p),
            self.p_5x5(p) + self.p_3x3_other(p),
            self.average(x) + p,
            self.average(p) + self.average(p),  # the same twice: so the search found it
            self.x_3x3(x) + x,
        )
        return torch.cat(results, dim=1)


class ReductionCell(Cell):
    """The cell that halves the size (figure 4, right): the sums a to e, of which a goes into d and e only."""

    def __init__(self, channels: int, previous_channels: int | None, filters: int, halve: bool = False):
        super().__init__(channels, previous_channels, filters, halve)
        self.x_5x5 = _separable_twice(filters, filters, kernel_size=5, stride=2)
        self.p_7x7 = _separable_twice(self.fitted, filters, kernel_size=7, stride=2)
        self.x_max = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.p_7x7_other = _separable_twice(self.fitted, filters, kernel_size=7, stride=2)
        self.x_average = nn.AvgPool2d(kernel_size=3, stride=2, padding=1, count_include_pad=False)
        self.p_5x5 = _separable_twice(self.fitted, filters, kernel_size=5, stride=2)
        self.a_average = nn.AvgPool2d(kernel_size=3, stride=1, padding=1, count_include_pad=False)
        self.a_3x3 = _separable_twice(filters, filters, kernel_size=3)

    def forward(self, x: Tensor, previous: Tensor) -> Tensor:
        """Return [N, 4 * filters, H / 2, W / 2] for x [N, channels, H, W]."""
        x, p = self.fit(x), self.fit_previous(previous)
        a = self.x_5x5(x) + self.p_7x7(p)
        b = self.x_max(x) + self.p_7x7_other(p)
        c = self.x_average(x) + self.p_5x5(p)
        d = self.a_average(a) + b
        e = self.a_3x3(a) + self.x_max(x)
        return torch.cat((b, c, d, e), dim=1)


class FactorizedReduction(nn.Module):
    """Half the size: one half of the channels from the pixels at even rows and columns, the other from those at odd."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(in_channels, out_channels // 2, kernel_size=1, stride=2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels // 2, kernel_size=1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, out_channels, H / 2, W / 2] for x [N, in_channels, H, W], an odd H and W rounded up."""
        x = self.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat((self.even(x), self.odd(shifted)), dim=1))


def _normal_cells(count: int, channels: int, previous_channels: int, filters: int) -> list[NormalCell]:
    """Return the normal cells of a stage; the first one's second input is from before the reduction."""
    first = NormalCell(channels, previous_channels, filters, halve=True)
    second = NormalCell(6 * filters, channels, filters)
    return [first, second, *(NormalCell(6 * filters, 6 * filters, filters) for _ in range(count - 2))]


def _separable_twice(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """Return what the paper calls a separable convolution: ReLU, convolution and normalisation, applied twice."""
    return nn.Sequential(
        nn.ReLU(),
        SeparableConv2d(in_channels, out_channels, kernel_size, stride),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        SeparableConv2d(out_channels, out_channels, kernel_size),
        nn.BatchNorm2d(out_channels),
    )


def _relu_conv_norm(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def nasnet_mobile(num_classes: int = 1000, in_channels: int = 3, *, width: float = 1.0) -> NASNet:
    """NASNet-A (4 @ 1056), for images of 224 x 224 pixels; `width` is a factor of all channel numbers."""
    filters, stem_channels = scaled(44, width, divisor=4), scaled(32, width)
    return NASNet(4, filters, stem_channels, 224, False, num_classes, in_channels)


def nasnet_large(num_classes: int = 1000, in_channels: int = 3, *, width: float = 1.0) -> NASNet:
    """NASNet-A (6 @ 4032), for images of 331 x 331 pixels; `width` is a factor of all channel numbers."""
    filters, stem_channels = scaled(168, width, divisor=4), scaled(96, width)
    return NASNet(6, filters, stem_channels, 331, True, num_classes, in_channels)
