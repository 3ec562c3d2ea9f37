"""The effective receptive field of a stack without nonlinearities, exactly: how many paths lead to each pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnviz.analysis.convolution import output_size
from cnnviz.analysis.stack import stack

SLIDING = ("conv", "max pool", "average pool")
MOST = 0.95  # of the squared gradient


@dataclass(frozen=True, eq=False)
class LinearField:
    """What one unit of the last map of a stack depends on in a square image, and how strongly.

    A path goes from the unit through one weight of each layer's window to a pixel. With independent random weights
    of mean zero the mean square of a pixel's gradient is proportional to the number of paths that end in it. The
    windows are square, so this is a count for the row times a count for the column.
    """

    image_size: int  # pixels along a side
    map_size: int  # units along a side of the last map
    position: tuple[int, int]  # row and column of the unit in that map
    size: int  # pixels along a side of the theoretical field
    jump: int  # pixels from one unit of the map to the next
    first: tuple[int, int]  # row and column of the theoretical field's first pixel; negative where padding counts
    rows: np.ndarray  # float64 [image_size]: paths from the unit to each row of pixels
    columns: np.ndarray  # float64 [image_size]

    @property
    def last(self) -> tuple[int, int]:
        """Row and column of the last pixel of the theoretical field."""
        return tuple(first + self.size - 1 for first in self.first)

    @property
    def paths(self) -> np.ndarray:
        """How many paths lead to each pixel: float64 [H, W]."""
        return np.outer(self.rows, self.columns)

    @property
    def effective(self) -> np.ndarray:
        """The root mean square gradient of each pixel, the largest 1: float64 [H, W]."""
        return np.sqrt(self.paths / max(self.paths.max(), 1))

    @cached_property
    def most_pixels(self) -> int:
        """The fewest pixels that hold 95 % of the squared gradient; 0 where the unit sees nothing but padding."""
        if not self.paths.any():
            return 0
        shares = np.sort(self.paths, axis=None)[::-1].cumsum()
        # Whole numbers of paths: 20 times the one against 19 times the other is exact where 0.95 is not.
        return int(np.searchsorted(20 * shares, 19 * shares[-1])) + 1

    @property
    def effective_size(self) -> float:
        """Side of a square with as many pixels as hold 95 % of the squared gradient."""
        return float(np.sqrt(self.most_pixels))

    def describe(self) -> str:
        """Say both sizes, and where the field lies."""
        (top, left), (bottom, right) = self.first, self.last
        effect = "It sees nothing but padding."
        if self.most_pixels:
            effect = (
                f"Without nonlinearities {self.most_pixels} of its {self.size**2} pixels hold 95 % of the squared "
                f"gradient, as many as in a square of {self.effective_size:.1f} x {self.effective_size:.1f}."
            )
        return (
            f"Unit {list(self.position)} of a map of {self.map_size} x {self.map_size}, on an image of "
            f"{self.image_size} x {self.image_size} pixels: receptive field {self.size} x {self.size}, rows {top} to "
            f"{bottom}, columns {left} to {right}, {self.jump} from one to the next. {effect}"
        )

    def __repr__(self) -> str:
        return self.describe()


def one_channel(layers: Sequence[Mapping]) -> list[dict]:
    """Return the layers in the words of `stack`, with one channel: how many there are does not change the field.

    Raises:
        ValueError: a layer that does not slide a window over its input.
    """
    for index, layer in enumerate(layers):
        if layer.get("kind") not in SLIDING:
            raise ValueError(f"layer {index}: kind {layer.get('kind')!r} slides no window; choose {', '.join(SLIDING)}")
    bare = [{key: value for key, value in layer.items() if key not in ("groups", "bias")} for layer in layers]
    return [layer | ({"out_channels": 1, "bias": False} if layer["kind"] == "conv" else {}) for layer in bare]


def linear_field(layers: Sequence[Mapping], image_size: int, position: tuple[int, int] | None = None) -> LinearField:
    """Return the theoretical and the exact effective field of one unit of the last map.

    No ReLU, no normalisation: with them, and with trained weights, see `receptive_field`. A pool counts as if it took
    one pixel of its window, each with the same chance.

    Args:
        layers: convolutions and pools in the words of `analysis.stack`; channels do not matter.
        image_size: pixels along a side of the square image.
        position: row and column of the unit; the middle of the map if None.

    Raises:
        ValueError: layers that do not fit, or a position outside the map.

    Source: W. Luo, Y. Li, R. Urtasun and R. Zemel, Understanding the Effective Receptive Field in Deep Convolutional
    Neural Networks, 2016, section 2.
    """
    windows = _windows(layers, image_size)
    sizes = [image_size, *map_sizes(layers, image_size)]
    position = (sizes[-1] // 2,) * 2 if position is None else tuple(position)
    if any(not 0 <= place < sizes[-1] for place in position):
        raise ValueError(f"position={position} must lie in the map of {sizes[-1]} x {sizes[-1]}")
    size, jump, start = 1, 1, 0
    for k, s, p, d in windows:
        size, start, jump = size + d * (k - 1) * jump, start - p * jump, jump * s
    rows, columns = (_paths(windows, sizes, place) for place in position)
    first = tuple(start + place * jump for place in position)
    return LinearField(image_size, sizes[-1], position, size, jump, first, rows, columns)


def map_sizes(layers: Sequence[Mapping], image_size: int) -> list[int]:
    """Return how many units stand along a side of each layer's map. Errors as in `linear_field`."""
    sizes = [image_size]
    for window in _windows(layers, image_size):
        sizes.append(output_size(sizes[-1], *window))
    return sizes[1:]


def _windows(layers: Sequence[Mapping], image_size: int) -> list[tuple[int, int, int, int]]:
    """Kernel size, stride, padding and dilation of each layer along one side; torch keeps one number or a pair."""
    found = []
    for module in stack(one_channel(layers), (1, image_size, image_size)):
        numbers = (
            module.kernel_size,
            module.stride,
            module.padding,
            getattr(module, "dilation", 1),
        )  # an average has none
        found.append(tuple(number[0] if isinstance(number, tuple) else number for number in numbers))
    return found


def _paths(windows: list[tuple[int, int, int, int]], sizes: list[int], position: int) -> np.ndarray:
    """Count the paths along one axis, from the unit down to the pixels; those that end in padding end there."""
    counts = np.zeros(sizes[-1])
    counts[position] = 1
    for (k, s, p, d), below in zip(reversed(windows), reversed(sizes[:-1]), strict=True):
        padded = np.zeros(below + 2 * p)
        for tap in range(k):
            padded[tap * d : tap * d + s * len(counts) : s] += counts
        counts = padded[p : p + below]
    return counts
