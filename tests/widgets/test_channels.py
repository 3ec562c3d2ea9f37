"""ChannelExplorer driven from Python: kinds and numbers that follow each other, what is refused, what torch says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from traitlets import TraitError

from cnnviz.analysis.layer_table import layer_table
from cnnviz.widgets.channels import KINDS, SEPARABLE, ChannelExplorer
from cnnviz.widgets.explorer import IllegalSettingError


def controls_of(explorer):
    return {name: getattr(explorer, name) for name in explorer.control_names()}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 32), st.integers(1, 32), st.sampled_from([1, 3, 5, 7]), st.booleans())
def test_every_kind_can_be_chosen_from_any_numbers_and_its_code_runs(kind, inputs, outputs, k, bias):
    explorer = ChannelExplorer(in_channels=inputs, out_channels=outputs, kernel_size=k, size=5, bias=bias)
    explorer.kind = kind
    assert explorer.kind == kind
    layer = eval(explorer.code, {"nn": nn})
    x = torch.zeros(1, explorer.in_channels, 5, 5)
    assert layer(x).shape == explorer.model(x).shape == (1, explorer.out_channels, 5, 5)
    table = layer_table(layer, (explorer.in_channels, 5, 5))
    assert (table.parameters, table.mult_adds) == (explorer.table.parameters, explorer.table.mult_adds)
    rebuilt = ChannelExplorer(**controls_of(explorer))
    assert controls_of(rebuilt) == controls_of(explorer)


def test_kinds_and_numbers_follow_each_other():
    explorer = ChannelExplorer(in_channels=8)
    assert (explorer.kind, explorer.out_channels) == ("full", 8)
    explorer.groups = 2
    assert explorer.kind == "grouped"
    explorer.groups = 8
    assert explorer.kind == "depthwise"
    explorer.out_channels = 16
    explorer.in_channels = 6  # stays depthwise, with two filters for each channel
    assert (explorer.kind, explorer.groups, explorer.out_channels) == ("depthwise", 6, 12)
    explorer.in_channels = 20  # two for each would be 40
    assert (explorer.groups, explorer.out_channels) == (20, 20)
    explorer.kind = SEPARABLE
    explorer.out_channels = 7
    explorer.in_channels = 3
    assert [layer["groups"] for layer in explorer.layers] == [3, 1]
    explorer.kind = "1x1"
    assert (explorer.groups, explorer.kernel_size) == (1, 1)
    explorer.kernel_size = 5
    assert explorer.kind == "full"


def test_fewer_outputs_move_the_lit_channel():
    explorer = ChannelExplorer(channel=7)
    explorer.out_channels = 4
    assert explorer.channel == 3


@pytest.mark.parametrize(
    ("start", "change", "message"),
    [
        ({}, ("groups", 3), r"in_channels \(=8\) must be divisible by groups \(=3\); groups can be 1, 2, 4, 8"),
        ({"out_channels": 12}, ("groups", 8), r"out_channels \(=12\) must be divisible by groups \(=8\)"),
        ({"groups": 4}, ("in_channels", 6), "choose a multiple of 4"),
        ({"kind": "depthwise"}, ("out_channels", 12), "choose a multiple of 8"),
        ({"kind": SEPARABLE}, ("groups", 2), "set kind='grouped' first"),
        ({}, ("kernel_size", 4), "kernel_size=4 must be 1, 3, 5 or 7"),
        ({}, ("in_channels", 33), r"in_channels=33 must lie in 1\.\.32"),
        ({}, ("size", 0), r"size=0 must lie in 1\.\.224"),
        ({}, ("channel", 8), r"channel=8 must lie in 0\.\.7: there are 8 outputs"),
        ({}, ("kind", "dense"), "dense"),
        ({}, ("groups", "2"), "groups"),
    ],
)
def test_an_illegal_setting_raises_and_leaves_the_widget_as_it_was(start, change, message):
    explorer = ChannelExplorer(**start)
    before = controls_of(explorer)
    with pytest.raises(TraitError, match=message):
        setattr(explorer, *change)
    assert controls_of(explorer) == before


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"kind": "depthwise", "groups": 2}, "kind='depthwise' needs groups=8 here, got groups=2"),
        ({"kind": "1x1", "kernel_size": 3}, "kind='1x1' needs kernel_size=1 here, got kernel_size=3"),
        ({"in_channels": 9, "groups": 2}, r"(in|out)_channels \(=9\) must be divisible"),
        ({"groups": "2"}, "groups"),
        ({"channel": 8}, r"must lie in 0\.\.7"),
    ],
)
def test_controls_that_do_not_fit_are_refused_from_the_start(controls, message):
    with pytest.raises(TraitError, match=message):
        ChannelExplorer(**controls)
    with pytest.raises(TypeError, match="has no control 'channels'"):
        ChannelExplorer(channels=3)


def test_numbers_that_fit_only_together_are_set_together_or_not_at_all():
    explorer = ChannelExplorer(groups=4)
    before = controls_of(explorer)
    with pytest.raises(IllegalSettingError):
        explorer.set_state({"in_channels": 9, "groups": 3})  # out_channels is still 8
    assert controls_of(explorer) == before
    with explorer.hold_trait_notifications():
        explorer.in_channels = 9
        explorer.out_channels = 6
        explorer.groups = 3
    assert explorer.kind == "grouped"
    other = ChannelExplorer(kind=SEPARABLE, in_channels=5, out_channels=7, channel=6)
    explorer.set_state(other.get_state(other.control_names()))
    assert controls_of(explorer) == controls_of(other)


def test_the_description_is_the_repr():
    explorer = ChannelExplorer(in_channels=8, groups=4, channel=5, size=14)
    assert repr(explorer) == explorer.describe()
    assert explorer.describe() == (
        "Grouped convolution: 8 filters of 3 x 3 in 4 groups, each reads 2 of the 8 channels; 8 x 14 x 14 in, "
        "8 x 14 x 14 out. 144 parameters (25.0 % of the full convolution's), 28,224 mult-adds (25.0 % of the full "
        "convolution's). Output channel 5 is made from input channels 4 to 5."
    )


def test_the_course_papers_numbers():
    """MobileNet's savings, 1/N + 1/K^2, at the widest that is drawn."""
    explorer = ChannelExplorer(kind=SEPARABLE, in_channels=32, size=14)
    full = ChannelExplorer(in_channels=32, size=14)
    assert explorer.table.mult_adds / full.table.mult_adds == pytest.approx(1 / 32 + 1 / 9)
