"""Noise on a photo, the same in Python and in the browser, and how well filters remove it."""

from dataclasses import dataclass

import numpy as np

from cnnviz.analysis.kernels import kernel
from cnnviz.analysis.photo import photo
from cnnviz.analysis.photo_filter import median_filter, photo_filter

NOISES = ("gaussian", "salt and pepper")


def add_noise(image, noise: str, amount: float, *, seed: int = 0) -> np.ndarray:
    """Return the photo with noise, as a camera would store it: uint8, shape of the photo, clipped to 0..255.

    Args:
        image: whatever `photo` takes.
        noise: "gaussian" adds to every value a normal number of standard deviation `amount` (grey levels);
            "salt and pepper" makes `amount` percent of the pixels black or white, half of them each.
        amount: 0..100.
        seed: 0..2**32 - 1; the same seed gives the same noise on every machine.

    Raises:
        ValueError: `noise` is none of NOISES, or `amount` or `seed` is out of range.
    """
    levels = photo(image)
    if noise not in NOISES:
        raise ValueError(f"there is no noise {noise!r}; choose one of {', '.join(NOISES)}")
    if not 0 <= amount <= 100:
        raise ValueError(f"amount (={amount}) must lie in 0..100")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed (={seed}) must lie in 0..4294967295")
    if noise == "gaussian":
        noisy = levels + amount * _normal(levels.size, seed).reshape(levels.shape)
        return np.clip(np.floor(noisy + 0.5), 0, 255).astype(np.uint8)
    chance = _uniform(np.arange(levels.shape[0] * levels.shape[1]), seed).reshape(levels.shape[:2])
    noisy = levels.copy()
    noisy[chance < amount / 200] = 0  # amount / 2 percent of the pixels, all their channels
    noisy[(chance >= amount / 200) & (chance < amount / 100)] = 255
    return noisy


def rmse(image, clean) -> float:
    """Return the root mean square difference of two photos of one shape, in grey levels."""
    image, clean = photo(image), photo(clean)
    if image.shape != clean.shape:
        raise ValueError(f"the photos have different shapes, {image.shape} and {clean.shape}")
    return float(np.sqrt(np.mean((image.astype(float) - clean) ** 2)))


def psnr(image, clean) -> float:
    """Return the peak signal-to-noise ratio of a photo against the clean one, in decibel: 20 log10(255 / rmse)."""
    error = rmse(image, clean)
    return float(20 * np.log10(255 / error)) if error else np.inf


@dataclass(frozen=True, eq=False)
class NoiseRemoval:
    """A clean photo, the noisy one, and what three filters make of the noisy one: all uint8 of one shape."""

    noise: str
    amount: float
    clean: np.ndarray
    noisy: np.ndarray
    removed: dict[str, np.ndarray]  # "box", "gaussian" (convolutions) and "median" (none)

    @property
    def rmse(self) -> dict[str, float]:
        """Distance from the clean photo in grey levels: of "noisy" and of each filter's result."""
        return {name: rmse(image, self.clean) for name, image in {"noisy": self.noisy, **self.removed}.items()}

    @property
    def psnr(self) -> dict[str, float]:
        """Peak signal-to-noise ratio in decibel: of "noisy" and of each filter's result; more is better."""
        return {name: psnr(image, self.clean) for name, image in {"noisy": self.noisy, **self.removed}.items()}

    def describe(self) -> str:
        """Say how far each picture is from the clean one."""
        before, *after = (f"{name} {error:.1f}" for name, error in self.rmse.items())
        return (
            f"{self.noise} noise (amount {self.amount:g}): root mean square distance from the clean photo in grey "
            f"levels: {before}; after {', '.join(after)}."
        )


def noise_removal(image, noise: str, amount: float, *, kernel_size: int = 3, seed: int = 0) -> NoiseRemoval:
    """Add noise to a photo and try to remove it with a box, a gaussian and a median filter (borders: replicate)."""
    noisy = add_noise(image, noise, amount, seed=seed)
    removed = {
        name: photo_filter(noisy, kernel(name, kernel_size), padding_mode="replicate").shown
        for name in ("box", "gaussian")
    }
    removed["median"] = median_filter(noisy, kernel_size, padding_mode="replicate").shown
    return NoiseRemoval(noise, amount, photo(image), noisy, removed)


def _uniform(counter: np.ndarray, seed: int) -> np.ndarray:
    """Return numbers in 0..1, one for each counter: a hash of 32 bits, so that JavaScript gets the same ones.

    The hash is lowbias32 (Wellons, 2018, nullprogram.com/blog/2018/07/31); the seed is spread by the golden ratio.
    """
    x = (counter.astype(np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)).astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return (x ^ (x >> np.uint32(16))) / 2.0**32


def _normal(count: int, seed: int) -> np.ndarray:
    """Return normal numbers of mean 0 and standard deviation 1 (Box and Muller, 1958)."""
    counter = 2 * np.arange(count)
    radius = np.sqrt(-2 * np.log(1 - _uniform(counter, seed)))  # 1 - u is never 0
    return radius * np.cos(2 * np.pi * _uniform(counter + 1, seed))
