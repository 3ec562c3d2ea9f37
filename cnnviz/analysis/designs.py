"""Pairs of designs that do the same work at another cost: what the lectures replace, and by what.

widgets/cost.js builds the same pairs in the browser.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor

import torch
from torch import nn

from cnnviz.analysis.layer_table import LayerTable, layer_table
from cnnviz.analysis.stack import stack

CHANNELS, SIZE, KERNEL, FACTOR = (8, 1024, 8), (1, 224, 1), (1, 11, 2), (0.05, 1.0, 0.05)  # low, high, slider's step
BRANCH = (8, 512, 8)
INCEPTION = ("in_channels", "size", "out1x1", "reduce3x3", "out3x3", "reduce5x5", "out5x5", "pool_projection")
GOOGLENET = {  # the nine modules of its table 1, in the order of INCEPTION
    "3a": (192, 28, 64, 96, 128, 16, 32, 32),
    "3b": (256, 28, 128, 128, 192, 32, 96, 64),
    "4a": (480, 14, 192, 96, 208, 16, 48, 64),
    "4b": (512, 14, 160, 112, 224, 24, 64, 64),
    "4c": (512, 14, 128, 128, 256, 24, 64, 64),
    "4d": (512, 14, 112, 144, 288, 32, 64, 64),
    "4e": (528, 14, 256, 160, 320, 32, 128, 128),
    "5a": (832, 7, 256, 160, 320, 32, 128, 128),
    "5b": (832, 7, 384, 192, 384, 48, 128, 128),
}


@dataclass(frozen=True)
class Design:
    """One way to compute something: layers in the words of `stack`, on one image of input_shape (C, H, W)."""

    name: str
    layers: tuple[dict, ...]
    input_shape: tuple[int, int, int]

    def model(self) -> nn.Sequential:
        """Return the torch module, with torch's initial weights."""
        return stack(self.layers, self.input_shape)

    def table(self) -> LayerTable:
        """Return what it costs; no weight is stored for it."""
        with torch.device("meta"):
            return layer_table(self.model(), self.input_shape)


@dataclass(frozen=True)
class Comparison:
    """Two designs, the numbers that they take (lowest, highest, step of a slider), and examples, the default one first.

    Every comparison also takes `bias`: whether layers with weights have one.
    """

    build: Callable[[dict], tuple[Design, Design]]
    settings: dict[str, tuple[float, float, float]]
    examples: dict[str, dict[str, float]] = field(repr=False)

    @property
    def defaults(self) -> dict:
        """The numbers of the first example."""
        return {"bias": False} | next(iter(self.examples.values()))


def designs(comparison: str, **settings) -> tuple[Design, Design]:
    """Return the design that is replaced and the one that replaces it.

    Args:
        comparison: a name in COMPARISONS.
        settings: numbers of that comparison, and `bias`; those left out are the first example's.

    Raises:
        ValueError: there is no such comparison or setting, or a number that torch refuses.
    """
    if comparison not in COMPARISONS:
        raise ValueError(f"there is no comparison {comparison!r}; choose from {', '.join(COMPARISONS)}")
    found = COMPARISONS[comparison]
    for name in settings:
        if name not in found.defaults:
            raise ValueError(f"comparison={comparison!r} has no {name}; it has {', '.join(found.defaults)}")
    pair = found.build(found.defaults | settings)
    for design in pair:
        with torch.device("meta"):
            design.model()
    return pair


def times(factor: float, count: int) -> int:
    """The whole number nearest to factor * count, halves up, at least 1: channels or pixels under a multiplier."""
    return max(1, floor(factor * count + 0.5))


def _conv(settings: dict, out_channels: int, kernel_size: int, groups: int = 1) -> dict:
    """A convolution that keeps height and width."""
    return {
        "kind": "conv", "out_channels": out_channels, "kernel_size": kernel_size, "padding": (kernel_size - 1) // 2,
        "groups": groups, "bias": settings["bias"],
    }  # fmt: skip


def _image(settings: dict) -> tuple[int, int, int]:
    return settings["in_channels"], settings["size"], settings["size"]


def _stacked(s: dict) -> tuple[Design, Design]:
    channels, k = s["in_channels"], s["kernel_size"]
    small = (_conv(s, channels, 3),) * ((k - 1) // 2)
    return (
        Design(f"one {k} x {k}", (_conv(s, channels, k),), _image(s)),
        Design(f"{len(small)} of 3 x 3", small, _image(s)),
    )


def _bottleneck(s: dict) -> tuple[Design, Design]:
    k, last = s["kernel_size"], _conv(s, s["out_channels"], s["kernel_size"])
    return (
        Design(f"{k} x {k} at once", (last,), _image(s)),
        Design(f"1 x 1 to {s['reduced']} channels first", (_conv(s, s["reduced"], 1), last), _image(s)),
    )


def _grouped(s: dict) -> tuple[Design, Design]:
    filters, k = s["out_channels"], s["kernel_size"]
    return (
        Design("full", (_conv(s, filters, k),), _image(s)),
        Design(f"in {s['groups']} groups", (_conv(s, filters, k, s["groups"]),), _image(s)),
    )


def _separable_layers(s: dict, in_channels: int, out_channels: int) -> tuple[dict, dict]:
    return _conv(s, in_channels, s["kernel_size"], in_channels), _conv(s, out_channels, 1)


def _separable(s: dict) -> tuple[Design, Design]:
    return (
        Design("full", (_conv(s, s["out_channels"], s["kernel_size"]),), _image(s)),
        Design("depthwise, then 1 x 1", _separable_layers(s, s["in_channels"], s["out_channels"]), _image(s)),
    )


def _thinner(s: dict, width: float, resolution: float) -> Design:
    channels, filters = times(width, s["in_channels"]), times(width, s["out_channels"])
    size = times(resolution, s["size"])
    name = f"width {width:g}, {size} x {size}"
    return Design(name, _separable_layers(s, channels, filters), (channels, size, size))


def _width(s: dict) -> tuple[Design, Design]:
    return _thinner(s, 1, 1), _thinner(s, s["width"], 1)


def _resolution(s: dict) -> tuple[Design, Design]:
    return _thinner(s, s["width"], 1), _thinner(s, s["width"], s["resolution"])


def _inception(s: dict) -> tuple[Design, Design]:
    pool = {"kind": "max pool", "kernel_size": 3, "stride": 1, "padding": 1}
    one, three, five = _conv(s, s["out1x1"], 1), _conv(s, s["out3x3"], 3), _conv(s, s["out5x5"], 5)
    naive = [[one], [three], [five], [pool]]
    reduced = [
        [one],
        [_conv(s, s["reduce3x3"], 1), three],
        [_conv(s, s["reduce5x5"], 1), five],
        [pool, _conv(s, s["pool_projection"], 1)],
    ]
    return (
        Design("naive module", ({"kind": "concat", "branches": naive},), _image(s)),
        Design("reduced by 1 x 1", ({"kind": "concat", "branches": reduced},), _image(s)),
    )


def _pooled(s: dict) -> tuple[Design, Design]:
    classifier = ({"kind": "flatten"}, {"kind": "linear", "out_features": s["num_classes"], "bias": s["bias"]})
    return (
        Design("flatten, linear", classifier, _image(s)),
        Design("global average pool, linear", ({"kind": "global average pool"}, *classifier), _image(s)),
    )


ONE_LAYER = {"in_channels": CHANNELS, "out_channels": CHANNELS, "kernel_size": KERNEL, "size": SIZE}


def _layer(in_channels: int, out_channels: int, kernel_size: int, size: int, **more) -> dict:
    return dict(zip(ONE_LAYER, (in_channels, out_channels, kernel_size, size), strict=True)) | more


COMPARISONS = {
    "stacked 3x3": Comparison(
        _stacked,
        {"in_channels": CHANNELS, "kernel_size": (3, 11, 2), "size": SIZE},
        {
            "lecture: three 3x3 for one 7x7": {"in_channels": 64, "kernel_size": 7, "size": 28},
            "two 3x3 for one 5x5": {"in_channels": 64, "kernel_size": 5, "size": 28},
        },
    ),
    "bottleneck": Comparison(
        _bottleneck,
        ONE_LAYER | {"reduced": CHANNELS},
        {
            "lecture: 3x3, 256 to 192 maps": _layer(256, 192, 3, 28, reduced=64),
            "lecture: 5x5, 192 to 32 maps": _layer(192, 32, 5, 28, reduced=16),
        },
    ),
    "grouped": Comparison(
        _grouped,
        ONE_LAYER | {"groups": (1, 1024, 1)},
        {
            "AlexNet's second convolution": _layer(96, 256, 5, 27, groups=2),
            "ResNeXt-50, first stage": _layer(128, 128, 3, 56, groups=32),
        },
    ),
    "depthwise separable": Comparison(
        _separable,
        ONE_LAYER,
        {
            "lecture: 512 to 512 maps": _layer(512, 512, 3, 14),
            "MobileNet's first block": _layer(32, 64, 3, 112),
        },
    ),
    "width multiplier": Comparison(
        _width,
        ONE_LAYER | {"width": FACTOR},
        {
            "lecture: width 0.75": _layer(512, 512, 3, 14, width=0.75),
            "width 0.5": _layer(512, 512, 3, 14, width=0.5),
            "width 0.25": _layer(512, 512, 3, 14, width=0.25),
        },
    ),
    "resolution multiplier": Comparison(
        _resolution,
        ONE_LAYER | {"width": FACTOR, "resolution": (0.004, 1.0, 0.001)},
        {
            "lecture: width 0.75, resolution 0.714": _layer(512, 512, 3, 14, width=0.75, resolution=0.714),
            "width 1, resolution 0.571": _layer(512, 512, 3, 14, width=1.0, resolution=0.571),
        },
    ),
    "inception": Comparison(
        _inception,
        {"in_channels": CHANNELS, "size": SIZE} | dict.fromkeys(INCEPTION[2:], BRANCH),
        {"lecture: 28 x 28 x 256": dict(zip(INCEPTION, (256, 28, 128, 64, 192, 64, 96, 64), strict=True))}
        | {
            f"GoogLeNet's inception{name}": dict(zip(INCEPTION, numbers, strict=True))
            for name, numbers in GOOGLENET.items()
        },
    ),
    "global average pooling": Comparison(
        _pooled,
        {"in_channels": CHANNELS, "size": (1, 28, 1), "num_classes": (1, 4096, 1)},
        {
            "lecture: 7 x 7 x 1024 to 1000 classes": {"in_channels": 1024, "size": 7, "num_classes": 1000},
            "VGG-16's maps to its first linear layer": {"in_channels": 512, "size": 7, "num_classes": 4096},
        },
    ),
}
