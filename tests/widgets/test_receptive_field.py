"""ReceptiveFieldExplorer driven from Python: what follows from a control, what is refused, the zoo's own stacks."""

import numpy as np
import pytest
from torch import nn
from traitlets import TraitError

from cnnviz.analysis.layer_table import layer_table
from cnnviz.models import create_model
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.receptive_field import PRESETS, ReceptiveFieldExplorer

THREE = {"kind": "conv", "kernel_size": 3}


def state_of(explorer):
    return {name: getattr(explorer, name) for name in explorer.control_names()}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_shown_from_its_last_layer_in_the_middle(preset):
    explorer = ReceptiveFieldExplorer(preset=preset)
    rows = explorer.table.rows
    assert len(rows) == len(explorer.layers) == explorer.layer + 1
    field = explorer.field
    assert field.map_size == rows[-1].output_shape[-1]
    assert explorer.position == (field.map_size // 2,) * 2
    assert (field.size,) * 2 == rows[-1].receptive_field
    assert isinstance(explorer.model, nn.Sequential)


@pytest.mark.parametrize(("preset", "model"), [("VGG-16", "vgg16"), ("AlexNet", "alexnet"), ("LeNet-5", "lenet5")])
def test_the_zoos_stacks_are_the_zoos(preset, model):
    theirs = [row for row in layer_table(create_model(model)).rows if row.kernel_size]
    explorer = ReceptiveFieldExplorer(preset=preset)
    for ours, row in zip(explorer.table.rows, theirs, strict=True):
        for name in ("kernel_size", "stride", "padding", "receptive_field", "jump"):
            assert getattr(ours, name) == getattr(row, name), row.name
        assert ours.output_shape[2:] == row.output_shape[2:]
    assert explorer.layers == PRESETS[preset][0]


def test_layers_are_completed_named_and_looked_at_from_the_last():
    explorer = ReceptiveFieldExplorer()
    explorer.layers = [THREE | {"out_channels": 64}, {"kind": "max pool", "kernel_size": 2}, THREE]
    assert explorer.preset == "own"
    assert explorer.layers[1] == {"kind": "max pool", "kernel_size": 2, "stride": 2, "padding": 0}
    assert explorer.layers[0] == THREE | {"stride": 1, "padding": 0, "dilation": 1}
    assert (explorer.layer, explorer.position, explorer.field.size) == (2, (6, 6), 8)
    explorer.layers = [THREE] * 3
    assert explorer.preset == "three 3x3"
    explorer.preset = "VGG-16"
    assert (explorer.image_size, explorer.layer, explorer.field.size) == (224, 17, 212)
    explorer.layer = 0
    assert (explorer.position, explorer.field.size) == ((112, 112), 3)


def test_the_position_moves_the_field():
    explorer = ReceptiveFieldExplorer(layers=[THREE | {"padding": 1}], position=(0, 5))
    assert explorer.field.first == (-1, 4)
    assert explorer.field.rows.sum() == 2  # the third row is padding
    assert repr(explorer) == explorer.describe()
    assert explorer.describe().startswith("Layer 1 of 1, conv 3 x 3, padding 1. Unit [0, 5] of a map of 32 x 32, on an")


@pytest.mark.parametrize(
    ("start", "change", "message"),
    [
        ({}, ("layers", []), "there must be 1 to 20 layers, got 0"),
        ({}, ("layers", [THREE] * 21), "there must be 1 to 20 layers, got 21"),
        ({}, ("layers", "VGG-16"), "layers must be a list of dicts"),
        (
            {},
            ("layers", [{"kind": "linear", "out_features": 3}]),
            "layer 0: kind 'linear' slides no window; choose conv",
        ),
        ({}, ("layers", [THREE, {"kind": "conv"}]), r"layer 1 \(conv\): needs kernel_size"),
        (
            {},
            ("layers", [{"kind": "conv", "kernel_size": 16}]),
            r"layer 0 \(conv\): kernel_size \(=16\) must be a whole",
        ),
        (
            {},
            ("layers", [{"kind": "conv", "kernel_size": 3.0}]),
            r"kernel_size \(=3.0\) must be a whole number in 1..15",
        ),
        (
            {},
            ("layers", [{"kind": "max pool", "kernel_size": 2, "dilation": 2}]),
            "has no dilation; it takes kernel_size",
        ),
        ({}, ("layers", [THREE | {"size": 2}]), "has no size"),
        ({}, ("layers", [{"kind": "max pool", "kernel_size": 2, "padding": 2}]), "must be at most half of kernel_size"),
        ({}, ("layers", [THREE | {"dilation": 16}]), "a window of 33 pixels does not fit into 32"),
        ({}, ("layers", None), "layers must be"),
        ({"preset": "VGG-16"}, ("image_size", 31), "does not fit"),
        ({}, ("image_size", 300), r"image_size \(=300\) must be a whole number in 8..256"),
        ({}, ("layer", 3), r"layer=3 must lie in 0..2: there are 3 layers"),
        ({}, ("position", (26, 0)), r"position=\(26, 0\) must lie in 0..25, the map of layer=2"),
        ({}, ("position", 3), "position"),
        ({}, ("preset", "VGG-17"), "VGG-17"),
        ({}, ("zoom", "yes"), "zoom"),
    ],
)
def test_an_illegal_setting_raises_and_leaves_the_widget_as_it_was(start, change, message):
    explorer = ReceptiveFieldExplorer(**start)
    before = state_of(explorer)
    with pytest.raises(TraitError, match=message):
        setattr(explorer, *change)
    assert state_of(explorer) == before


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"preset": "own"}, "needs layers"),
        ({"preset": "VGG-16", "layers": [THREE]}, "does not have the layers that are given"),
        ({"preset": "VGG-17"}, "VGG-17"),
        ({"layers": [THREE], "image_size": 2}, "must be a whole number in 8..256"),
        ({"layer": 5}, "must lie in 0..2"),
    ],
)
def test_controls_that_contradict_each_other_are_refused_from_the_start(controls, message):
    with pytest.raises(TraitError, match=message):
        ReceptiveFieldExplorer(**controls)


def test_layers_and_image_that_only_fit_together_are_set_together():
    explorer = ReceptiveFieldExplorer()
    layers = [THREE | {"dilation": 16}] * 2
    with pytest.raises(IllegalSettingError):
        explorer.layers = layers
    with explorer.hold_trait_notifications():
        explorer.layers = layers
        explorer.image_size = 96
    assert (explorer.field.size, explorer.layer, explorer.image_size) == (65, 1, 96)


def test_controls_that_are_set_together_all_keep_what_they_were_set_to():
    explorer = ReceptiveFieldExplorer()
    with explorer.hold_trait_notifications():
        explorer.preset = "VGG-16"
        explorer.image_size = 64
    assert (explorer.image_size, explorer.layer, explorer.position) == (64, 17, (1, 1))
    with explorer.hold_trait_notifications():
        explorer.layers = explorer.layers[:8]
        explorer.layer = 4
        explorer.position = (0, 7)
    assert (explorer.preset, explorer.layer, explorer.position) == ("own", 4, (0, 7))
    explorer.preset = "VGG-16"
    explorer.layer = 17
    assert explorer.position == (0, 6)  # the map is 7 x 7
    explorer.preset = "one 7x7"
    assert (explorer.layer, explorer.position, explorer.image_size) == (0, (0, 6), 32)


def test_what_the_browser_sends_is_taken_as_it_is():
    explorer, other = ReceptiveFieldExplorer(), ReceptiveFieldExplorer(preset="AlexNet", layer=3, position=(2, 9))
    explorer.set_state(other.get_state(other.control_names()))
    assert state_of(explorer) == state_of(other)


def test_any_photo_becomes_a_square_in_colour():
    wide = np.zeros((60, 100), np.uint8)
    wide[:, 20:80] = 200  # the square in the middle
    explorer = ReceptiveFieldExplorer(wide)
    assert set(explorer._photo) == {200}
    assert len(explorer._photo) == 256 * 256 * 3
    with pytest.raises(FileNotFoundError):
        ReceptiveFieldExplorer("missing.png")
