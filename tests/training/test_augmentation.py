"""Colours and holes beside torchvision's functions and plain slices."""

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from cnnviz.datasets import ImageSet
from cnnviz.training import Recipe
from cnnviz.training.augmentation import Augmentation, colour_components

CPU = torch.device("cpu")
COUNT = 40


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(COUNT, 8, 6, 3, generator=generator) @ torch.tensor([[40.0, 30, 20], [0, 15, -15], [0, 0, 9]])
    images = (128 + mixed).clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2).contiguous()
    labels = torch.arange(COUNT) % 2
    return ImageSet("colours", images, labels, images[:4], labels[:4], ("a", "b"))


def changed(data, seed=0, **recipe):
    change = Augmentation(data, Recipe(**recipe), CPU).epoch(torch.Generator().manual_seed(seed))
    return change(data.x_train, slice(0, COUNT))


def pixels(data, normalised):
    return normalised * data.std[:, None, None] + data.mean[:, None, None]


def test_jitter_is_torchvisions_brightness_contrast_and_saturation(data):
    found = pixels(data, changed(data, colour_jitter=0.4))
    factors = 1 + 0.4 * (2 * torch.rand(COUNT, 3, generator=torch.Generator().manual_seed(0)) - 1)
    assert factors.min() < 0.65
    assert factors.max() > 1.35
    for image, ours, (brightness, contrast, saturation) in zip(
        data.x_train / 255, found, factors.tolist(), strict=True
    ):
        expected = tv.adjust_contrast(tv.adjust_brightness(image, brightness), contrast)
        expected = tv.adjust_saturation(expected, saturation)
        torch.testing.assert_close(ours, expected, atol=1e-3, rtol=0)  # torchvision rounds the parts of grey


def test_the_colour_components_are_those_of_the_covariance_of_all_pixels(data):
    variances, directions = colour_components(data)
    colours = data.x_train.transpose(0, 1).flatten(1).double() / 255
    covariance = torch.cov(colours, correction=0)
    torch.testing.assert_close(directions @ directions.T, torch.eye(3), atol=1e-5, rtol=0)
    torch.testing.assert_close((directions * variances) @ directions.T, covariance.float(), atol=1e-6, rtol=1e-4)


def test_pca_shifts_all_pixels_of_an_image_by_one_colour_with_the_spread_of_the_components(data):
    shifts = []
    for seed in range(60):
        moved = pixels(data, changed(data, seed, pca_colour=0.1)) - data.x_train / 255
        assert (moved - moved.mean((2, 3), keepdim=True)).abs().max() < 1e-5
        shifts.append(moved.mean((2, 3)))
    variances, directions = colour_components(data)
    spread = (torch.cat(shifts) @ directions).std(0)
    torch.testing.assert_close(spread, 0.1 * variances.sqrt(), rtol=0.08, atol=0)


@pytest.mark.parametrize("side", [1, 2, 5])
def test_cutout_is_a_square_of_the_mean_colour_around_any_pixel_and_the_rest_stays(data, side):
    plain, centres = data.normalise(data.x_train), []
    for seed in range(30):
        cut = changed(data, seed, cutout=side)
        gone = (cut == 0).all(1) & (plain != 0).any(1)
        assert torch.equal(torch.where(gone[:, None], 0, plain), cut)
        for hole in gone:
            rows, columns = hole.any(1).nonzero().flatten(), hole.any(0).nonzero().flatten()
            assert len(rows) <= side
            assert len(columns) <= side
            assert hole.sum() == len(rows) * len(columns)
            if side == 1:
                centres.append((rows.item(), columns.item()))
    if side == 1:
        assert len(set(centres)) == 8 * 6


def test_without_colours_a_change_is_bit_for_bit_the_normalised_image(data):
    assert torch.equal(changed(data), data.normalise(data.x_train))


@pytest.mark.parametrize("recipe", [{"flip": 0.5}, {"colour_jitter": 0.4}, {"pca_colour": 0.1}, {"cutout": 3}])
def test_a_split_batch_sees_what_the_whole_batch_sees(data, recipe):
    augmentation = Augmentation(data, Recipe(**recipe), CPU)
    change = augmentation.epoch(torch.Generator().manual_seed(1))
    whole = change(data.x_train, slice(0, COUNT))
    parts = [change(data.x_train[start : start + 7], slice(start, start + 7)) for start in range(0, COUNT, 7)]
    assert torch.equal(whole, torch.cat(parts))


def test_grey_images_have_brightness_contrast_and_one_component(data):
    grey = ImageSet("grey", data.x_train[:, :1], data.y_train, data.x_test[:, :1], data.y_test, ("a", "b"))
    found = changed(grey, colour_jitter=0.3, pca_colour=0.1, cutout=2, flip=0.5)
    assert found.shape == (COUNT, 1, 8, 6)
    assert found.isfinite().all()
