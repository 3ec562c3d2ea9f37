import numpy as np
import pytest

from cnnviz.analysis.feature_maps import FeatureMaps
from cnnviz.figures.feature_maps import plot_feature_maps, plot_layers

MAPS = FeatureMaps(
    {
        "c1": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) - 14,
        "relu": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    }
)


def test_every_value_stands_in_the_place_of_its_channel():
    (heat,) = plot_feature_maps(MAPS, "c1", image=1, columns=3).data
    sheet = np.concatenate(MAPS["c1"][1], axis=1)
    np.testing.assert_array_equal(heat.z[:, [0, 1, 3, 4, 6, 7]], sheet)
    assert np.isnan(heat.z[:, [2, 5]]).all()
    np.testing.assert_array_equal(heat.customdata[0, [0, 3, 6]], [0, 1, 2])


def test_signed_maps_are_centred_on_zero_and_others_begin_there():
    (signed,), (unsigned,) = plot_feature_maps(MAPS, "c1").data, plot_feature_maps(MAPS, "relu").data
    assert (signed.zmin, signed.zmax) == (-14, 14)
    assert (unsigned.zmin, unsigned.zmax) == (0, 11)
    assert signed.colorscale != unsigned.colorscale


def test_the_description_travels_with_the_figure():
    figure = plot_feature_maps(MAPS, "c1", image=1)
    assert "3 feature maps of layer c1 for image 1" in figure.layout.meta
    assert MAPS.describe() in figure.layout.meta


def test_a_layer_or_image_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no feature maps of a layer 'c3'; there are c1, relu"):
        plot_feature_maps(MAPS, "c3")
    with pytest.raises(ValueError, match=r"image \(=2\) must be from 0 to 1"):
        plot_feature_maps(MAPS, "c1", image=2)


def test_the_whole_network_is_its_layers_side_by_side():
    figure = plot_layers(MAPS, image=1)
    assert [note.text for note in figure.layout.annotations] == ["c1<br>3 × 2 × 2", "relu<br>3 × 2 × 2"]
    for trace, layer, axis in zip(figure.data, MAPS.names, ("x", "x2"), strict=True):
        np.testing.assert_array_equal(trace.z, plot_feature_maps(MAPS, layer, 1).data[0].z)
        assert trace.xaxis == axis
    assert MAPS.describe() in figure.layout.meta
