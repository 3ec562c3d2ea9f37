"""CostExplorer driven from Python: comparisons load their numbers, what is refused, what torch says."""

import pytest
from torch import nn
from traitlets import TraitError

from cnnviz.analysis.designs import COMPARISONS, designs
from cnnviz.analysis.layer_table import layer_table
from cnnviz.widgets.cost import CostExplorer, kilobytes, ratio
from cnnviz.widgets.explorer import IllegalSettingError


def controls_of(explorer):
    return {name: getattr(explorer, name) for name in explorer.control_names()}


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_comparison_brings_its_numbers_and_its_modules_cost_what_the_tables_say(comparison):
    explorer = CostExplorer()
    explorer.comparison = comparison
    assert explorer.settings == COMPARISONS[comparison].defaults
    assert controls_of(CostExplorer(comparison=comparison))["size"] == explorer.size
    small = {"size": 4} | {name: 4 for name in ("in_channels", "out_channels") if name in explorer.settings}
    if comparison == "grouped":
        small |= {"groups": 2}
    explorer = CostExplorer(comparison=comparison, **small)
    for module, table, design in zip(
        explorer.designs, explorer.tables, designs(comparison, **explorer.settings), strict=True
    ):
        assert isinstance(module, nn.Sequential)
        real = layer_table(module, design.input_shape)
        assert (real.parameters, real.mult_adds) == (table.parameters, table.mult_adds)


@pytest.mark.parametrize(
    ("start", "change", "message"),
    [
        ({}, ("comparison", "squeeze"), "squeeze"),
        ({}, ("kernel_size", 4), "kernel_size=4 must be odd"),
        ({}, ("size", 225), r"size=225 must lie in 1\.\.224"),
        ({}, ("in_channels", 0), r"in_channels=0 must lie in 1\.\.1024"),
        ({}, ("width", 0.5), "comparison='stacked 3x3' has no width; it has bias, in_channels, kernel_size, size"),
        ({"comparison": "grouped"}, ("groups", 5), r"in_channels \(=96\) must be divisible by groups \(=5\)"),
        ({"comparison": "grouped"}, ("out_channels", 7), r"out_channels \(=7\) must be divisible by groups \(=2\)"),
        ({"comparison": "width multiplier"}, ("width", 0.0), r"width=0\.0 must lie in 0\.05\.\.1\.0"),
        ({"comparison": "global average pooling"}, ("size", 29), r"size=29 must lie in 1\.\.28"),
        ({}, ("measure", "flops"), "flops"),
        ({}, ("size", "28"), "size"),
    ],
)
def test_an_illegal_setting_raises_and_leaves_the_widget_as_it_was(start, change, message):
    explorer = CostExplorer(**start)
    before = controls_of(explorer)
    with pytest.raises(TraitError, match=message):
        setattr(explorer, *change)
    assert controls_of(explorer) == before


@pytest.mark.parametrize(
    ("controls", "error", "message"),
    [
        ({"comparison": "bottleneck", "groups": 2}, IllegalSettingError, "has no groups; it has bias, in_channels"),
        ({"comparison": "grouped", "in_channels": 9}, IllegalSettingError, r"in_channels \(=9\) must be divisible"),
        ({"channels": 3}, TypeError, "has no control 'channels'"),
        ({"comparison": "squeeze"}, TraitError, "squeeze"),
    ],
)
def test_controls_that_do_not_fit_are_refused_from_the_start(controls, error, message):
    with pytest.raises(error, match=message):
        CostExplorer(**controls)


def test_what_the_browser_sends_is_taken_as_a_whole():
    explorer = CostExplorer()
    other = CostExplorer(comparison="inception", out3x3=208, bias=True)
    explorer.set_state(other.get_state(["comparison", *COMPARISONS["inception"].defaults]))
    assert explorer.settings == other.settings
    assert explorer.describe() == other.describe()
    before = controls_of(explorer)
    with pytest.raises(IllegalSettingError):
        explorer.set_state({"comparison": "grouped", "in_channels": 9, "out_channels": 9, "groups": 2})
    assert controls_of(explorer) == before


def test_a_learner_sets_a_comparison_and_then_its_numbers():
    explorer = CostExplorer(comparison="bottleneck")
    explorer.reduced = 16
    explorer.comparison = "depthwise separable"
    explorer.kernel_size = 5
    explorer.comparison = "bottleneck"
    assert (explorer.reduced, explorer.kernel_size) == (64, 3)


def test_the_description_is_the_repr():
    explorer = CostExplorer(comparison="bottleneck")
    assert repr(explorer) == explorer.describe()
    assert explorer.describe() == (
        "Bottleneck. 3 x 3 at once, 256 x 28 x 28 in: 442,368 parameters, 346,816,512 mult-adds, outputs of 602.1 kB; "
        "1 x 1 to 64 channels first, 256 x 28 x 28 in: 126,976 parameters, 99,549,184 mult-adds, outputs of 802.8 kB. "
        "The second design against the first: parameters 28.7 %, 3.5 times less, mult-adds 28.7 %, 3.5 times less, "
        "memory 133.3 %."
    )


def test_numbers_in_words():
    assert [ratio(share) for share in (1, 0.25, 1.25, 3, 1 / 49)] == [
        "the same", "25.0 %, 4.0 times less", "125.0 %", "3.0 times as much", "2.0 %, 49.0 times less",
    ]  # fmt: skip
    assert [kilobytes(number) for number in (0, 50, 602_112, 205_520_896)] == [
        "0.0 kB", "0.1 kB", "602.1 kB", "205,520.9 kB",
    ]  # fmt: skip
