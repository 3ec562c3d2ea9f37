"""The exercises of chapter 11: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
from torch import nn

from cnnviz.exercises import ch11
from cnnviz.models import resnet34, resnet152
from cnnviz.models.resnet import BasicBlock, PaddingShortcut, PreactivationBasicBlock

from .solutions import rewritten

PROJECTS = 'shortcut == "B" and (stride != 1 or in_channels != channels)'
PROJECTION = "in_channels * channels + 2 * channels\n    return"
SLICES = "maps[:, :, ::stride, ::stride]"
ZEROS = "torch.cat([maps, zeros], dim=1)"
FIRST, SECOND = "self.conv1(F.relu(self.bn1(maps)))", "self.conv2(F.relu(self.bn2(inner)))"
IN_2015 = ("self.bn1(self.conv1(maps))", "self.bn2(self.conv2(inner))")

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("resnet_depth", "stem and head forgotten", "1 + layers * sum(depths) + 1", "layers * sum(depths)"),
    ("resnet_depth", "one end forgotten", "1 + layers", "layers"),
    ("resnet_depth", "pooling counted", "1 + layers", "2 + layers"),
    ("resnet_depth", "blocks counted", "layers * sum", "sum"),
    ("resnet_depth", "two layers a bottleneck", "3 if bottleneck else 2", "2"),
    ("resnet_depth", "three layers a basic block", "3 if bottleneck else 2", "3"),
    ("resnet_depth", "projections counted", "sum(depths) + 1", "sum(depths) + 1 + len(depths) - (not bottleneck)"),
    ("identity_weight", "every map added", "[i, i, middle", "[:, :, middle"),
    ("identity_weight", "all ones", "[i, i, middle, middle]", "[...]"),
    ("identity_weight", "first map only", "range(channels)", "range(1)"),
    ("identity_weight", "box kernel", "[i, i, middle, middle]", "[i, i]"),
    ("identity_weight", "mean of the window", "[i, i, middle, middle] = 1", "[i, i] = 1 / kernel_size**2"),
    ("identity_weight", "diagonal of the window", "[i, i, middle, middle] = 1", "[i, i] = torch.eye(kernel_size)"),
    ("identity_weight", "corner of the window", "kernel_size // 2", "0"),
    ("identity_weight", "one channel's weight", "return weight", "return weight[0, 0]"),
    ("identity_weight", "depthwise shape", "return weight", "return weight[:1, :1].repeat(channels, 1, 1, 1)"),
    ("identity_weight", "raised an exception", "kernel_size // 2", "kernel_size / 2"),
    ("padding_shortcut", "averages", SLICES, "F.avg_pool2d(maps, stride, ceil_mode=True)"),
    ("padding_shortcut", "largest pixels", SLICES, "F.max_pool2d(maps, stride, ceil_mode=True)"),
    ("padding_shortcut", "upper left quarter", SLICES,
     "maps[:, :, : -(-maps.shape[2] // stride), : -(-maps.shape[3] // stride)]"),
    ("padding_shortcut", "stride forgotten", SLICES, "maps"),
    ("padding_shortcut", "height only", SLICES, "maps[:, :, ::stride]"),
    ("padding_shortcut", "zeros in front", "[maps, zeros]", "[zeros, maps]"),
    ("padding_shortcut", "zeros on both sides", ZEROS,
     "torch.cat([zeros[:, : zeros.shape[1] // 2], maps, zeros[:, zeros.shape[1] // 2 :]], dim=1)"),
    ("padding_shortcut", "maps repeated", ZEROS, "torch.cat(4 * [maps], dim=1)[:, :out_channels]"),
    ("padding_shortcut", "channels forgotten", ZEROS, "maps"),
    ("padding_shortcut", "raised an exception", "dim=1", "dim=0"),
    ("block_parameters", "normalisation forgotten", " + 2 * channels", ""),
    ("block_parameters", "normalisation forgotten",
     "9 * in_channels * channels + 2 * channels", "9 * in_channels * channels",
     "9 * channels * channels + 2 * channels", "9 * channels * channels"),
    ("block_parameters", "one number a map", "2 * channels", "channels"),
    ("block_parameters", "running means counted", "2 * channels", "4 * channels"),
    ("block_parameters", "biases counted", "2 * channels", "3 * channels"),
    ("block_parameters", "projection's normalisation forgotten", PROJECTION, "in_channels * channels\n    return"),
    ("block_parameters", "always projected", PROJECTS, 'shortcut == "B"'),
    ("block_parameters", "never projected", PROJECTS, "False"),
    ("block_parameters", "stride forgotten", "stride != 1 or ", ""),
    ("block_parameters", "channels forgotten", " or in_channels != channels", ""),
    ("block_parameters", "projection of 3 x 3", PROJECTION, "9 * " + PROJECTION),
    ("block_parameters", "padding has parameters", 'shortcut == "B"', 'shortcut != "none"'),
    ("block_parameters", "both convolutions alike", "9 * in_channels", "9 * channels"),
    ("preactivation_block", "shortcut forgotten", "maps + self", "self"),
    ("preactivation_block", "activation after the addition", "maps + " + SECOND, f"F.relu(maps + {SECOND})"),
    ("preactivation_block", "activated input added", "inner = ", "maps = F.relu(self.bn1(maps))\n        inner = ",
     FIRST, "self.conv1(maps)"),
    ("preactivation_block", "order of 2015", FIRST, f"F.relu({IN_2015[0]})", SECOND, f"F.relu({IN_2015[1]})"),
    ("preactivation_block", "order of 2015", FIRST, f"F.relu({IN_2015[0]})", SECOND, IN_2015[1]),
    ("preactivation_block", "order of 2015", FIRST, f"F.relu({IN_2015[0]})",
     "maps + " + SECOND, f"F.relu(maps + {IN_2015[1]})"),
    ("preactivation_block", "ReLU before normalisation", "F.relu(self.bn1(maps))", "self.bn1(F.relu(maps))",
     "F.relu(self.bn2(inner))", "self.bn2(F.relu(inner))"),
    ("preactivation_block", "activation forgotten", "F.relu(self.bn1(maps))", "self.bn1(maps)"),
    ("preactivation_block", "activation forgotten", "F.relu(self.bn2(inner))", "self.bn2(inner)"),
    ("preactivation_block", "activation forgotten", "F.relu", ""),
    ("preactivation_block", "too many parameters", "nn.Conv2d(8, 8, 3, padding=1, bias=False)\n\n",
     "nn.Conv2d(8, 8, 3, padding=1)\n\n"),
    ("preactivation_block", "layer conv1 is wrong", "8, 3, padding=1", "8, 5, padding=2"),
    ("preactivation_block", "returned nothing", "return maps", "maps"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    assert getattr(ch11, f"check_{exercise}")(rewritten(exercise, *edits)).mistake == mistake


def layers_on_the_way(depths, bottleneck):
    """Count them in the package's networks."""
    with torch.device("meta"):
        model = (resnet152 if bottleneck else resnet34)()
    known = (3, 8, 36, 3) if bottleneck else (3, 4, 6, 3)
    names = [name for name, part in model.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    inside = sum(".residual." in name for name in names)
    ends = sum(name.startswith(("stem.", "head.")) for name in names)
    return ends + inside // sum(known) * sum(depths)


def counted(in_channels, channels, stride, shortcut):
    """Count a block of the package."""
    block = BasicBlock(in_channels, channels, stride, shortcut=shortcut)
    return sum(parameter.numel() for parameter in block.parameters())


RIGHT = {
    "resnet_depth counted in the package": lambda: ch11.check_resnet_depth(layers_on_the_way),
    "identity_weight by torch": lambda: ch11.check_identity_weight(
        lambda channels, k: nn.init.dirac_(torch.empty(channels, channels, k, k))
    ),
    "padding_shortcut of the package": lambda: ch11.check_padding_shortcut(
        lambda maps, channels, stride: PaddingShortcut(channels, stride)(maps)
    ),
    "block_parameters counted": lambda: ch11.check_block_parameters(counted),
    "preactivation_block of the package": lambda: ch11.check_preactivation_block(PreactivationBasicBlock(8, 8)),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")
