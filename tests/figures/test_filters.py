import numpy as np
import pytest

from cnnviz.analysis.filters import Filters
from cnnviz.figures.filters import MOST_INPUTS, plot_filters, sheet_of_filters

RANDOM = np.random.default_rng(0)
FILTERS = Filters(
    {
        "c1": RANDOM.normal(size=(3, 6, 1, 5, 5)).astype(np.float32),
        "c3": RANDOM.normal(size=(3, 16, 6, 5, 5)).astype(np.float32),
        "rgb": RANDOM.normal(size=(3, 4, 3, 2, 2)).astype(np.float32),
    },
    (0, 1, 5),
)


def test_a_layer_on_many_channels_has_one_column_a_filter_and_one_row_a_channel():
    (heat,) = plot_filters(FILTERS, "c3").data
    assert heat.z.shape == (6 * 6 - 1, 16 * 6 - 1)
    np.testing.assert_array_equal(heat.z[18:23, 12:17], FILTERS["c3"][-1, 2, 3])


def test_all_epochs_share_one_scale_so_that_growth_shows():
    first, last = (plot_filters(FILTERS, "c1", epoch).data[0] for epoch in (0, 5))
    assert first.zmax == last.zmax == pytest.approx(np.abs(FILTERS["c1"]).max())
    assert first.zmin == -first.zmax
    assert not np.array_equal(first.z, last.z, equal_nan=True)
    np.testing.assert_array_equal(plot_filters(FILTERS, "c1").data[0].z, last.z)


def test_filters_without_a_negative_weight_keep_the_diverging_scale():
    (heat,) = plot_filters(Filters({"c1": np.full((1, 1, 1, 2, 2), 0.5, np.float32)}), "c1").data
    assert (heat.zmin, heat.zmax) == (-0.5, 0.5)


def test_filters_on_three_channels_are_a_colour_picture():
    (picture,) = plot_filters(FILTERS, "rgb").data
    assert picture.type == "image"
    assert np.asarray(picture.z).shape == (5, 5, 3)


def test_a_very_wide_layer_shows_its_first_inputs():
    stack, columns = sheet_of_filters(np.zeros((2, MOST_INPUTS + 1, 3, 3)))
    assert (len(stack), columns) == (2 * MOST_INPUTS, 2)


def test_the_description_names_layer_and_epoch():
    meta = plot_filters(FILTERS, "c1", 1).layout.meta
    assert meta.startswith("c1: 6 filters of 1 x 5 x 5, epoch 1.")
    assert FILTERS.describe() in meta


@pytest.mark.parametrize(("layer", "epoch", "message"), [("c9", None, "there are c1, c3"), ("c1", 2, "one of 0, 1, 5")])
def test_a_layer_or_epoch_that_is_not_there_is_refused(layer, epoch, message):
    with pytest.raises(ValueError, match=message):
        plot_filters(FILTERS, layer, epoch)
