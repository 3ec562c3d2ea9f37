"""Layers in plain words become torch's modules, and what does not fit is refused."""

import pytest
import torch
from torch import nn

from cnnviz.analysis.stack import stack

CONV = {"kind": "conv", "out_channels": 8, "kernel_size": 3}


def test_every_kind_becomes_torchs_layer():
    words = {"stride": 2, "padding": 2, "dilation": 2, "groups": 4, "bias": False}
    branches = [[{**CONV, "padding": 1}], [{"kind": "max pool", "kernel_size": 3, "stride": 1, "padding": 1}]]
    layers = [{**CONV, **words}, {"kind": "concat", "branches": branches}, {"kind": "average pool", "kernel_size": 2}]
    layers += [{"kind": "global average pool"}, {"kind": "flatten"}]
    net = stack([*layers, {"kind": "linear", "out_features": 5, "bias": False}], (4, 16, 16))
    twin = nn.Conv2d(4, 8, 3, stride=2, padding=2, dilation=2, groups=4, bias=False)
    assert repr(net[0]) == repr(twin)
    assert repr(net[1][1][0]) == repr(nn.MaxPool2d(3, stride=1, padding=1))
    assert repr(net[2]) == repr(nn.AvgPool2d(2, stride=2))
    assert repr(net[5]) == repr(nn.Linear(16, 5, bias=False))
    assert net(torch.zeros(2, 4, 16, 16)).shape == (2, 5)


def test_branches_stand_one_behind_the_other_along_the_channels():
    net = stack(
        [{"kind": "concat", "branches": [[CONV], [{"kind": "max pool", "kernel_size": 3, "stride": 1}]]}], (2, 6, 6)
    )
    x = torch.rand(1, 2, 6, 6)
    torch.testing.assert_close(net(x)[:, :8], net[0][0](x))
    torch.testing.assert_close(net(x)[:, 8:], net[0][1](x))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"kind": "pool"}], "layer 0: there is no kind 'pool'; choose from conv, max pool"),
        ([CONV, {"kind": "conv", "kernel_size": 3}], r"layer 1 \(conv\): needs out_channels"),
        ([{**CONV, "kernel": 3}], r"layer 0 \(conv\): has no kernel; it takes out_channels"),
        ([{**CONV, "stride": 0}], r"stride \(=0\) must be a whole number of at least 1"),
        ([{**CONV, "padding": 0.5}], r"padding \(=0.5\) must be a whole number of at least 0"),
        ([{**CONV, "groups": 3}], r"out_channels \(=8\) must be divisible by groups \(=3\)"),
        ([{**CONV, "kernel_size": 9}], r"a window of 9 pixels does not fit into 8 \+ 2 · 0 pixels"),
        ([{"kind": "max pool", "kernel_size": 3, "padding": 2}], r"padding \(=2\) must be at most half of kernel_size"),
        ([{"kind": "linear", "out_features": 3}], r"layer 0 \(linear\): comes after flatten, .* 3 x 8 x 8"),
        ([{"kind": "flatten"}, CONV], r"layer 1 \(conv\): takes an image, and what comes in is 192"),
        ([{"kind": "concat", "branches": []}], "needs at least one branch"),
        ([{"kind": "concat", "branches": [[CONV], []]}], "end in 8 x 6 x 6 and 3 x 8 x 8, which do not join"),
        ([{"kind": "concat", "branches": [[], [{**CONV, "groups": 2}]]}], r"layer 0.1.0 \(conv\): in_channels"),
    ],
)
def test_what_does_not_fit_is_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        stack(layers, (3, 8, 8))


def test_images_are_square():
    with pytest.raises(ValueError, match="must be square, not 3 x 8 x 6"):
        stack([CONV], (3, 8, 6))
