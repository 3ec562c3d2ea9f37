from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.datasets import ImageSet


def image_set(**changes):
    generator = torch.Generator().manual_seed(0)
    fields = {
        "name": "tiny",
        "x_train": torch.randint(256, (6, 3, 4, 5), dtype=torch.uint8, generator=generator),
        "y_train": torch.tensor([0, 1, 2, 0, 1, 2]),
        "x_test": torch.randint(256, (2, 3, 4, 5), dtype=torch.uint8, generator=generator),
        "y_test": torch.tensor([2, 0]),
        "class_names": ("a", "b", "c"),
    }
    return ImageSet(**fields | changes)


@given(seed=st.integers(0, 2**32 - 1), channels=st.sampled_from([1, 3]))
def test_mean_and_std_are_those_of_the_pixels_as_floats(seed, channels):
    images = np.random.default_rng(seed).integers(0, 256, (5, channels, 3, 4), dtype=np.uint8)
    data = image_set(
        x_train=torch.from_numpy(images), y_train=torch.zeros(5).long(), x_test=torch.from_numpy(images[:2])
    )
    pixels = images.transpose(1, 0, 2, 3).reshape(channels, -1) / 255
    np.testing.assert_allclose(data.mean, pixels.mean(1), rtol=1e-5)
    np.testing.assert_allclose(data.std, pixels.std(1), rtol=1e-5)


def test_normalised_training_images_have_mean_0_and_variance_1():
    data = image_set()
    images = data.normalise(data.x_train)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3), correction=0), torch.ones(3))


def test_one_image_is_normalised_as_in_a_batch():
    data = image_set()
    assert torch.equal(data.normalise(data.x_train[0]), data.normalise(data.x_train)[0])


def test_a_constant_channel_becomes_0_and_not_nan():
    data = image_set(x_train=torch.full((6, 3, 4, 5), 7, dtype=torch.uint8))
    assert torch.equal(data.normalise(data.x_train), torch.zeros(6, 3, 4, 5))


def test_normalising_twice_is_refused():
    data = image_set()
    with pytest.raises(
        TypeError, match=r"must be uint8 \(0 to 255\), not torch.float32; they may be normalised already"
    ):
        data.normalise(data.normalise(data.x_train))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"x_train": torch.full((6, 3, 4, 5), torch.nan)},
            TypeError,
            "x_train must be a uint8 .* not torch.float32; NaN",
        ),
        ({"x_test": np.zeros((2, 3, 4, 5), np.uint8)}, TypeError, "x_test must be a uint8 tensor .* not ndarray"),
        (
            {"x_train": torch.zeros(6, 4, 5).byte()},
            ValueError,
            r"x_train must have the shape N, C, H, W .* not \(6, 4, 5\)",
        ),
        ({"x_train": torch.zeros(0, 3, 4, 5).byte()}, ValueError, r"with none of them 0, not \(0, 3, 4, 5\)"),
        ({"x_test": torch.zeros(2, 3, 5, 5).byte()}, ValueError, r"\(3, 4, 5\) and x_test of shape \(3, 5, 5\)"),
        ({"y_train": torch.zeros(6)}, TypeError, "y_train must be an int64 tensor, not torch.float32"),
        ({"y_test": torch.zeros(3).long()}, ValueError, r"y_test must hold one label for each of 2 images, .* \(3,\)"),
        ({"y_test": torch.tensor([0, 3])}, ValueError, "y_test holds labels from 0 to 3; 3 classes allow 0 to 2"),
        ({"y_train": torch.tensor([0, 1, -1, 0, 1, 2])}, ValueError, "labels from -1 to 2; 3 classes allow 0 to 2"),
    ],
)
def test_what_is_not_an_image_set_is_refused(changes, kind, message):
    with pytest.raises(kind, match=message):
        image_set(**changes)


def test_subset_keeps_every_class_of_a_sorted_set_and_says_how_many_there_were():
    data = image_set(y_train=torch.tensor([0, 0, 1, 1, 2, 2]), note="drawn")
    few = data.subset(train=3)
    assert few.y_train.tolist() == [0, 1, 2]
    assert torch.equal(few.x_train, data.x_train[[0, 2, 4]])
    assert few.note == "drawn; 3 of 6 training images"
    assert torch.equal(few.x_test, data.x_test)


def test_subset_of_everything_is_everything_without_a_note():
    data = image_set()
    assert torch.equal(data.subset(6, 2).x_train, data.x_train)
    assert data.subset(6, 2).note == ""


@pytest.mark.parametrize("count", [0, 7, -1])
def test_subset_of_more_than_there_is_is_refused(count):
    with pytest.raises(ValueError, match=rf"train \(={count}\) must lie between 1 and the 6 train images"):
        image_set().subset(train=count)


def test_a_halved_image_has_the_rounded_means_of_2_by_2_pixels_and_the_note_says_its_size():
    data = image_set(note="drawn")
    half = data.halved()
    assert half.image_shape == (3, 2, 2)  # the fifth column is left out
    pixels = data.x_train.numpy().astype(float)
    means = np.rint(pixels[..., :4].reshape(6, 3, 2, 2, 2, 2).mean((3, 5)))
    np.testing.assert_array_equal(half.x_train, means)
    assert half.x_test.shape == (2, 3, 2, 2)
    assert half.note == "drawn; images halved to 2 x 2 pixels"
    torch.testing.assert_close(half.y_train, data.y_train)


def test_an_image_of_one_row_cannot_be_halved():
    thin = torch.zeros(2, 3, 1, 5, dtype=torch.uint8)
    with pytest.raises(ValueError, match="images of 1 x 5 pixels cannot be halved"):
        image_set(x_train=thin, y_train=torch.tensor([0, 1]), x_test=thin).halved()


def test_description_has_the_numbers_and_the_note():
    text = repr(image_set(note="drawn by hand"))
    assert "tiny: 6 training and 2 test images of 3 x 4 x 5 in 3 classes (a, b, c)" in text
    assert text.endswith("Note: drawn by hand.")


def test_fields_cannot_be_changed_but_replaced():
    data = image_set()
    with pytest.raises(FrozenInstanceError):
        data.note = "other"
    assert replace(data, note="other").note == "other"
