"""The exercises of chapter 15: each wrong answer is called by its own name, right ones may be written otherwise."""

import pytest
import torch
from torch import nn

from cnnviz.exercises import ch15
from cnnviz.models.mobilenet_v2 import InvertedResidual
from cnnviz.models.xception import SeparableConv2d

from .solutions import rewritten

SECOND = "F.relu6(self.depthwise(hidden))"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("full_weight", "steps added", "pointwise *", "pointwise +"),
    ("full_weight", "one filter for all channels", "depthwise.transpose(0, 1)", "depthwise[:1]"),
    ("full_weight", "pointwise step forgotten", "pointwise *", "torch.ones_like(pointwise) *"),
    ("full_weight", "depthwise step forgotten", "depthwise.transpose", "torch.ones_like(depthwise).transpose"),
    ("full_weight", "kernel flipped", "depthwise.", "depthwise.flip(2, 3)."),
    ("full_weight", "input channels first",
     "pointwise * depthwise.transpose(0, 1)", "pointwise.transpose(0, 1) * depthwise"),
    ("full_weight", "raised an exception", "depthwise.transpose(0, 1)", "depthwise"),
    ("separable_loss", "share kept", "1 - kept / energy", "kept / energy"),
    ("separable_loss", "not squared", "[0] ** 2", "[0]", "(values**2)", "values"),
    ("separable_loss", "root taken", "1 - kept / energy", "max(1 - kept / energy, 0 * kept) ** 0.5"),
    ("separable_loss", "one matrix for all channels", "range(weight.shape[1])", "range(1)", "weight[:, m]", "weight"),
    ("separable_loss", "a matrix for each filter", "shape[1]", "shape[0]", "weight[:, m]", "weight[m]"),
    ("separable_loss", "mean of the channels",
     "kept += values[0] ** 2", "kept += values[0] ** 2 / (values**2).sum()",
     "energy += (values**2).sum()", "energy += 1"),
    ("separable_loss", "energy for share", "1 - kept / energy", "energy - kept"),
    ("inverted_parameters", "normalisation forgotten", "2 * (", "0 * ("),
    ("inverted_parameters", "running statistics counted", "2 * (", "4 * ("),
    ("inverted_parameters", "biases counted", "2 * (", "3 * ("),
    ("inverted_parameters", "biases for normalisation", "2 * (", "1 * ("),
    ("inverted_parameters", "full convolution", "9 * hidden", "9 * hidden * hidden"),
    ("inverted_parameters", "expansion of 1", "if expansion == 1", "if expansion == 0"),
    ("inverted_parameters", "not expanded", "in_channels * expansion", "in_channels"),
    ("inverted_residual", "shortcut forgotten", "images + ", ""),
    ("inverted_residual", "activation after the projection",
     "self.project(hidden)", "F.relu6(self.project(hidden))"),
    ("inverted_residual", "activation after the projection", "self.project(hidden)", "F.relu(self.project(hidden))"),
    ("inverted_residual", "activation after the sum",
     "images + self.project(hidden)", "F.relu(images + self.project(hidden))"),
    ("inverted_residual", "activation after the sum",
     "images + self.project(hidden)", "F.relu6(images + self.project(hidden))"),
    ("inverted_residual", "ReLU for ReLU6", "F.relu6", "F.relu"),
    ("inverted_residual", "activation forgotten", "F.relu6", ""),
    ("inverted_residual", "activation forgotten", SECOND, "self.depthwise(hidden)"),
    ("inverted_residual", "activation forgotten", "F.relu6(self.expand(images))", "self.expand(images)"),
    ("inverted_residual", "layer depthwise is wrong", ", groups=32", ""),
    ("inverted_residual", "layer expand is wrong", "(8, 32, 1)", "(8, 48, 1)", "32, 32", "48, 48", "=32", "=48",
     "(32, 8, 1)", "(48, 8, 1)"),
    ("inverted_residual", "bias forgotten", "(8, 32, 1)", "(8, 32, 1, bias=False)"),
    ("inverted_residual", "raised an exception", "padding=1, ", ""),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch15, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_the_full_weight_does_what_the_package_does():
    layer, images = SeparableConv2d(3, 5), torch.randn(2, 3, 6, 6)
    weight = rewritten("full_weight")(layer.depthwise.weight, layer.pointwise.weight)
    assert torch.allclose(nn.functional.conv2d(images, weight, padding=1), layer(images), atol=1e-5)


def test_the_block_of_the_package_without_its_normalisations_passes():
    block = InvertedResidual(8, 8, 1, 4)
    for part in block.residual:
        channels = part.conv.out_channels
        part.norm, part.conv.bias = nn.Identity(), nn.Parameter(torch.zeros(channels))
    assert ch15.check_inverted_residual(block).passed


def test_a_filter_for_each_channel_may_be_one_row_of_a_loop():
    def loop(depthwise, pointwise):
        rows = [[pointwise[n, m] * depthwise[m, 0] for m in range(len(depthwise))] for n in range(len(pointwise))]
        return torch.stack([torch.stack(row) for row in rows])

    assert ch15.check_full_weight(loop).passed
