"""The exercises of chapter 09: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.exercises import ch09
from cnnviz.models.nin import MLPConv

from .solutions import rewritten

CONV, PIXELS = "nn.Conv2d(3, 8, kernel_size=5, padding=2)", "maps.movedim(1, -1)"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("mlpconv_parameters", "bias forgotten", " + 1)", ")"),
    ("mlpconv_parameters", "kernel in every layer",
     "(maps1 + 1)", "(maps1 * kernel_size**2 + 1)", "(maps2 + 1)", "(maps2 * kernel_size**2 + 1)"),
    ("mlpconv_parameters", "kernel not squared", "kernel_size**2", "kernel_size"),
    ("mlpconv_parameters", "image read again", "(maps1 + 1)", "(in_channels + 1)", "(maps2 + 1)", "(in_channels + 1)"),
    ("mlpconv_parameters", "image read again", "(maps2 + 1)", "(maps1 + 1)"),
    ("mlpconv_parameters", "convolution only", "first + second + third", "first"),
    ("mlpconv_parameters", "convolution forgotten", "first + second", "second"),
    ("pixel_mlp", "no ReLU between", "bias1).relu()", "bias1)"),
    ("pixel_mlp", "no ReLU at the end", "bias2).relu()", "bias2)"),
    ("pixel_mlp", "no ReLU at all", ".relu()", ""),
    ("pixel_mlp", "bias forgotten", " + bias1", "", " + bias2", ""),
    ("pixel_mlp", "channels last", ".movedim(-1, 1)", ""),
    ("pixel_mlp", "places mixed", PIXELS, "maps.reshape(len(maps), *maps.shape[2:], -1)"),
    ("mlpconv", "activation forgotten", "F.relu(self.conv(images))", "self.conv(images)"),
    ("mlpconv", "activation forgotten", "F.relu(self.cccp1(maps))", "self.cccp1(maps)"),
    ("mlpconv", "activation forgotten", "F.relu(self.cccp2(maps))", "self.cccp2(maps)"),
    ("mlpconv", "activation forgotten", "F.relu(", "("),
    ("mlpconv", "padding forgotten", ", padding=2", ""),
    ("mlpconv", "padding of 1 x 1", "kernel_size=1", "kernel_size=1, padding=1"),
    ("mlpconv", "pooling added", "return F.relu(self.cccp2(maps))", "return F.max_pool2d(F.relu(self.cccp2(maps)), 2)"),
    ("mlpconv", "other activation", "F.relu", "torch.tanh"),
    ("mlpconv", "bias forgotten", "kernel_size=1", "kernel_size=1, bias=False"),
    ("mlpconv", "layer conv is wrong", "kernel_size=5, padding=2", "kernel_size=3, padding=1"),
    ("mlpconv", "layer cccp2 is wrong", "nn.Conv2d(6, 4", "nn.Conv2d(6, 5"),
    ("heads", "bias forgotten", " + 1)", ")"),
    ("heads", "exchanged", "return flatten, average", "return average, flatten"),
    ("heads", "side for area", "size**2", "size"),
    ("heads", "average counted as pixels", "(channels + 1)", "(size**2 + 1)"),
    ("heads", "average is free", "num_classes * (channels + 1)", "0"),
    ("class_map", "bias forgotten", " + bias[label]", ""),
    ("class_map", "weights forgotten", "weight[label, :, None, None] * maps", "maps"),
    ("class_map", "mean over the maps", ".sum(0)", ".mean(0)"),
    ("class_map", "a number, not a map", "return weighted.sum(0) + bias[label]",
     "return (weighted.sum(0) + bias[label]).mean()"),
    ("class_map", "the class's own map", "return weighted.sum(0) + bias[label]", "return maps[label]"),
    ("class_map", "largest class", "weighted = ",
     "label = int((weight @ maps.mean((1, 2)) + bias).argmax())\n    weighted = "),
    ("class_map", "negative parts cut off", "return weighted.sum(0) + bias[label]",
     "return (weighted.sum(0) + bias[label]).relu()"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch09, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def by_convolutions(maps, weight1, bias1, weight2, bias2):
    for weight, bias in ((weight1, bias1), (weight2, bias2)):
        maps = F.relu(F.conv2d(maps, weight[:, :, None, None], bias))
    return maps


def counted(in_channels, kernel_size, *maps):
    return sum(p.numel() for p in MLPConv(in_channels, maps, kernel_size).parameters())


RIGHT = {
    "mlpconv_parameters counted in the package's stage": lambda: ch09.check_mlpconv_parameters(counted),
    "pixel_mlp by convolutions": lambda: ch09.check_pixel_mlp(by_convolutions),
    "mlpconv of the package": lambda: ch09.check_mlpconv(MLPConv(3, (8, 6, 4), kernel_size=5, padding=2)),
    "mlpconv in a sequence": lambda: ch09.check_mlpconv(
        nn.Sequential(
            nn.Conv2d(3, 8, 5, padding="same"), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.ReLU()
        )
    ),
    "heads counted in layers": lambda: ch09.check_heads(
        lambda channels, size, classes: [
            sum(p.numel() for p in nn.Linear(inputs, classes, device="meta").parameters())
            for inputs in (channels * size * size, channels)
        ]
    ),
    "class_map with einsum": lambda: ch09.check_class_map(
        lambda maps, weight, bias, label: torch.einsum("c,chw->hw", weight[label], maps) + bias[label]
    ),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_the_mean_of_a_class_map_is_the_logit():
    draw = torch.Generator().manual_seed(0)
    maps, weight, bias = (torch.randn(*shape, generator=draw) for shape in ((5, 3, 4), (6, 5), (6,)))
    solution = rewritten("class_map")
    torch.testing.assert_close(solution(maps, weight, bias, 2).mean(), (weight @ maps.mean((1, 2)) + bias)[2])
