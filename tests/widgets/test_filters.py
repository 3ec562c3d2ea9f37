from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.widgets.filters import FilterExplorer


@pytest.fixture
def records():
    start = torch.randn(6, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    wide = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(1))
    return [SimpleNamespace(epoch=epoch, filters={"c1": start * (1 + epoch), "c3": wide}) for epoch in range(4)]


def titles(explorer):
    return [panel["title"] for panel in explorer._panels]


def test_the_slider_over_epochs_shows_the_filters_of_that_epoch(records):
    explorer = FilterExplorer(records)
    assert explorer.epoch == 3
    np.testing.assert_array_equal(explorer.filter, records[3].filters["c1"][0])
    pictures = set()
    for epoch in range(4):
        explorer.epoch = epoch
        np.testing.assert_array_equal(explorer.filter, records[epoch].filters["c1"][0])
        pictures.add(explorer._panels[0]["source"])
    assert len(pictures) == 4
    explorer.epoch = 0
    assert explorer._panels[1]["source"] == explorer._panels[2]["source"]  # epoch 0 beside itself


def test_description_tells_how_far_the_filter_has_moved(records):
    explorer = FilterExplorer(records, channel=2, epoch=1)
    assert "Layer c1, filter 2 (of 6, from 0): 1 x 5 x 5" in explorer.describe()
    assert "epoch 1, moved by 100% of its length since epoch 0." in repr(explorer)


def test_a_model_has_no_epochs_to_slide_over():
    explorer = FilterExplorer(nn.Sequential(nn.Conv2d(3, 8, 5), nn.Conv2d(8, 2, 1)))
    assert [control["name"] for control in explorer._controls] == ["layer", "channel"]
    assert titles(explorer) == ["0, 8 filters", "filter 0"]
    with pytest.raises(ValueError, match=r"epoch \(=1\) must be one of 0"):
        explorer.epoch = 1


def test_a_layer_on_many_channels_has_a_column_a_filter(records):
    explorer = FilterExplorer(records, channel=5)
    explorer.layer = "c3"
    assert explorer.channel == 0
    assert titles(explorer)[0] == "c3, 4 filters, a column each, epoch 3"
    pick = explorer._panels[0]["pick"]
    assert (pick["columns"], pick["span"], pick["count"]) == (4, 6, 4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layer", "f6", "must be one of c1, c3"),
        ("channel", 6, "from 0 to 5"),
        ("epoch", 4, "must be one of 0, 1, 2, 3"),
    ],
)
def test_what_is_not_there_raises_and_changes_nothing(records, name, value, message):
    explorer = FilterExplorer(records)
    before = (explorer.layer, explorer.channel, explorer.epoch, explorer._panels)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert (explorer.layer, explorer.channel, explorer.epoch, explorer._panels) == before
