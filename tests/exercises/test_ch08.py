"""The exercises of chapter 08: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.exercises import ch08
from cnnviz.models.vgg import VGG

from .solutions import rewritten

SHARE = "layers * 3 * 3 / (size * size)"
ADDS = "joined[i : i + k, j : j + k] += second[i, j] * first"
FIRST, SECOND = "nn.Conv2d(8, 16, kernel_size=3, padding=1)", "nn.Conv2d(16, 16, kernel_size=3, padding=1)"
POOL = "nn.MaxPool2d(2),\n"
RELU = ",\n    nn.ReLU()"
HALF = "factor * fan_in * deviation**2 / 2"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("stack_share", "one layer", "layers * 3", "3"),
    ("stack_share", "a third of the size", "(size - 1) // 2", "size // 3"),
    ("stack_share", "a third of the size", "(size - 1) // 2", "size / 3"),
    ("stack_share", "one layer too many", "(size - 1)", "(size + 1)"),
    ("stack_share", "one layer too few", "(size - 1)", "(size - 3)"),
    ("stack_share", "upside down", SHARE, "size * size / (layers * 3 * 3)"),
    ("stack_share", "saved, not left", SHARE, "1 - " + SHARE),
    ("stack_share", "not squared", SHARE, "layers * 3 / size"),
    ("stack_share", "percent", SHARE, "100 * " + SHARE),
    ("joined_kernel", "second flipped", "second[i, j]", "second[m - 1 - i, m - 1 - j]"),
    ("joined_kernel", "first flipped", "* first", "* first.flip(0, 1)"),
    ("joined_kernel", "both flipped", "return joined", "return joined.flip(0, 1)"),
    ("joined_kernel", "cut to the first", "return joined", "edge = (m - 1) // 2\n"
     "    return joined[edge : k + m - 1 - edge, edge : k + m - 1 - edge]"),
    ("joined_kernel", "added", "for i in range(m):\n        for j in range(m):\n            " + ADDS,
     "for kernel in (first, second):\n        b = (k + m - 1 - len(kernel)) // 2\n"
     "        joined[b : b + len(kernel), b : b + len(kernel)] += kernel"),
    ("joined_kernel", "all products", "return joined", "return torch.kron(first, second)"),
    ("joined_kernel", "wrong values", "+=", "="),
    ("vgg_parameters", "bias forgotten", " + 1)", ")"),
    ("vgg_parameters", "grey images", "0, 3", "0, 1"),
    ("vgg_parameters", "linear layers forgotten", "    total += units * (size * size * before + 1)\n", "",
     "    total += units * (units + 1)\n", "", " + 1000 * (units + 1)", ""),
    ("vgg_parameters", "first linear layer forgotten", "    total += units * (size * size * before + 1)\n", ""),
    ("vgg_parameters", "one hidden layer", "    total += units * (units + 1)\n", ""),
    ("vgg_parameters", "stages all alike", "            before = after", "            pass\n        before = after"),
    ("vgg_parameters", "one convolution a stage", "range(number)", "range(1)"),
    ("vgg_parameters", "pixels forgotten", "size * size * ", ""),
    ("vgg_parameters", "kernel not squared", "9 * before", "3 * before"),
    ("vgg_stage", "activation forgotten", FIRST + RELU, FIRST),
    ("vgg_stage", "activation forgotten", SECOND + RELU, SECOND),
    ("vgg_stage", "activation forgotten", RELU, ""),
    ("vgg_stage", "average pooling", "Max", "Avg"),
    ("vgg_stage", "pooling forgotten", POOL, ""),
    ("vgg_stage", "pooled twice", FIRST + RELU, FIRST + RELU + ", nn.MaxPool2d(2)"),
    ("vgg_stage", "pooled too early", POOL, "", FIRST + RELU, FIRST + RELU + ", nn.MaxPool2d(2)"),
    ("vgg_stage", "padding forgotten", ", padding=1", ""),
    ("vgg_stage", "stride for pooling", POOL, "", SECOND, SECOND[:-1] + ", stride=2)"),
    ("vgg_stage", "layer conv1 is wrong", FIRST, "nn.Conv2d(8, 16, kernel_size=5, padding=2)"),
    ("vgg_stage", "layer conv2 is missing", "    " + SECOND + RELU + ",\n", ""),
    ("vgg_stage", "too many parameters", POOL, POOL + "    nn.Conv2d(16, 16, 1),\n"),
    ("signal_factor", "ReLU forgotten", " / 2", ""),
    ("signal_factor", "one ReLU only", " / 2", "", "return factor", "return factor / 2"),
    ("signal_factor", "deviation not squared", "**2", ""),
    ("signal_factor", "added", "factor = 1", "factor = 0", HALF, "factor + fan_in * deviation**2 / 2"),
    ("signal_factor", "first layer only", "in fan_ins", "in fan_ins[:1]"),
    ("signal_factor", "mean of the layers", "factor = 1", "factor = 0", HALF, "factor + fan_in * deviation**2 / 2",
     "return factor", "return factor / len(fan_ins)"),
    ("signal_factor", "deviation of the output", "return factor", "return factor**0.5"),
    ("signal_factor", "upside down", "return factor", "return 1 / factor"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    assert getattr(ch08, f"check_{exercise}")(rewritten(exercise, *edits)).mistake == mistake


def joined_by_trying(first, second):
    """What comes out for an image with a single 1, turned round."""
    size = len(first) + len(second) - 1
    dot = torch.zeros(1, 1, 2 * size - 1, 2 * size - 1)
    dot[..., size - 1, size - 1] = 1
    return F.conv2d(F.conv2d(dot, first[None, None]), second[None, None])[0, 0].flip(0, 1)


def counted(convolutions, maps, size, units):
    """Count layers of torch."""
    layers, before = [], 3
    for number, after in zip(convolutions, maps, strict=True):
        for _ in range(number):
            layers.append(nn.Conv2d(before, after, 3, device="meta"))
            before = after
    for seen, out in ((before * size**2, units), (units, units), (units, 1000)):
        layers.append(nn.Linear(seen, out, device="meta"))
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def stage_of_the_package():
    stage = VGG(13, width=0.125).stage2
    assert isinstance(stage[0], nn.Conv2d)
    return stage


RIGHT = {
    "stack_share with a loop": lambda: ch08.check_stack_share(
        lambda size: sum(9 for _ in range(3, size + 1, 2)) / size**2
    ),
    "joined_kernel by trying": lambda: ch08.check_joined_kernel(joined_by_trying),
    "vgg_parameters counted": lambda: ch08.check_vgg_parameters(counted),
    "vgg_stage of the package": lambda: ch08.check_vgg_stage(stage_of_the_package()),
    "signal_factor with powers": lambda: ch08.check_signal_factor(
        lambda fan_ins, deviation: torch.tensor(fan_ins).double().prod() * (deviation**2 / 2) ** len(fan_ins)
    ),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")
