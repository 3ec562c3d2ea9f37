"""The exercises of chapter 01: right answers pass, and each wrong one is called by its own name."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from cnnviz.exercises import ch01

from .solutions import rewritten

COPY, INNER = "for column in range(width)", "for column in range(1, width - 1)"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("grey", "plain mean", "0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]", "rgb.mean(axis=2)"),
    ("grey", "channels added up", "0.299 *", "1.0 *", "0.587 *", "1.0 *", "0.114 *", "1.0 *"),
    ("grey", "one channel only", "0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]", "rgb[..., 1]"),
    ("grey", "brightest channel", "0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]", "rgb.max(2)"),
    ("grey", "blue for red", "0.299", "0.1140", "0.114 ", "0.299 "),
    ("grey", "numbers overflow", "0.299 * ", "(", "0.587 * ", "", "0.114 * rgb[..., 2]", "rgb[..., 2]) / 3"),
    ("grey", "rounded", "return ", "return np.uint8(", "rgb[..., 2]", "rgb[..., 2])"),
    ("grey", "rounded", "return ", "return np.round(", "rgb[..., 2]", "rgb[..., 2])"),
    ("grey", "0 to 1 for 0 to 255", "return ", "rgb = rgb / 255\n    return "),
    ("grey", "channels first", "[..., ", "["),
    ("grey", "three channels left", "return ", "return rgb * [0.299, 0.587, 0.114]  # "),
    ("box_kernel", "weights not divided", " / kernel_size**2", ""),
    ("box_kernel", "divided by one side", "kernel_size**2", "kernel_size"),
    ("box_kernel", "always a ninth", "kernel_size**2", "9"),
    ("box_kernel", "integer division", " / kernel", " // kernel"),
    ("box_kernel", "always 3 x 3", "kernel_size, kernel_size", "3, 3", "kernel_size**2", "9"),
    ("box_kernel", "one row", "(kernel_size, kernel_size)", "kernel_size", "**2", ""),
    ("box_kernel", "one row", "(kernel_size, kernel_size)", "(1, kernel_size)", "**2", ""),
    ("filter_image", "kernel flipped", "* kernel)", "* kernel[::-1, ::-1])"),
    ("filter_image", "rows and columns exchanged", "* kernel)", "* kernel.T)"),
    ("filter_image", "no border",
     "height, width = image.shape", "height, width = image.shape[0] - 2, image.shape[1] - 2",
     "padded = np.zeros((height + 2, width + 2))", "padded = image", "    padded[1:-1, 1:-1] = image\n", ""),
    ("filter_image", "border left at zero", "in range(height)", "in range(1, height - 1)", COPY, INNER),
    ("filter_image", "border left as it was",
     "in range(height)", "in range(1, height - 1)", COPY, INNER, "result = np.zeros((height, width))",
     "result = image.copy()"),
    ("filter_image", "window not centred",
     "row : row + 3, column : column + 3", "row + 1 : row + 4, column + 1 : column + 4", "height + 2, width + 2",
     "height + 3, width + 3", "padded[1:-1, 1:-1]", "padded[1:-2, 1:-2]"),
    ("filter_image", "padding on one side only",
     "height + 2, width + 2", "height + 1, width + 1", "padded[1:-1, 1:-1]", "padded[1:, 1:]", "    result = ",
     "    height, width = height - 1, width - 1\n    result = "),
    ("filter_image", "padding on one side only",
     "height + 2, width + 2", "height + 1, width + 1", "padded[1:-1, 1:-1]", "padded[:-1, :-1]", "    result = ",
     "    height, width = height - 1, width - 1\n    result = "),
    ("filter_image", "wraps around",
     "    padded[1:-1, 1:-1] = image\n", "    padded = np.pad(image, 1, mode='wrap')\n"),
    ("filter_image", "border repeated",
     "    padded[1:-1, 1:-1] = image\n", "    padded = np.pad(image, 1, mode='edge')\n"),
    ("filter_image", "border mirrored",
     "    padded[1:-1, 1:-1] = image\n", "    padded = np.pad(image, 1, mode='reflect')\n"),
    ("filter_image", "mean for sum", ".sum()", ".mean()"),
    ("filter_image", "clipped", "return result", "return np.clip(result, 0, 255)"),
    ("edge_magnitude", "responses added", "np.sqrt(across**2 + down**2)", "across + down"),
    ("edge_magnitude", "responses added", "np.sqrt(across**2 + down**2)", "abs(across + down)"),
    ("edge_magnitude", "sizes added", "np.sqrt(across**2 + down**2)", "abs(across) + abs(down)"),
    ("edge_magnitude", "root forgotten", "np.sqrt", ""),
    ("edge_magnitude", "larger of the two", "np.sqrt(across**2 + down**2)", "np.maximum(abs(across), abs(down))"),
    ("edge_magnitude", "averaged", "np.sqrt(across**2 + down**2)", "(across + down) / 2"),
    ("edge_magnitude", "averaged", "across**2 + down**2", "(across**2 + down**2) / 2"),
    ("edge_magnitude", "one response only", " + down**2", ""),
    ("edge_magnitude", "one number for the image", "across**2 + down**2", "(across**2 + down**2).sum()"),
    ("replicate_border", "filled with zeros",
     "result[row, column] =",
     "result[row, column] = (0 <= row - width < height and 0 <= column - width < columns) *"),
    ("replicate_border", "mirrored",
     "min(max(row - width, 0), height - 1)", "mirror(row - width, height)",
     "min(max(column - width, 0), columns - 1)", "mirror(column - width, columns)", "    height, columns",
     "    mirror = lambda i, n: np.pad(np.arange(n), width, mode='reflect')[i + width]\n    height, columns"),
    ("replicate_border", "mirrored",
     "min(max(row - width, 0), height - 1)", "mirror(row - width, height)",
     "min(max(column - width, 0), columns - 1)", "mirror(column - width, columns)", "    height, columns",
     "    mirror = lambda i, n: np.r_[0:n, n - 1 : -1 : -1][i % (2 * n)] if n > 1 else 0\n    height, columns"),
    ("replicate_border", "wraps around",
     "min(max(row - width, 0), height - 1)", "(row - width) % height", "min(max(column - width, 0), columns - 1)",
     "(column - width) % columns"),
    ("replicate_border", "corners forgotten",
     "result[row, column] =",
     "result[row, column] = (0 <= row - width < height or 0 <= column - width < columns) *"),
    ("replicate_border", "rows only", "columns + 2 * width", "columns", "max(column - width, 0)", "column"),
    ("replicate_border", "columns only", "height + 2 * width", "height", "max(row - width, 0)", "row"),
    ("replicate_border", "padding on one side only", "2 * width", "width"),
    ("replicate_border", "padding on one side only",
     "2 * width", "width", "row - width", "row", "column - width", "column"),
    ("replicate_border", "width ignored", "    height, columns", "    width = 1\n    height, columns"),
    ("replicate_border", "image unchanged", "return result", "return image"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch01, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def centre_only(kernel_size):
    kernel = np.zeros((kernel_size, kernel_size))
    kernel[kernel_size // 2, kernel_size // 2] = 1
    return kernel


def test_a_kernel_that_leaves_the_image_alone_is_no_box():
    assert ch01.check_box_kernel(centre_only).mistake == "only the centre"


RIGHT = {
    "grey with a matrix product": lambda: ch01.check_grey(lambda rgb: rgb @ [0.299, 0.587, 0.114]),
    "grey as a float32 tensor": lambda: ch01.check_grey(
        lambda rgb: torch.tensordot(torch.tensor([0.299, 0.587, 0.114]), torch.from_numpy(rgb).float(), dims=([0], [2]))
    ),
    "box_kernel as nested lists": lambda: ch01.check_box_kernel(lambda k: [[1 / k**2] * k for _ in range(k)]),
    "filter_image with scipy": lambda: ch01.check_filter_image(
        lambda image, kernel: ndimage.correlate(image, kernel, mode="constant")
    ),
    "edge_magnitude with hypot": lambda: ch01.check_edge_magnitude(np.hypot),
    "replicate_border with torch": lambda: ch01.check_replicate_border(
        lambda image, width: F.pad(torch.tensor(image)[None, None], [width] * 4, mode="replicate")[0, 0]
    ),
    "replicate_border with clipped indices": lambda: ch01.check_replicate_border(
        lambda x, n: x[np.ix_(*(np.arange(-n, size + n).clip(0, size - 1) for size in x.shape))]
    ),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")
