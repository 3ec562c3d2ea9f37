"""The exercises of chapter 04: right answers pass, each wrong one is called by its own name, limits are limits."""

import pytest
import torch
from torch import nn

from cnnviz.analysis import layer_table
from cnnviz.analysis.lectures import readings
from cnnviz.exercises import ch04

from .solutions import rewritten, run, source

OUT = "(size + 2 * padding - kernel_size) // stride + 1"
ONE_FILTER = "in_channels // groups * kernel_size**2"
FIXED = "4 * parameters * (2 + optimizer_numbers)"
ONE_MAP = "size * size * (in_channels + kernel_size**2 * out_channels)"
FIT = "max(0, (memory - fixed) // (4 * activations))"
SHARE = "(depthwise + pointwise) / full"
PLACE = "numbers.index(max(numbers))"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("conv_parameters", "bias forgotten", "(one_filter + bias)", "one_filter"),
    ("conv_parameters", "bias always counted", "(one_filter + bias)", "(one_filter + 1)"),
    ("conv_parameters", "one bias for all", "out_channels * (one_filter + bias)", "out_channels * one_filter + bias"),
    ("conv_parameters", "one bias a channel", "+ bias", "+ bias * in_channels"),
    ("conv_parameters", "kernel not squared", "**2", ""),
    ("conv_parameters", "input channels forgotten", "in_channels // groups * kernel_size**2",
     "kernel_size**2 / groups"),
    ("conv_parameters", "groups ignored", " // groups", ""),
    ("conv_parameters", "groups divided twice", "out_channels * (one_filter + bias)",
     "out_channels // groups * one_filter + bias * out_channels"),
    ("conv_mult_adds", "FLOPs for mult-adds", "return out", "return 2 * out"),
    ("conv_mult_adds", "input pixels counted", OUT, "size"),
    ("conv_mult_adds", "one side for an area", "out * out * ", "out * "),
    ("conv_mult_adds", "image forgotten", "out * out * ", ""),
    ("conv_mult_adds", "stride ignored", "// stride", ""),
    ("conv_mult_adds", "padding ignored", "size + 2 * padding", "size"),
    ("conv_mult_adds", "padding on one side only", "2 * padding", "padding"),
    ("conv_mult_adds", "kernel not squared", "**2", ""),
    ("conv_mult_adds", "groups ignored", " // groups", ""),
    ("conv_mult_adds", "groups divided twice", "out_channels * one_filter", "out_channels // groups * one_filter"),
    ("conv_mult_adds", "bias counted", "kernel_size**2", "kernel_size**2 + 1"),
    ("network_parameters", "bias forgotten", " + 1)", ")"),
    ("network_parameters", "biases of the filters only", "side * side + 1", "side * side"),
    ("network_parameters", "linear layer forgotten", "return total +", "return total  #"),
    ("network_parameters", "pooling forgotten", "        side //= 2\n", ""),
    ("network_parameters", "one pooling too few", "total, side = 0, image_size", "total, side = 0, image_size * 2"),
    ("network_parameters", "one number a channel", " * side * side", ""),
    ("network_parameters", "rounded up", "side //= 2", "side = -(-side // 2)"),
    ("network_parameters", "first convolution forgotten",
     "range(1, ", "range(2, ", "image_size\n", "image_size // 2\n"),
    ("fullest_layer", "counted from 1", PLACE, PLACE + " + 1"),
    ("fullest_layer", "most channels", "numbers.append(maps * size * size)", "numbers.append(maps)"),
    ("fullest_layer", "most parameters", "numbers = []", "numbers, before = [], 3", "append(maps * size * size)",
     "append(maps * (9 * before + 1))\n        before = maps"),
    ("fullest_layer", "most mult-adds", "numbers = []", "numbers, before = [], 3", "append(maps * size * size)",
     "append(maps * before * size * size)\n        before = maps"),
    ("fullest_layer", "input for output", "numbers = []", "numbers, before = [], 3 * size * size",
     "append(maps * size * size)", "append(before)\n        before = maps * size * size"),
    ("fullest_layer", "one side for an area", "maps * size * size", "maps * size"),
    ("fullest_layer", "last of equals", PLACE, "len(numbers) - 1 - numbers[::-1].index(max(numbers))"),
    ("fullest_layer", "least for most", "max(numbers)", "min(numbers)"),
    ("fullest_layer", "number for place", PLACE, "max(numbers)"),
    ("largest_batch", "gradients forgotten", "2 + ", "1 + "),
    ("largest_batch", "optimiser forgotten", "(2 + optimizer_numbers)", "2"),
    ("largest_batch", "parameters forgotten", FIXED, "0"),
    ("largest_batch", "parameters for each image", FIT, "memory // (fixed + 4 * activations)"),
    ("largest_batch", "numbers for bytes", "4 * ", ""),
    ("largest_batch", "negative batch", FIT, "(memory - fixed) // (4 * activations)"),
    ("largest_batch", "rounded up", FIT, "max(0, -(-(memory - fixed) // (4 * activations)))"),
    ("largest_batch", "true division", "//", "/"),
    ("widest_bottleneck", "1x1 convolution forgotten", "in_channels + ", ""),
    ("widest_bottleneck", "3x3 convolution forgotten", " + kernel_size**2 * out_channels", ""),
    ("widest_bottleneck", "channels exchanged", ONE_MAP, "size * size * (out_channels + kernel_size**2 * in_channels)"),
    ("widest_bottleneck", "kernel not squared", "**2", ""),
    ("widest_bottleneck", "one side for an area", "size * size * (", "size * ("),
    ("widest_bottleneck", "pixels forgotten", "size * size * (", "("),
    ("widest_bottleneck", "rounded up", "budget // one_map", "-(-budget // one_map)"),
    ("widest_bottleneck", "one map too many", "budget // one_map", "budget // one_map + 1"),
    ("widest_bottleneck", "true division", "//", "/"),
    ("separable_share", "times fewer for share", SHARE, "full / (depthwise + pointwise)"),
    ("separable_share", "saved share", SHARE, "1 - " + SHARE),
    ("separable_share", "input channels for output channels", SHARE, "1 / in_channels + pointwise / full"),
    ("separable_share", "depthwise step only", "(depthwise + pointwise)", "depthwise"),
    ("separable_share", "pointwise step only", "(depthwise + pointwise)", "pointwise"),
    ("separable_share", "kernel not squared", "pointwise) /", "pointwise * kernel_size) /"),
    ("separable_share", "product for sum", SHARE, "depthwise / full * pointwise / full"),
    ("separable_share", "integer division", ") / full", ") // full"),
    ("small_network", "not a module", "nn.Sequential", "", "\n)", "\n)"),
    ("small_network", "too many parameters",
     "nn.AdaptiveAvgPool2d(1)", "nn.Identity()", "nn.Linear(64", "nn.Linear(1024"),
    ("small_network", "too many mult-adds", "stride=2, padding=1", "padding=1"),
    ("small_network", "too few filters", "64", "48"),
    ("small_network", "field too small", "nn.Conv2d(64, 64, 3, padding=1, groups=64)", "nn.Identity()"),
    ("small_network", "wrong shape", "nn.Linear(64, 10)", "nn.Linear(64, 9)"),
    ("small_network", "raised an exception", "nn.Linear(64", "nn.Linear(65"),
]  # fmt: skip


def check(exercise, answer):
    return getattr(ch04, f"check_{exercise}")(answer)


@pytest.mark.parametrize(
    ("exercise", "mistake", "edits"), [(w[0], w[1], w[2:]) for w in WRONG], ids=[f"{w[0]}, {w[1]}" for w in WRONG]
)
def test_a_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = check(exercise, rewritten(exercise, *edits))
    assert (verdict.passed, verdict.mistake) == (False, mistake), verdict
    assert str(verdict).startswith("✗")


def test_the_lectures_layers_are_cases_and_their_numbers_come_out():
    """280 and 910 parameters, 346,816,512 mult-adds, and a bottleneck of 16 maps from its own total."""
    printed = {id: readings(id)[0].value for id in ("B01", "B08", "B10", "D10", "D11", "E05")}
    names = ("conv_parameters", "conv_mult_adds", "widest_bottleneck", "separable_share")
    parameters, work, widest, share = (run(name, source(name)) for name in names)
    assert parameters(3, 10, 3) == printed["D10"] == 280
    assert parameters(10, 10, 3) == printed["D11"] == 910
    assert work(256, 192, 3, 28, 1, 1) == printed["B01"]
    assert widest(192, 32, 5, 28, int(printed["E05"])) == 16
    assert share(512, 512, 3) == pytest.approx(printed["B10"] / printed["B08"])


RIGHT = {
    "conv_parameters from torch": lambda: ch04.check_conv_parameters(
        lambda c, f, k, g, bias: sum(p.numel() for p in nn.Conv2d(c, f, k, groups=g, bias=bias).parameters())
    ),
    "conv_mult_adds from the table": lambda: ch04.check_conv_mult_adds(
        lambda c, f, k, n, s, p, g: layer_table(nn.Conv2d(c, f, k, s, p, groups=g), (c, n, n)).mult_adds
    ),
    "separable_share by formula": lambda: ch04.check_separable_share(lambda c, f, k: 1 / f + 1 / k**2),
    "largest_batch by trying": lambda: ch04.check_largest_batch(
        lambda p, a, m, o: max(n for n in range(5000) if n == 0 or 4 * (p * (2 + o) + n * a) <= m)
    ),
    "fullest_layer as a tensor": lambda: ch04.check_fullest_layer(
        lambda c, s, n: torch.tensor(
            [f * (((n - 1) // stride_to(s, i)) + 1) ** 2 for i, f in enumerate(c)]
        ).argmax()
    ),
}  # fmt: skip


def stride_to(strides, i):
    """The product of the strides up to layer i: floors of floors are the floor of the product."""
    product = 1
    for stride in strides[: i + 1]:
        product *= stride
    return product


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


class OwnNetwork(nn.Module):
    """Functions in the place of layers, batch normalisation, dropout."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 1, 2, dilation=2, groups=16),
            nn.Conv2d(16, 64, 3, 2, 1),
        )
        self.last = nn.Conv2d(64, 64, 1, groups=64)

    def forward(self, x):
        x = self.last(self.maps(x)).relu().mean((2, 3))
        return nn.functional.dropout(x, 0.5, self.training)[:, :10]


def test_the_network_may_be_any_module_and_is_left_as_it_was():
    model = OwnNetwork().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    verdict = ch04.check_small_network(model)
    assert verdict.mistake == "field too small"
    assert all(part.training for part in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_network_at_the_limits_passes_and_one_beyond_does_not(monkeypatch):
    model = run("small_network", source("small_network"))
    table = layer_table(model, (3, 32, 32))
    for off, passed in ((0, True), (1, False)):
        monkeypatch.setattr(ch04, "LIMITS", {name: getattr(table, name) - off for name in ch04.LIMITS})
        assert ch04.check_small_network(model).passed == passed


def test_the_networks_of_the_chapter_do_not_pass():
    ten = [nn.Sequential(nn.Conv2d(c, 10, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)) for c in (3, 10, 10)]
    assert ch04.check_small_network(nn.Sequential(*ten, nn.Flatten(), nn.Linear(160, 10))).mistake == "too few filters"
    assert ch04.check_small_network(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))).mistake == "too many parameters"
    plain = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
    assert ch04.check_small_network(plain).mistake == "no convolution"
