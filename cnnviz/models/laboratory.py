"""A small network with one switch for each decision, so that an experiment changes one thing and nothing else.

No paper has it. It is the pattern of all of them, CONV - NORM - RELU three times over, each time half the height and
width and twice the maps, then a classifier:

| layer  | output       | parameters by default |
| ------ | ------------ | --------------------- |
| stage1 | 32 x 16 x 16 |                   928 |
| stage2 | 64 x 8 x 8   |                18,560 |
| stage3 | 128 x 4 x 4  |                73,984 |
| head   | 10           |                 1,290 |
| all    |              |                94,762 |
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from cnnviz.models.image import check_image, he_normal, scaled

ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.01), "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
DOWN = ("max", "average", "stride")
HEADS = ("average", "flatten")
KINDS = ("full", "grouped", "separable")


class LabNet(nn.Module):
    """Three stages of convolutions with as many maps as `channels`, and a classifier; for images of 8 pixels and more.

    Args:
        num_classes: length of the output.
        in_channels: channels of the image.
        image_size: of the images, in pixels; only the head "flatten" depends on it.
        channels: maps of each stage.
        width: factor of `channels`.
        kernel_sizes: of the convolutions of each stage, one after the other.
        down: what halves height and width at the end of a stage: max or average pooling 2 x 2, or the stride of its
            last convolution.
        head: "average": one linear layer on the mean of every map. "flatten": on all pixels of all maps.
        activation: after every convolution: relu, leaky_relu (slope 0.01), tanh, sigmoid.
        norm: batch normalisation between convolution and activation.
        dropout: before the linear layer, the fraction that is set to 0.
        kind: of every convolution but the first: full, grouped (4 groups), or separable (depthwise, then 1 x 1).

    Raises:
        ValueError: a choice that there is not; the message lists those that there are.
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 3,
        *,
        image_size: int = 32,
        channels: Sequence[int] = (32, 64, 128),
        width: float = 1.0,
        kernel_sizes: Sequence[int] = (3,),
        down: str = "max",
        head: str = "average",
        activation: str = "relu",
        norm: bool = True,
        dropout: float = 0.0,
        kind: str = "full",
    ):
        super().__init__()
        for name, value, allowed in (
            ("down", down, DOWN),
            ("head", head, HEADS),
            ("activation", activation, ACTIVATIONS),
            ("kind", kind, KINDS),
        ):
            if value not in allowed:
                raise ValueError(f"{name} (={value!r}) must be one of {', '.join(allowed)}")
        self.in_channels, self.smallest = in_channels, 2 ** len(channels)
        maps = [in_channels, *(scaled(number, width, divisor=4) for number in channels)]
        side = image_size
        for stage, (before, after) in enumerate(pairwise(maps), 1):
            layers = []
            for number, kernel_size in enumerate(kernel_sizes, 1):
                layers += _convolution(
                    before,
                    after,
                    kernel_size,
                    stride=2 if down == "stride" and number == len(kernel_sizes) else 1,
                    kind=kind if layers or stage > 1 else "full",
                    norm=norm,
                )
                before = after
                layers.append(ACTIVATIONS[activation]())
            if down != "stride":
                layers.append(nn.MaxPool2d(2) if down == "max" else nn.AvgPool2d(2))
            side = (side + 1) // 2 if down == "stride" else side // 2
            self.add_module(f"stage{stage}", nn.Sequential(*layers))
        pool = [nn.AdaptiveAvgPool2d(1)] if head == "average" else []
        pixels = side * side if head == "flatten" else 1
        self.head = nn.Sequential(*pool, nn.Flatten(), nn.Dropout(dropout), nn.Linear(maps[-1] * pixels, num_classes))
        he_normal(self)
        nn.init.normal_(self.head[-1].weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, num_classes] of normalised images [N, in_channels, H, W]."""
        check_image(x, "LabNet", self.in_channels, self.smallest)
        for name, stage in self.named_children():
            if name != "head":
                x = stage(x)
        return self.head(x)


def _convolution(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int, kind: str, norm: bool
) -> list[nn.Module]:
    """Return a padded convolution of one of KINDS, without bias where it is normalised."""
    space = {"kernel_size": kernel_size, "stride": stride, "padding": kernel_size // 2, "bias": not norm}
    if kind == "separable":
        layers = [
            nn.Conv2d(in_channels, in_channels, groups=in_channels, **space),
            nn.Conv2d(in_channels, out_channels, 1, bias=not norm),
        ]
    else:
        layers = [nn.Conv2d(in_channels, out_channels, groups=4 if kind == "grouped" else 1, **space)]
    return [*layers, nn.BatchNorm2d(out_channels)] if norm else layers


def lab_net(num_classes: int = 10, in_channels: int = 3, **options) -> LabNet:
    """The network of the experiments; options as in `LabNet`."""
    return LabNet(num_classes, in_channels, **options)
