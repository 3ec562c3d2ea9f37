import base64
import io

import numpy as np
import pytest
from PIL import Image

from cnnviz.figures.photo import plot_landscape, plot_photos

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_photos_stand_side_by_side_pixel_for_pixel():
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    figure = plot_photos({"grey": GREY, "colour": colour})
    assert [trace.name for trace in figure.data] == ["grey", "colour"]
    for trace, levels in zip(figure.data, (GREY, colour), strict=True):
        png = base64.b64decode(trace.source.partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), levels)
    assert [title.text for title in figure.layout.annotations] == ["grey", "colour"]
    assert "2 photos: grey, colour" in figure.layout.meta


def test_a_landscape_has_the_value_of_each_pixel_as_its_height():
    figure = plot_landscape(GREY)
    np.testing.assert_array_equal(figure.data[0].z, GREY)
    assert figure.layout.scene.yaxis.autorange == "reversed"  # row 0 lies at the upper end of y,
    assert figure.layout.scene.camera.eye.y < 0  # which is far away: the photo is not upside down
    assert 0 not in figure.layout.scene.zaxis.tickvals  # it would lie on the first tick of another axis
    assert figure.layout.meta == "Grey levels of 3 x 4 pixels as heights, 0 to 11."


def test_bad_photos_are_named():
    with pytest.raises(ValueError, match="at least one photo"):
        plot_photos({})
    with pytest.raises(ValueError, match=r"'wrong' must be uint8 .* got float64 \[3, 4\]"):
        plot_photos({"right": GREY, "wrong": GREY / 255})
    with pytest.raises(ValueError, match=r"one value a pixel, \[H, W\]; this photo is \[3, 4, 3\]"):
        plot_landscape(np.zeros((3, 4, 3), np.uint8))
