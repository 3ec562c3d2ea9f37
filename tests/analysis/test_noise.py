import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from cnnviz.analysis.noise import _normal, _uniform, add_noise, noise_removal, psnr, rmse
from cnnviz.analysis.photo import photo

GREY = np.full((200, 200), 128, np.uint8)


def test_uniform_numbers_are_uniform_and_do_not_repeat_with_the_seed():
    first, second = (_uniform(np.arange(100_000), seed) for seed in (0, 1))
    counts, _ = np.histogram(first, bins=20, range=(0, 1))
    assert np.abs(counts - 5000).max() < 5 * math.sqrt(5000)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.02


def test_the_hash_is_lowbias32():
    x = 1  # in whole numbers without a limit, then cut to 32 bits
    x = (x ^ (x >> 16)) * 0x7FEB352D % 2**32
    x = (x ^ (x >> 15)) * 0x846CA68B % 2**32
    assert _uniform(np.array([1]), 0)[0] == (x ^ (x >> 16)) / 2**32


def test_normal_numbers_are_normal():
    normal = _normal(100_000, seed=3)
    assert abs(normal.mean()) < 0.015
    assert normal.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(normal) < 1.96) == pytest.approx(0.95, abs=0.005)


def test_gaussian_noise_has_the_standard_deviation_asked_for():
    assert add_noise(GREY, "gaussian", 10).std() == pytest.approx(10, rel=0.03)


def test_salt_and_pepper_hits_the_share_asked_for_half_each_and_leaves_the_rest():
    noisy = add_noise(GREY, "salt and pepper", 20)
    assert np.mean(noisy == 0) == pytest.approx(0.1, abs=0.01)
    assert np.mean(noisy == 255) == pytest.approx(0.1, abs=0.01)
    assert set(np.unique(noisy)) == {0, 128, 255}


def test_salt_and_pepper_hits_whole_pixels_of_a_colour_photo():
    noisy = add_noise("coffee", "salt and pepper", 30)
    changed = noisy != photo("coffee")
    hit = (noisy == 0).all(2) | (noisy == 255).all(2)
    assert hit[changed.any(2)].all()


@pytest.mark.parametrize("noise", ["gaussian", "salt and pepper"])
def test_the_seed_decides_and_no_noise_is_no_change(noise):
    image = photo("coins", longest=64)
    before = image.copy()
    first, again, other = (add_noise(image, noise, 30, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(add_noise(image, noise, 0), image)
    np.testing.assert_array_equal(image, before)


def test_psnr_agrees_with_scikit_image_and_is_infinite_for_equal_photos():
    clean = photo("camera", longest=128)
    noisy = add_noise(clean, "gaussian", 25)
    assert psnr(noisy, clean) == pytest.approx(peak_signal_noise_ratio(clean, noisy))
    assert psnr(clean, clean) == np.inf
    assert rmse(clean, 255 - clean) == pytest.approx(np.sqrt(np.mean((2.0 * clean - 255) ** 2)))


def test_median_wins_against_salt_and_pepper_and_loses_against_gaussian_noise():
    camera = photo("camera", longest=256)
    salt = noise_removal(camera, "salt and pepper", 10).rmse
    assert salt["median"] < 0.5 * min(salt["box"], salt["gaussian"])
    normal = noise_removal(camera, "gaussian", 25).rmse
    assert normal["gaussian"] < normal["median"] < normal["noisy"]


def test_noise_removal_describes_its_numbers():
    removal = noise_removal("coins", "gaussian", 20)
    assert removal.noisy.shape == removal.removed["median"].shape == removal.clean.shape
    assert f"median {removal.rmse['median']:.1f}" in removal.describe()
    assert removal.psnr["box"] == pytest.approx(20 * math.log10(255 / removal.rmse["box"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pink", 10), "no noise 'pink'; choose one of gaussian, salt and pepper"),
        (("gaussian", 101), r"amount \(=101\) must lie in 0\.\.100"),
        (("gaussian", float("nan")), r"amount \(=nan\)"),
    ],
)
def test_bad_noise_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        add_noise(GREY, *arguments)
    with pytest.raises(ValueError, match=r"seed \(=-1\)"):
        add_noise(GREY, "gaussian", 10, seed=-1)


def test_photos_of_different_shapes_are_not_compared():
    with pytest.raises(ValueError, match=r"different shapes, \(2, 2\) and \(2, 3\)"):
        rmse(GREY[:2, :2], GREY[:2, :3])
