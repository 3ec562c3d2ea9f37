"""The check that all models of images share."""

import pytest
import torch

from cnnviz.models.image import check_image


def image(height, width, channels=3):
    return torch.zeros(2, channels, height, width, device="meta")


@pytest.mark.parametrize("size", [(8, 8), (8, 41), (41, 8), (500, 9)])
def test_images_need_not_be_square(size):
    check_image(image(*size), "Net", 3, smallest=8)


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (7, 41), (41, 7), (7, 7), (0, 8)])
def test_one_side_that_is_too_short_is_enough(size):
    with pytest.raises(ValueError, match=rf"H and W at least 8 pixels, not 2 x 3 x {size[0]} x {size[1]}"):
        check_image(image(*size), "Net", 3, smallest=8)


@pytest.mark.parametrize("size", [(8, 8), (8, 16), (16, 8), (16, 16)])
def test_both_sides_have_a_largest(size):
    check_image(image(*size), "Net", 3, smallest=8, largest=16)


@pytest.mark.parametrize("size", [(17, 16), (16, 17), (8, 17), (17, 8), (7, 16), (16, 7)])
def test_one_side_that_is_too_long_is_enough(size):
    with pytest.raises(ValueError, match="at least 8 pixels, at most 16, not"):
        check_image(image(*size), "Net", 3, smallest=8, largest=16)


@pytest.mark.parametrize("size", [(28, 28)])
def test_a_single_size_is_named(size):
    check_image(image(*size), "Net", 3, smallest=28, largest=28)
    for other in ((28, 29), (29, 28), (27, 28), (28, 27)):
        with pytest.raises(ValueError, match=f"N x 3 x 28 x 28, not 2 x 3 x {other[0]} x {other[1]}"):
            check_image(image(*other), "Net", 3, smallest=28, largest=28)


@pytest.mark.parametrize("wrong", [image(9, 9, 1), image(9, 9)[0], torch.zeros(())])
def test_another_number_of_channels_or_axes_is_refused(wrong):
    with pytest.raises(ValueError, match="Net takes images of shape N x 3 x H x W"):
        check_image(wrong, "Net", 3, smallest=8)
