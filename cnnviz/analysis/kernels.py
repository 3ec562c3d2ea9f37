"""Kernels that people designed by hand, before kernels were learned: the numbers, and where they come from.

torch's "convolution" is a cross-correlation: the kernel is laid on the image as it is printed here, with no flip. So
`sobel x` has its positive column on the right and answers with a positive number where the image is brighter on the
right, that is at vertical edges; `sobel y` answers with a positive number where it is brighter below.

Sources: Fisher, Perkins, Walker and Wolfart, Hypermedia Image Processing Reference (1994): gaussian (sigma 1, printed
as integers over 273), laplacian, sobel (Sobel and Feldman, 1968). sharpen is identity minus laplacian. emboss is the
derivative along the diagonal plus identity, as photo editors use it.
"""

import operator
from math import comb

import numpy as np

GAUSSIAN_273 = np.array(
    [
        [1, 4, 7, 4, 1],
        [4, 16, 26, 16, 4],
        [7, 26, 41, 26, 7],
        [4, 16, 26, 16, 4],
        [1, 4, 7, 4, 1],
    ]
)

# Each at its natural size. The sums say what a kernel does to a flat area: 1 keeps it, 0 makes it black.
KERNELS: dict[str, np.ndarray] = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32),  # sum 1
    "box": np.full((3, 3), 1 / 9, np.float32),  # sum 1
    "gaussian": (GAUSSIAN_273 / 273).astype(np.float32),  # sum 1
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32),  # sum 1
    "sobel x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32),  # sum 0
    "sobel y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32),  # sum 0
    "laplacian": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32),  # sum 0
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32),  # sum 1
}


def kernel(name: str, kernel_size: int | None = None) -> np.ndarray:
    """Return the preset `name` of KERNELS as a new float32 array [kernel_size, kernel_size].

    `None` is the natural size: 5 for gaussian, 3 for the others. At every other size the sum stays what it is:

    - box: `1 / kernel_size**2` in every cell.
    - gaussian: row `kernel_size - 1` of Pascal's triangle times itself, over `4**(kernel_size - 1)`: 3 is 1 2 1 / 16.
    - the others, larger than 3: the natural kernel among zeros, its centre at `(kernel_size - 1) // 2`. An even size
      has no middle; the centre is then the cell above and left of it, which torch's `padding="same"` keeps in place.
    - the others, smaller than 3: weights that fall outside are added to the nearest cell, as if the pixels there were
      equal. In one line: `-1 0 2 -> 2: -1 2 -> 1: 1`.

    Raises:
        ValueError: `name` is no preset, or `kernel_size` is less than 1.
        TypeError: `kernel_size` is no whole number.
    """
    if name not in KERNELS:
        raise ValueError(f"there is no kernel {name!r}; choose one of {', '.join(KERNELS)}")
    natural = KERNELS[name]
    size = len(natural) if kernel_size is None else operator.index(kernel_size)
    if size < 1:
        raise ValueError(f"kernel_size (={size}) must be at least 1")
    if size == len(natural):
        return natural.copy()
    if name == "box":
        return np.full((size, size), 1 / size**2, np.float32)
    if name == "gaussian":
        row = np.array([comb(size - 1, i) for i in range(size)]) / 2.0 ** (size - 1)
        return np.outer(row, row).astype(np.float32)
    return _resize(natural, size)


def _resize(natural: np.ndarray, size: int) -> np.ndarray:
    """Centre a kernel in `size` x `size` cells; weights that do not fit go to the nearest cell."""
    offset = np.arange(len(natural)) - len(natural) // 2  # -1 0 1 for a 3
    place = np.clip(offset + (size - 1) // 2, 0, size - 1)
    resized = np.zeros((size, size), np.float32)
    np.add.at(resized, np.ix_(place, place), natural)
    return resized
