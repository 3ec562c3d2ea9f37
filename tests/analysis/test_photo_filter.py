import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import filters
from torch.nn import Conv2d

from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.analysis.photo import photo
from cnnviz.analysis.photo_filter import (
    PADDING_MODES,
    PhotoFilter,
    border_effect,
    edge_magnitude,
    median_filter,
    photo_filter,
)

SCIPY_MODES = {"zeros": "constant", "reflect": "mirror", "replicate": "nearest", "circular": "grid-wrap"}
GREY = photo("camera", longest=48)
COLOUR = photo("chelsea", longest=40)


@given(
    name=st.sampled_from(list(KERNELS)),
    size=st.sampled_from([1, 3, 5, 7]),
    mode=st.sampled_from(list(SCIPY_MODES)),
    strength=st.floats(-1, 3),
    colour=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_agrees_with_scipy_for_every_kernel_size_border_and_strength(name, size, mode, strength, colour):
    image = COLOUR if colour else GREY
    weight = kernel(name, size)
    filtered = photo_filter(image, weight, padding_mode=mode, strength=strength)
    stack = weight[..., None] if colour else weight  # a third axis of 1 filters each plane alone
    expected = ndimage.correlate(image.astype(float), stack.astype(float), mode=SCIPY_MODES[mode])
    expected = (1 - strength) * image + strength * expected
    np.testing.assert_allclose(filtered.result, expected, atol=2e-3 * max(1, np.abs(weight).sum()))
    np.testing.assert_allclose(filtered.difference, expected - image, atol=2e-3 * max(1, np.abs(weight).sum()))


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_is_the_convolution_of_torch_with_same_padding(mode, size):
    weight = np.random.default_rng(size).normal(size=(size, size)).astype(np.float32)
    above, below = (size - 1) // 2, size // 2
    layer = Conv2d(1, 1, size, bias=False)
    layer.weight.data = torch.tensor(weight)[None, None]
    name = "constant" if mode == "zeros" else mode
    padded = torch.nn.functional.pad(torch.tensor(GREY)[None, None].float(), (above, below) * 2, mode=name)
    result = photo_filter(GREY, weight, padding_mode=mode).result
    np.testing.assert_allclose(result, layer(padded)[0, 0].detach().numpy(), atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (2, 4), (1, 5), (5, 5)])
@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_valid_is_the_part_that_every_padding_agrees_on(height, width, image):
    weight = np.random.default_rng(0).normal(size=(height, width))
    valid = photo_filter(image, weight, padding_mode="valid", strength=0.7)
    top, left = (height - 1) // 2, (width - 1) // 2
    inside = np.s_[top : top + valid.result.shape[0], left : left + valid.result.shape[1]]
    assert valid.result.shape[:2] == (image.shape[0] - height + 1, image.shape[1] - width + 1)
    for mode in SCIPY_MODES:
        padded = photo_filter(image, weight, padding_mode=mode, strength=0.7)
        np.testing.assert_allclose(padded.result[inside], valid.result, atol=1e-2)
    np.testing.assert_allclose(valid.difference, valid.result - image[inside], atol=1e-3)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_identity_and_strength_zero_change_nothing(mode):
    assert not photo_filter(COLOUR, "identity", padding_mode=mode).difference.any()
    assert not photo_filter(COLOUR, "emboss", padding_mode=mode, strength=0).difference.any()


def test_strength_is_a_kernel_between_identity_and_the_kernel_and_beyond():
    blended = (1 - 1.8) * kernel("identity") + 1.8 * kernel("sharpen")
    np.testing.assert_allclose(
        photo_filter(GREY, "sharpen", strength=1.8).result, photo_filter(GREY, blended).result, atol=1e-2
    )


def test_edge_magnitude_is_the_length_of_the_two_sobel_responses():
    x, y = (photo_filter(COLOUR, name).result for name in ("sobel x", "sobel y"))
    np.testing.assert_allclose(edge_magnitude(COLOUR).result, np.hypot(x, y), rtol=1e-5, atol=1e-2)


def test_edge_magnitude_agrees_with_scikit_image_up_to_its_scale():
    ours = edge_magnitude(GREY, padding_mode="reflect").result
    theirs = filters.sobel(GREY.astype(float), mode="mirror")
    np.testing.assert_allclose(ours, theirs * 4 * np.sqrt(2), atol=1e-2)  # it divides by 4, and takes the mean square


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", [1, 3, 5])
def test_median_agrees_with_scipy_exactly(mode, size):
    for image, window in ((GREY, (size, size)), (COLOUR, (size, size, 1))):
        expected = ndimage.median_filter(image, window, mode=SCIPY_MODES[mode])
        np.testing.assert_array_equal(median_filter(image, size, padding_mode=mode).result, expected)


def test_box_of_a_sum_is_the_sum_of_boxes_and_the_median_is_not():
    left, right = np.random.default_rng(0).integers(0, 128, (2, 9, 9), dtype=np.uint8)

    def gap(filtered):
        return np.abs(filtered(left + right).result - filtered(left).result - filtered(right).result).max()

    assert gap(lambda image: photo_filter(image, "box")) < 1e-3
    assert gap(median_filter) > 10


def test_border_effect_counts_the_frame_and_no_pixel_outside_it():
    rng = np.random.default_rng(0)
    effect = border_effect(rng.integers(0, 256, (20, 30), dtype=np.uint8), kernel("box", 5))
    assert effect.frame == 20 * 30 - 16 * 26
    assert effect.any_differing <= effect.frame
    assert effect.differing[0, 1] > 0.9 * effect.frame
    assert (effect.differing == effect.differing.T).all()
    assert not effect.differing.diagonal().any()
    assert f"{effect.frame} of 600 pixels" in effect.describe()


def test_border_effect_is_nothing_where_the_photo_is_flat_save_for_zeros():
    effect = border_effect(np.full((10, 10, 3), 90, np.uint8), "box")
    assert effect.differing[0].tolist() == [0, 36, 36, 36]
    assert not effect.differing[1:, 1:].any()
    assert effect.any_differing == effect.frame == 36


def test_describe_and_clipping_tell_the_numbers():
    filtered = photo_filter(np.array([[0, 255], [255, 0]]), [[2]])
    assert isinstance(filtered, PhotoFilter)
    assert filtered.result.tolist() == [[0, 510], [510, 0]]
    assert filtered.shown.tolist() == [[0, 255], [255, 0]]
    assert filtered.clipped == 0.5
    assert filtered.rmse == pytest.approx(255 / np.sqrt(2))
    assert "2 x 2 pixels: values 0 to 510, mean 255.0, 50.0% outside 0..255; changed by 180.3" in filtered.describe()


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("blur",), {}, "there is no kernel 'blur'; choose one of identity"),
        (("box",), {"padding_mode": "mirror"}, "no padding_mode 'mirror'; choose one of zeros, reflect"),
        (("box",), {"strength": float("nan")}, r"strength \(=nan\) must be a finite number"),
        (([1, 2, 3],), {}, r"shape \(height, width\), this one has \(3,\)"),
        (([[]],), {}, r"this one has \(1, 0\)"),
        (([[np.nan, 1]],), {}, "1 values that are NaN or infinite"),
        ((np.ones((9, 9)),), {"padding_mode": "valid"}, r"kernel \(9 x 9\) is larger than the photo \(4 x 5\)"),
        ((np.ones((9, 9)),), {"padding_mode": "reflect"}, r"reflect padding \(4\) needs a larger photo than 4 x 5"),
        ((np.ones((1, 13)),), {"padding_mode": "circular"}, r"circular padding \(6\) needs a larger photo"),
    ],
)
def test_bad_arguments_give_one_clear_error(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        photo_filter(np.zeros((4, 5)), *arguments, **options)


def test_an_even_median_is_refused():
    with pytest.raises(ValueError, match=r"kernel_size \(=4\) of a median filter must be odd"):
        median_filter(GREY, 4)
