"""The exercises of chapter 10: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.exercises import ch10
from cnnviz.models.googlenet import Inception

from .solutions import rewritten

READ = "in_channels * from_input"
REDUCE = "self.reduce3x3 = nn.Conv2d(192, 96, 1)"
LAST = "self.pool_projection = nn.Conv2d(192, 32, 1)"
BRANCHES = "[first, second, third, fourth]"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("inception_parameters", "bias forgotten", "weights + biases", "weights"),
    ("inception_parameters", "projection forgotten", "reduce5x5 + pool_projection", "reduce5x5"),
    ("inception_parameters", "reduction not read",
     "9 * reduce3x3", "9 * in_channels", "25 * reduce5x5", "25 * in_channels"),
    ("inception_parameters", "naive module",
     "9 * reduce3x3", "9 * in_channels", "25 * reduce5x5", "25 * in_channels", "reduce3x3 + reduce5x5 + ", ""),
    ("inception_parameters", "5 x 5 as 3 x 3", "25 * ", "9 * "),
    ("inception_parameters", "wrong values", READ, "from_input"),
    ("naive_mult_adds", "not all maps counted", "in_channels +=", "in_channels ="),
    ("naive_mult_adds", "width does not grow", "        in_channels += out1x1 + out3x3 + out5x5\n", ""),
    ("naive_mult_adds", "not all maps counted", "total +=", "total ="),
    ("naive_mult_adds", "one side only", "size * size", "size"),
    ("naive_mult_adds", "kernel not squared", "9 * out3x3 + 25", "3 * out3x3 + 5"),
    ("inception3a", "activation forgotten", "F.relu(self.reduce3x3(maps))", "self.reduce3x3(maps)"),
    ("inception3a", "activation forgotten",
     "F.relu(self.reduce3x3(maps))", "self.reduce3x3(maps)", "F.relu(self.reduce5x5(maps))", "self.reduce5x5(maps)"),
    ("inception3a", "activation forgotten", "F.relu(", "("),
    ("inception3a", "activation forgotten", "fourth = F.relu(", "fourth = ("),
    ("inception3a", "pooling forgotten", "self.pool(maps)", "maps"),
    ("inception3a", "average pooling", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("inception3a", "order of the branches", BRANCHES, "[fourth, third, second, first]"),
    ("inception3a", "raised an exception", "nn.MaxPool2d(3, stride=1, padding=1)", "nn.MaxPool2d(3, stride=1)"),
    ("inception3a", "raised an exception", f"torch.cat({BRANCHES}, dim=1)", "first + second + third + fourth"),
    ("inception3a", "wrong shape", BRANCHES, "[first, second, third]"),
    ("inception3a", "layer reduce3x3 is missing", f"        {REDUCE}\n", "        return\n"),
    ("inception3a", "layer reduce3x3 is wrong", REDUCE, REDUCE.replace("96", "16")),
    ("inception3a", "bias forgotten", "nn.Conv2d(192, 96, 1)", "nn.Conv2d(192, 96, 1, bias=False)"),
    ("inception3a", "too many parameters", LAST, LAST + "; self.extra = nn.Conv2d(256, 256, 1)"),
    ("loss_with_heads", "heads not weighted", "0.3 * ", ""),
    ("loss_with_heads", "one head forgotten", " + F.cross_entropy(aux2, labels)", ""),
    ("loss_with_heads", "heads forgotten", " + 0.3 * heads", ""),
    ("loss_with_heads", "head weights shared out", "0.3 * heads", "0.3 * heads / 2"),
    ("loss_with_heads", "network weighted", "return F", "return 0.7 * F"),
    ("loss_with_heads", "sum over images", "labels)", 'labels, reduction="sum")'),
    ("loss_with_heads", "logits added", "return F.cross_entropy(logits, labels) + 0.3 * heads",
     "return F.cross_entropy(logits + 0.3 * (aux1 + aux2), labels)"),
    ("loss_with_heads", "softmax twice",
     "logits, labels)", "logits.softmax(1), labels)", "(aux1, labels)", "(aux1.softmax(1), labels)",
     "(aux2, labels)", "(aux2.softmax(1), labels)"),
    ("one_sided_share", "equal channels assumed", "small / large", "2 / n"),
    ("one_sided_share", "saving instead of share", "small / large", "1 - small / large"),
    ("one_sided_share", "share upside down", "small / large", "large / small"),
    ("one_sided_share", "second convolution forgotten", " + n * between * out_channels", ""),
    ("one_sided_share", "first convolution forgotten", "n * in_channels * between + ", ""),
    ("one_sided_share", "integer division", "small / large", "small // large"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch10, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


class TwoConvolutions(nn.Module):
    """The four 1 x 1 filters of the input as they are, without a layer of torch's for ReLU and pooling."""

    def __init__(self):
        super().__init__()
        sizes = [(192, 64, 1), (192, 96, 1), (96, 128, 3), (192, 16, 1), (16, 32, 5), (192, 32, 1)]
        self.layers = nn.ModuleList(nn.Conv2d(*size, padding=size[-1] // 2) for size in sizes)

    def forward(self, x):
        one, reduce3, three, reduce5, five, projection = self.layers
        pooled = F.pad(x, (1, 1, 1, 1), value=-torch.inf).unfold(2, 3, 1).unfold(3, 3, 1).amax((-1, -2))
        parts = one(x), three(reduce3(x).relu()), five(reduce5(x).relu()), projection(pooled)
        return torch.cat(parts, 1).clamp(min=0)


@pytest.mark.parametrize("build", [TwoConvolutions, lambda: Inception(192, 64, 96, 128, 16, 32, 32)])
def test_a_right_module_may_be_written_otherwise(build):
    assert ch10.check_inception3a(build()).message.startswith("right in all")


def test_a_right_function_may_count_in_another_way():
    def by_modules(*channels):
        return sum(p.numel() for p in Inception(*channels).parameters())

    assert ch10.check_inception_parameters(by_modules).passed
