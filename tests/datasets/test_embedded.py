"""The two data sets that are always there."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from cnnviz.datasets import draw_shapes, load_dataset
from cnnviz.datasets.shapes import SHAPES, SIZE


def test_digits_are_scikit_learns_enlarged_to_the_middle_20_pixels():
    data, original = load_dataset("digits"), load_digits()
    assert data.x_train.shape == (1437, 1, 28, 28)
    assert data.x_test.shape == (360, 1, 28, 28)
    assert torch.cat([data.y_train, data.y_test]).tolist() == original.target.tolist()
    images = torch.cat([data.x_train, data.x_test])[:, 0].float()
    border = images.clone()
    border[:, 4:24, 4:24] = 0
    assert border.max() == 0
    shrunk = torch.nn.functional.interpolate(images[:, None, 4:24, 4:24], size=(8, 8), mode="area")[:, 0]
    original = torch.tensor(original.images) / 16 * 255
    assert np.corrcoef(shrunk.flatten(), original.flatten())[0, 1] > 0.95


def test_digits_say_that_they_were_enlarged():
    assert "8 x 8 pixels enlarged to 28 x 28" in load_dataset("digits").note


def test_shapes_are_ten_classes_of_colour_images():
    data = load_dataset("shapes")
    assert data.x_train.shape == (4000, 3, 32, 32)
    assert data.x_test.shape == (1000, 3, 32, 32)
    assert data.y_train.bincount().tolist() == [400] * 10
    assert data.y_test.bincount().tolist() == [100] * 10
    assert "drawn by the project" in data.note


def test_the_same_seed_draws_the_same_shapes_and_another_seed_others():
    first, again, other = draw_shapes(30, seed=5), draw_shapes(30, seed=5), draw_shapes(30, seed=6)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert (first[0] != other[0]).mean() > 0.9


def test_changing_the_images_in_place_does_not_change_the_next_that_are_loaded():
    data = load_dataset("shapes")
    before = data.x_train[0].clone()
    data.x_train[0] = 0
    assert torch.equal(load_dataset("shapes").x_train[0], before)


def test_training_and_test_shapes_have_no_image_in_common():
    data = load_dataset("shapes")
    train = {image.numpy().tobytes() for image in data.x_train}
    assert not any(image.numpy().tobytes() in train for image in data.x_test)
    assert len(train) == 4000


# Areas of the shapes with radius 1, by geometry.
AREAS = {
    "disc": np.pi,
    "ring": np.pi * (1 - 0.25),
    "triangle": 3 * 3**0.5 / 4,
    "square": 2,
    "pentagon": 5 / 2 * np.sin(2 * np.pi / 5),
    "star": 5 * 0.42 * np.sin(np.pi / 5),
    "cross": 4 * 0.6 - 0.36,
    "hourglass": 2 * 0.9**2,
}


@pytest.mark.parametrize("name", AREAS)
def test_each_shape_covers_the_area_that_geometry_gives_it(name):
    side = np.linspace(-1.2, 1.2, 1201)
    inside = SHAPES[name](*np.meshgrid(side, side)) < 0
    assert inside.mean() * 2.4**2 == pytest.approx(AREAS[name], rel=0.01)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_lies_within_its_radius_and_is_not_a_speck(name):
    side = np.linspace(-1.6, 1.6, 321)
    u, v = np.meshgrid(side, side)
    inside = SHAPES[name](u, v) < 0
    assert np.hypot(u, v)[inside].max() <= 1.35  # corners of the hourglass, of the ends of the cross
    assert inside.mean() * 3.2**2 > 0.7


def test_a_nearest_neighbour_cannot_tell_the_shapes_apart():
    """Colour, place, size and ground say nothing about the class: it misses three of four images."""
    data = load_dataset("shapes")
    train, test = data.x_train.flatten(1).float(), data.x_test[:300].flatten(1).float()
    nearest = torch.cdist(test, train).argmin(1)
    accuracy = (data.y_train[nearest] == data.y_test[:300]).float().mean()
    assert accuracy < 0.25


def test_images_are_square_of_the_stated_size():
    assert draw_shapes(3, seed=0)[0].shape == (3, SIZE, SIZE, 3)
