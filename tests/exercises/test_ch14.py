"""The exercises of chapter 14: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
from torch import nn

from cnnviz.exercises import ch14
from cnnviz.models import densenet121
from cnnviz.models.resnext import ResNeXtBlock

from .solutions import rewritten

COUNT = "2 * channels * wider + 9 * wider**2"
GROUPED = "nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)"
END = "F.relu(maps + self.expand(inner))"
NEW = "self.conv(F.relu(self.bn(maps)))"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("path_weights", "not grouped", "return cardinality * (ends + middle)",
     "return cardinality * (ends + cardinality * middle)"),
    ("path_weights", "one path only", "cardinality * (ends + middle)", "ends + middle"),
    ("path_weights", "last 1 x 1 forgotten", "2 * channels", "channels"),
    ("path_weights", "kernel not squared", "3 * 3", "3"),
    ("path_weights", "depthwise", "3 * 3 * group_width * group_width", "3 * 3 * group_width"),
    ("widest_path", "one too many", "return group_width", "return wider"),
    ("widest_path", "cardinality forgotten", "cardinality * (", "("),
    ("widest_path", "kernel not squared", "9 * wider", "3 * wider"),
    ("widest_path", "square forgotten", COUNT, "2 * channels * wider + 9 * wider"),
    ("grouped_block", "shortcut forgotten", "maps + self", "self"),
    ("grouped_block", "ReLU before the addition", END, "maps + F.relu(self.expand(inner))"),
    ("grouped_block", "last activation forgotten", END, "maps + self.expand(inner)"),
    ("grouped_block", "activation forgotten", "F.relu(self.reduce(maps))", "self.reduce(maps)"),
    ("grouped_block", "activation forgotten", "F.relu(self.grouped(inner))", "self.grouped(inner)"),
    ("grouped_block", "activation forgotten",
     "F.relu(self.reduce(maps))", "self.reduce(maps)", "F.relu(self.grouped(inner))", "self.grouped(inner)"),
    ("grouped_block", "layer grouped is wrong", ", groups=4", ""),
    ("grouped_block", "layer grouped is wrong", "groups=4", "groups=8"),
    ("grouped_block", "layer reduce is wrong", "(16, 8, 1", "(16, 4, 1"),
    ("grouped_block", "layer grouped is wrong", GROUPED, "nn.Identity()"),
    ("grouped_block", "layer grouped is wrong", "nn.Conv2d(16, 8, 1, bias=False)", "nn.Conv2d(16, 8, 1)"),
    ("grouped_block", "too many parameters", "(8, 16, 1, bias=False)", "(8, 16, 1)"),
    ("grouped_block", "raised an exception", "padding=1, ", ""),
    ("dense_channels", "no compression", "channels = channels // 2", "pass"),
    ("dense_channels", "stem forgotten", "channels, found = 2 * growth", "channels, found = 0"),
    ("dense_channels", "stem half as wide", "2 * growth", "growth"),
    ("dense_channels", "after the transition", "        found.append(channels)\n        channels = channels // 2",
     "        channels = channels // 2\n        found.append(channels)"),
    ("dense_channels", "new maps only", "channels += depth", "channels = depth"),
    ("dense_channels", "wrong type", "channels // 2", "channels / 2"),
    ("dense_layer", "input not handed on", "torch.cat([maps, new], dim=1)", "new"),
    ("dense_layer", "new maps in front", "[maps, new]", "[new, maps]"),
    ("dense_layer", "activation forgotten", NEW, "self.conv(self.bn(maps))"),
    ("dense_layer", "normalised input handed on", "[maps, new]", "[F.relu(self.bn(maps)), new]"),
    ("dense_layer", "added", "[maps, new]", "[maps[:, :4] + new, maps[:, 4:]]"),
    ("dense_layer", "raised an exception", "torch.cat([maps, new], dim=1)", "maps + new"),
    ("dense_layer", "layer conv is wrong", "(6, 4, 3", "(6, 10, 3"),
    ("dense_layer", "too many parameters", ", bias=False", ""),
    ("dense_layer", "layer bn is wrong", "self.bn = nn.BatchNorm2d(6)", "self.bn = nn.Identity()"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch14, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_weights_may_be_counted_in_the_packages_block():
    def of_block(channels, cardinality, group_width):
        block = ResNeXtBlock(channels, channels // 4, cardinality=cardinality, group_width=1)
        inside = cardinality * group_width
        layers = (
            nn.Conv2d(channels, inside, 1, bias=False),
            nn.Conv2d(inside, inside, 3, groups=cardinality, bias=False),
        )
        assert block.out_channels == channels
        return sum(p.numel() for layer in layers for p in layer.parameters()) + inside * channels

    assert ch14.check_path_weights(of_block).passed


def test_the_last_channels_are_those_of_the_package():
    with torch.device("meta"):
        last = densenet121().head.fc.in_features
    assert rewritten("dense_channels")((6, 12, 24, 16), 32)[-1] == last


def test_a_trained_layer_is_right_too_and_is_left_alone():
    layer = rewritten("dense_layer")
    layer(torch.randn(8, 6, 4, 4) * 3 + 2)
    before = layer.bn.running_mean.clone()
    assert ch14.check_dense_layer(layer).passed
    assert torch.equal(layer.bn.running_mean, before)
