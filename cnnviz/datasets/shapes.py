"""Shapes: a data set that the project draws itself, hard enough that a deeper network does better.

Ten shapes of random colour, size, position, rotation, stretch and texture, on a textured ground, with clutter behind
them, a stroke across them, and noise. A shape is the set of points where a function of the position, its signed
distance, is negative; all images of a class are drawn in one go.
"""

from functools import lru_cache

import numpy as np
import torch

from cnnviz.datasets.image_set import ImageSet

SIZE = 32  # pixels, height and width


# Signed distances in units of the shape's radius, negative inside. u points right, v points down: float32 [N, 32, 32].


def _disc(u, v):
    return np.hypot(u, v) - 1


def _ring(u, v):
    return np.abs(np.hypot(u, v) - 0.75) - 0.25


def _crescent(u, v):
    return np.maximum(_disc(u, v), 0.8 - np.hypot(u - 0.5, v))


def _polygon(u, v, corners):
    """Return the distance to a regular polygon whose corners lie at distance 1 from the centre."""
    step = 2 * np.pi / corners
    angle = (np.arctan2(v, u) + step / 2) % step - step / 2
    return np.hypot(u, v) * np.cos(angle) - np.cos(np.pi / corners)


def _triangle(u, v):
    return _polygon(u, v, 3)


def _square(u, v):
    return _polygon(u, v, 4)


def _pentagon(u, v):
    return _polygon(u, v, 5)


def _star(u, v):
    """Return the distance to a star of five points; its border runs straight from radius 1 to 0.42 and back."""
    step = 2 * np.pi / 5
    angle = np.abs((np.arctan2(v, u) + step / 2) % step - step / 2)
    x, y = np.hypot(u, v) * np.cos(angle), np.hypot(u, v) * np.sin(angle)
    inner_x, inner_y = 0.42 * np.cos(step / 2), 0.42 * np.sin(step / 2)
    length = np.hypot(1 - inner_x, inner_y)
    return ((x - 1) * inner_y + y * (1 - inner_x)) / length


def _bar(u, v, half_width, half_height):
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _cross(u, v):
    return np.minimum(_bar(u, v, 0.3, 1), _bar(u, v, 1, 0.3))


def _arrow(u, v):
    head = np.maximum(0.1 - u, (u - 1 + np.abs(v)) / np.sqrt(2))
    return np.minimum(head, _bar(u + 0.4, v, 0.6, 0.28))


def _hourglass(u, v):
    return np.maximum(np.abs(v) - 0.9, (np.abs(u) - np.abs(v)) / np.sqrt(2))


SHAPES = {
    "disc": _disc,
    "ring": _ring,
    "crescent": _crescent,
    "triangle": _triangle,
    "square": _square,
    "pentagon": _pentagon,
    "star": _star,
    "cross": _cross,
    "arrow": _arrow,
    "hourglass": _hourglass,
}


def draw_shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `count` images. The same seed draws the same images.

    Returns:
        images uint8 [count, 32, 32, 3] and labels int64 [count]; the classes are as frequent as `count` allows.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(SHAPES))
    ground, ink = _contrasting_colours(rng, count)
    picture = _textured(rng, ground)
    for _ in range(2):
        picture = _blend(picture, _textured(rng, rng.random((count, 3), np.float32)), _blob(rng, count))
    picture = _blend(picture, _textured(rng, ink), _shape(rng, labels))
    picture = _blend(picture, rng.random((count, 1, 1, 3), np.float32), _stroke(rng, count))
    noise = _uniform(rng, 0, 0.08, count, 1)
    picture += noise * rng.standard_normal(picture.shape, np.float32)
    return (picture.clip(0, 1) * 255).round().astype(np.uint8), labels.astype(np.int64)


def _contrasting_colours(rng, count):
    """Return two colours [N, 3] in 0..1 for each image, at least 0.5 apart."""
    first, second = rng.random((2, count, 3), np.float32)
    close = np.linalg.norm(first - second, axis=1, keepdims=True) < 0.5
    return first, np.where(close, (first + 0.5) % 1, second)


def _placed(rng, count, radius, spread, turn=np.pi):
    """Return coordinates u, v [N, 32, 32] about a random centre, turned, a little stretched; 1 is `radius` pixels.

    The centre lies up to `spread` pixels from the image's, the angle up to `turn` radians from the upright.
    """
    centre, angle = _uniform(rng, -spread, spread, 2, count), _uniform(rng, -turn, turn, count)
    stretch = _uniform(rng, 0.85, 1, count)
    pixel = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
    x, y = (pixel[None, :] - centre[0]) / radius, (pixel[:, None] - centre[1]) / radius
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, (y * cos - x * sin) / stretch


def _uniform(rng, low, high, *shape):
    """Return float32 numbers [*shape, 1, 1], one for each image."""
    return rng.uniform(low, high, (*shape, 1, 1)).astype(np.float32)


def _coverage(distance, radius):
    """Return how much of each pixel is covered, 0 to 1 [N, 32, 32], from the distance in units of `radius` pixels."""
    return (0.5 - distance * radius).clip(0, 1)


def _shape(rng, labels):
    radius = _uniform(rng, 7, 13, len(labels))
    u, v = _placed(rng, len(labels), radius, spread=4, turn=0.5)
    distance = np.empty_like(u)
    for label, signed_distance in enumerate(SHAPES.values()):
        chosen = labels == label
        distance[chosen] = signed_distance(u[chosen], v[chosen])
    return _coverage(distance, radius)


def _blob(rng, count):
    """Return the coverage of one short thick bar or small disc: clutter that is none of the ten shapes' size."""
    radius = _uniform(rng, 1.5, 3, count)
    u, v = _placed(rng, count, radius, spread=16)
    length = _uniform(rng, 0, 2, count)
    return _coverage(np.hypot(np.maximum(np.abs(u) - length, 0), v) - 1, radius)


def _stroke(rng, count):
    """Return the coverage of one thin straight stroke that crosses the whole image."""
    u, v = _placed(rng, count, radius=1, spread=10)
    return _coverage(np.abs(v) - _uniform(rng, 0.3, 0.8, count), 1) * (np.abs(u) < SIZE)


def _textured(rng, colours):
    """Return [N, 32, 32, 3]: each colour with a gradient and stripes of random direction, width and strength."""
    u, _ = _placed(rng, len(colours), radius=16, spread=0)
    stripes, _ = _placed(rng, len(colours), radius=_uniform(rng, 0.5, 2.5, len(colours)), spread=5)
    strength = _uniform(rng, 0, 0.15, 2, len(colours))
    return colours[:, None, None, :] + (strength[0] * u + strength[1] * np.sin(stripes))[..., None]


def _blend(below, above, coverage):
    return below + coverage[..., None] * (above - below)


@lru_cache(maxsize=2)
def _drawn(train, test):
    return draw_shapes(train, seed=1998), draw_shapes(test, seed=2012)


def shapes(train: int = 4000, test: int = 1000) -> ImageSet:
    """Return the shapes as a data set of 3 x 32 x 32 images; drawn once a session."""
    (x_train, y_train), (x_test, y_test) = _drawn(train, test)
    return ImageSet(
        name="shapes",
        x_train=torch.tensor(x_train.transpose(0, 3, 1, 2).copy()),
        y_train=torch.tensor(y_train),
        x_test=torch.tensor(x_test.transpose(0, 3, 1, 2).copy()),
        y_test=torch.tensor(y_test),
        class_names=tuple(SHAPES),
        note="shapes, drawn by the project",
    )
