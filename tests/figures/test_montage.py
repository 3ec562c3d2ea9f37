import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from cnnviz.figures.montage import GAP, colour, montage, png, tile


def test_tiles_are_laid_out_row_by_row_with_gaps():
    stack = np.arange(1, 13).reshape(3, 2, 2)
    np.testing.assert_array_equal(
        tile(stack, columns=2, gap=1, fill=0),
        [[1, 2, 0, 5, 6], [3, 4, 0, 7, 8], [0, 0, 0, 0, 0], [9, 10, 0, 0, 0], [11, 12, 0, 0, 0]],
    )


@pytest.mark.parametrize(("count", "shape"), [(1, (5, 4)), (6, (11, 14)), (16, (23, 19)), (120, (65, 54))])
def test_a_sheet_is_about_as_many_tiles_wide_as_high(count, shape):
    assert tile(np.zeros((count, 5, 4))).shape == shape


def test_signed_numbers_are_centred_on_zero_and_mirrored():
    middle, low, high = colour(np.array([0.0, -2.0, 2.0]))
    table = colormaps["RdBu_r"](np.array([0.5, 0.0, 1.0]), bytes=True)[:, :3]
    np.testing.assert_array_equal([middle, low, high], table)
    np.testing.assert_array_equal(colour(np.array([-0.1, 0.0, 5.0]))[1], middle)  # also when the range is lopsided


def test_numbers_without_a_negative_are_sequential_from_zero():
    pixels = colour(np.array([0.0, 1.0, 4.0]))
    np.testing.assert_array_equal(pixels, colormaps["viridis"](np.array([0.0, 0.25, 1.0]), bytes=True)[:, :3])


def test_a_common_limit_makes_two_sheets_comparable():
    np.testing.assert_array_equal(colour(np.array([-1.0]), limit=4)[0], colour(np.array([-1.0, 4.0]))[0])


def test_a_tile_without_a_negative_keeps_the_scale_of_its_signed_neighbours():
    sheet = montage(np.array([[[-2.0]], [[1.0]]]), columns=2, gap=0)
    alone = montage(np.array([[[1.0]]]), limit=2, signed=True)
    np.testing.assert_array_equal(sheet[0, 1], alone[0, 0])


def test_all_zeros_and_values_that_are_not_finite_are_drawn():
    assert len(np.unique(colour(np.zeros(5)), axis=0)) == 1
    np.testing.assert_array_equal(colour(np.array([np.nan, np.inf, 1.0]))[:2], [GAP, GAP])


def test_filters_on_rgb_are_colours_with_zero_in_the_middle():
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[1, 0] = 0.5  # wants red
    sheet = montage(weights, columns=2)
    assert sheet.tolist() == [[[128, 128, 128], list(GAP), [255, 128, 128]]]


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 1, 3, 3), (2, 3, 3, 3)])
def test_pictures_are_shown_as_they_are(shape):
    stack = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    sheet = montage(stack, columns=2)
    assert sheet.dtype == np.uint8
    np.testing.assert_array_equal(
        sheet[:, :3], np.broadcast_to(stack[0].reshape(-1, 3, 3).transpose(1, 2, 0), (3, 3, 3))
    )


def test_values_may_be_squares_of_pixels_beside_a_gap_of_one():
    sheet = montage(np.array([[[0, 9]], [[9, 9]]], np.uint8), columns=1, enlarge=2)
    assert sheet[..., 0].tolist() == [[0, 0, 9, 9]] * 2 + [[GAP[0]] * 4] + [[9] * 4] * 2


def test_the_file_holds_the_pixels():
    sheet = montage(np.random.default_rng(0).normal(size=(6, 5, 5)))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(sheet)))), sheet)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5, 3, 3), (0, 3, 3)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"got \[" + ", ".join(map(str, shape))):
        montage(np.zeros(shape))


def test_a_sheet_without_columns_is_refused():
    with pytest.raises(ValueError, match=r"columns \(=0\) must be at least 1 and gap \(=-1\) at least 0"):
        tile(np.zeros((1, 1, 1)), columns=0, gap=-1)
