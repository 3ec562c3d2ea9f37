import base64
import io

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

from cnnviz.analysis.feature_maps import feature_maps
from cnnviz.figures.montage import montage
from cnnviz.widgets.feature_maps import FeatureMapExplorer


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(64, 2))


@pytest.fixture
def images():
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def explorer(model, images):
    return FeatureMapExplorer(model, images, labels=[1, 0, 1], class_names=("bag", "shoe"))


def pixels(panel):
    data = base64.b64decode(panel["source"].removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)))


def titles(explorer):
    return [panel["title"] for panel in explorer._panels]


def test_pictures_are_those_of_the_chosen_layer_channel_and_image(explorer, model, images):
    explorer.layer, explorer.channel, explorer.image = "2", 3, 2
    maps = feature_maps(model, images)["2"][2]
    _, sheet, large, weights = (pixels(panel) for panel in explorer._panels)
    scale = {"limit": np.abs(maps).max(), "signed": True}
    np.testing.assert_array_equal(sheet, montage(maps, **scale))
    np.testing.assert_array_equal(large, montage(maps[3:4], **scale))
    own = model[2].weight.detach().numpy()
    np.testing.assert_array_equal(weights, montage(own[3], limit=np.abs(own).max(), signed=True, enlarge=4))


def test_a_layer_without_filters_has_no_filter_beside_it(explorer):
    assert titles(explorer)[-1] == "its filter, 1 × 3 × 3"
    explorer.layer = "1"
    assert len(explorer._panels) == 3
    assert titles(explorer)[-1] == "channel 0; dark 0, bright large"


def test_names_of_classes_stand_at_the_images(explorer):
    explorer.image = 1
    assert titles(explorer)[0] == "image 1 (bag)"
    assert "image 1 (bag)" in explorer.describe()


def test_a_layer_with_fewer_channels_starts_at_its_first(explorer):
    explorer.channel = 5
    explorer.layer = "2"
    assert explorer.channel == 0
    assert explorer._controls[1]["max"] == 3
    assert titles(explorer)[2].startswith("channel 0")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layer", "c9", r"layer \(='c9'\) must be one of 0, 1, 2"),
        ("channel", 6, r"channel \(=6\) must be from 0 to 5"),
        ("channel", -1, r"channel \(=-1\) must be from 0 to 5"),
        ("image", 3, r"image \(=3\) must be from 0 to 2"),
    ],
)
def test_what_is_not_there_raises_and_changes_nothing(explorer, name, value, message):
    explorer.channel, before = 2, None
    before = (explorer.layer, explorer.channel, explorer.image, explorer._panels, explorer._drawn)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert (explorer.layer, explorer.channel, explorer.image, explorer._panels, explorer._drawn) == before


def test_what_a_change_in_the_browser_raises_is_shown_and_goes_away(explorer):
    with pytest.raises(traitlets.TraitError):
        explorer.set_state({"channel": 99})
    assert explorer._problem == "IllegalSettingError: channel (=99) must be from 0 to 5"
    assert explorer.channel == 0
    explorer.set_state({"channel": 5})
    assert (explorer._problem, explorer.channel) == ("", 5)


def test_controls_can_be_given_at_the_start(model, images):
    explorer = FeatureMapExplorer(model, images, layer="2", channel=1)
    assert (explorer.layer, explorer.channel) == ("2", 1)
    with pytest.raises(ValueError, match="must be one of"):
        FeatureMapExplorer(model, images, layer="fc")
    with pytest.raises(TypeError, match="FeatureMapExplorer has no control 'chanel'; it has channel, image, layer"):
        FeatureMapExplorer(model, images, chanel=1)


def test_description_is_the_repr_and_tells_where_the_map_is_strongest(explorer):
    row, column = np.unravel_index(explorer.map.argmax(), (6, 6))
    assert repr(explorer) == explorer.describe()
    assert f"strongest at row {row}, column {column}." in repr(explorer)
    assert "Layer 0, channel 0 (of 6, from 0), image 0 (shoe): a map of 6 x 6" in repr(explorer)


def test_training_on_does_not_change_the_pictures(explorer, model):
    before = explorer.map.copy()
    nn.init.zeros_(model[0].weight)
    explorer.channel = 1
    explorer.channel = 0
    np.testing.assert_array_equal(explorer.map, before)


def test_labels_of_other_images_are_refused(model, images):
    with pytest.raises(ValueError, match="2 labels for 3 images"):
        FeatureMapExplorer(model, images, labels=[0, 1])
    with pytest.raises(ValueError, match="labels from 0 to 5, but there are 2 class names"):
        FeatureMapExplorer(model, images, labels=[0, 5, 1], class_names=("a", "b"))


def test_images_may_be_an_array(model, images):
    images.requires_grad_()
    explorer, same = (FeatureMapExplorer(model, given) for given in (images.detach().numpy(), images))
    assert explorer._panels == same._panels


def test_a_network_with_broken_weights_can_still_be_looked_at(model, images):
    nn.init.constant_(model[0].weight, torch.nan)
    explorer = FeatureMapExplorer(model, images)
    assert "values that are not finite" in explorer.describe()
