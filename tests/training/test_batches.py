import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.datasets import ImageSet
from cnnviz.training import Recipe
from cnnviz.training.batches import Batches

CPU = torch.device("cpu")


def numbered(count=23, height=5, width=4):
    """A set in which every image differs, and is labelled with its own number."""
    images = torch.randint(
        1, 256, (count, 2, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    labels = torch.arange(count)
    return ImageSet("numbered", images, labels, images[:2], labels[:2], tuple(map(str, range(count))))


def epoch(data, seed=0, **recipe):
    images, labels = zip(*Batches(data, Recipe(**recipe), CPU).epoch(seed), strict=True)
    return torch.cat(images), torch.cat(labels)


@given(seed=st.integers(0, 2**31), batch_size=st.integers(1, 30))
def test_without_augmentation_each_image_comes_once_normalised(seed, batch_size):
    data = numbered()
    images, labels = epoch(data, seed, batch_size=batch_size)
    expected = sorted(range(23))
    if batch_size in (2, 11, 22):  # one image would be left over
        expected = sorted(labels.tolist())
        assert len(labels) == 22
    assert sorted(labels.tolist()) == expected
    assert torch.equal(images, data.normalise(data.x_train)[labels])


def places(image, padding):
    """All crops of one padded image, by slicing."""
    padded = torch.nn.functional.pad(image, (padding,) * 4)
    _, height, width = image.shape
    steps = range(2 * padding + 1)
    return [padded[:, top : top + height, left : left + width] for top in steps for left in steps]


@pytest.mark.parametrize("padding", [1, 2, 4])
def test_crops_are_slices_of_the_image_padded_with_zeros_all_equally_often(padding):
    data, seen = numbered(height=9, width=10), []
    for seed in range(40):
        images, labels = epoch(data, seed, batch_size=8, crop_padding=padding)
        for image, label in zip(images, labels, strict=True):
            crops = data.normalise(torch.stack(places(data.x_train[label], padding)))
            [place] = (crops == image).flatten(1).all(1).nonzero()
            seen.append(place.item())
    counts = torch.tensor(seen).bincount(minlength=(2 * padding + 1) ** 2).float()
    expected = len(seen) / (2 * padding + 1) ** 2
    assert ((counts - expected) ** 2 / expected).sum() < 2 * len(counts) + 20  # chi squared


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_stated_share_of_the_images_is_mirrored(share):
    data, mirrored = numbered(count=23), 0
    for seed in range(60):
        images, labels = epoch(data, seed, flip=share)
        plain = data.normalise(data.x_train)[labels]
        same = (images == plain).flatten(1).all(1)
        other = (images == plain.flip(3)).flatten(1).all(1)
        assert (same ^ other).all()
        mirrored += other.sum().item()
    assert mirrored / (60 * 23) == pytest.approx(share, abs=0.05)


def test_the_seed_decides_order_crops_and_mirrors():
    data, options = numbered(), {"batch_size": 7, "crop_padding": 2, "flip": 0.5}
    first, again, other = epoch(data, 1, **options), epoch(data, 1, **options), epoch(data, 2, **options)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_global_random_numbers_are_not_touched():
    before = torch.get_rng_state()
    epoch(numbered(), crop_padding=1, flip=0.5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("batch_size", "batches", "images"), [(22, 1, 22), (11, 2, 22), (23, 1, 23), (7, 4, 23), (1, 23, 23)]
)
def test_a_last_batch_of_one_image_is_left_out(batch_size, batches, images):
    parts = Batches(numbered(), Recipe(batch_size=batch_size), CPU)
    sizes = [len(labels) for _, labels in parts.epoch(0)]
    assert len(parts) == len(sizes) == batches
    assert sum(sizes) == images
