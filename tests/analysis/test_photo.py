import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.analysis.photo import SAMPLES, photo

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_photos_that_need_no_download(name):
    levels = photo(name)
    assert levels.dtype == np.uint8
    assert min(levels.shape[:2]) >= 300
    assert levels.std() > 20


@pytest.mark.parametrize("same", [GREY, GREY.tolist(), GREY / 255, GREY[..., None], GREY.astype(np.int64)])
def test_whole_numbers_real_numbers_and_lists_give_the_same_levels(same):
    np.testing.assert_array_equal(photo(same), GREY)
    assert photo(same).dtype == np.uint8


def test_a_torch_tensor_and_a_mask_are_images():
    np.testing.assert_array_equal(photo(torch.tensor(GREY)), GREY)
    np.testing.assert_array_equal(photo(np.eye(2, dtype=bool)), np.eye(2) * 255)


def test_transparent_pixels_are_laid_on_white():
    clear, half = [10, 20, 30, 0], [100, 0, 255, 128]
    assert photo(np.array([[clear, half]], np.uint8)).tolist() == [[[255, 255, 255], [177, 127, 255]]]


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif"])
def test_a_grey_file_comes_back_as_it_was_written(tmp_path, suffix):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(GREY).save(path)
    read = photo(path)
    np.testing.assert_array_equal(read if read.ndim == 2 else read[..., 0], GREY)  # a GIF may have a palette
    np.testing.assert_array_equal(photo(str(path)), read)


def test_a_colour_file_and_a_file_with_alpha(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    Image.fromarray(colour[..., :3]).save(tmp_path / "colour.png")
    Image.fromarray(colour).save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(photo(tmp_path / "colour.png"), colour[..., :3])
    np.testing.assert_array_equal(photo(tmp_path / "alpha.png"), photo(colour))


def test_a_phone_photo_stands_upright(tmp_path):
    lying = Image.fromarray(GREY)
    exif = lying.getexif()
    exif[0x0112] = 6  # turn right by 90 degrees to look at it
    lying.save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(photo(tmp_path / "phone.png"), np.rot90(GREY, -1))


def test_longest_averages_blocks_and_keeps_the_aspect():
    levels = photo("coffee", longest=300)
    assert levels.shape == (200, 300, 3)
    blocks = photo("coffee").reshape(200, 2, 300, 2, 3).mean((1, 3))
    assert np.abs(levels - blocks).max() <= 1  # Pillow rounds twice, across and down
    np.testing.assert_array_equal(photo(GREY, longest=4), GREY)


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((0, 5)), ValueError, r"shape \(H, W\).*this one has \(0, 5\)"),
        (np.zeros((3, 8, 9)), ValueError, r"\(3, 8, 9\); channels come last here: image.transpose\(1, 2, 0\)"),
        (np.zeros(5), ValueError, r"this one has \(5,\)"),
        (np.zeros((4, 4, 2)), ValueError, r"this one has \(4, 4, 2\)"),
        (np.full((2, 2), np.nan), ValueError, "4 values that are NaN or infinite"),
        (np.full((2, 2), np.inf), ValueError, "4 values that are NaN or infinite"),
        (np.full((2, 2), 17.5), ValueError, r"real numbers lies in 0\.\.1, this one in 17\.5\.\.17\.5"),
        (np.full((2, 2), 256), ValueError, r"whole numbers lies in 0\.\.255, this one in 256\.\.256"),
        (np.full((2, 2), -1), ValueError, r"this one in -1\.\.-1"),
        (np.array([["a"]]), TypeError, "holds numbers, this array holds <U1"),
        (None, TypeError, "holds numbers, this array holds object"),
        ("no such photo.png", FileNotFoundError, "there is no file 'no such photo.png'.*camera"),
    ],
)
def test_bad_images_give_one_clear_error(image, error, words):
    with pytest.raises(error, match=words):
        photo(image)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read '.*photo\.png' as an image"):
        photo(path)


def test_a_truncated_file_a_folder_and_sixteen_bits_are_refused(tmp_path):
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="cannot read"):
        photo(path)
    with pytest.raises(ValueError, match="cannot read"):
        photo(tmp_path)
    Image.fromarray(noise.astype(np.uint16) * 200).save(path)
    with pytest.raises(ValueError, match="more than 8 bits a pixel; save it as an 8-bit image"):
        photo(path)
