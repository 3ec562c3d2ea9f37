"""Chapter 01, images and filters: five exercises. Images are NumPy arrays, [H, W] grey or [H, W, 3] in colour."""

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers

WEIGHTS = np.array([0.299, 0.587, 0.114])  # red, green, blue; ITU-R BT.601, the grey of television
ALL_SIDES = "The border belongs on all four sides."


def check_grey(grey: Callable) -> Verdict:
    """A grey image from a colour image. Difficulty 1 of 5, 5 minutes.

    ``grey(rgb uint8 [H, W, 3]) -> [H, W]``, 0.299 red + 0.587 green + 0.114 blue, values 0 to 255, not rounded.
    """

    def right(rgb):
        return torch.from_numpy(rgb).double() @ torch.from_numpy(WEIGHTS)  # H,W,3 -> H,W

    weighted = "The eye sees green best: 0.299 red + 0.587 green + 0.114 blue."
    whole = "The answer may have fractions: do not round."
    overflow = "uint8 holds 0 to 255 only, 200 + 100 gives 44: turn rgb into float first."
    last = "In a photo the channel is the last axis: rgb[..., 0] is red."
    mistakes = [
        Mistake("plain mean", weighted, lambda rgb: rgb.mean(-1)),
        Mistake("channels added up", weighted, lambda rgb: rgb.sum(-1)),
        Mistake("one channel only", weighted, *(partial(np.take, indices=i, axis=-1) for i in range(3))),
        Mistake("brightest channel", weighted, lambda rgb: rgb.max(-1)),
        Mistake("blue for red", "rgb[..., 0] is red, rgb[..., 2] is blue.", lambda rgb: rgb @ WEIGHTS[::-1]),
        Mistake("numbers overflow", overflow, lambda rgb: np.add.reduce(rgb, -1, np.uint8) / 3),
        Mistake("rounded", whole, lambda rgb: (rgb @ WEIGHTS).astype(np.uint8), lambda rgb: (rgb @ WEIGHTS).round()),
        Mistake("0 to 1 for 0 to 255", "Keep the values as they are.", lambda rgb: rgb @ WEIGHTS / 255),
        Mistake("channels first", last, lambda rgb: np.tensordot(WEIGHTS, rgb[:3], 1)),
        Mistake("three channels left", "A grey image has one number a pixel.", lambda rgb: rgb * WEIGHTS),
    ]
    photos = [np.random.default_rng(h).integers(0, 256, (h, w, 3), np.uint8) for h, w in product((3, 4, 6), (2, 5, 7))]
    return compare("grey", grey, right, cases("rgb", *[(photo,) for photo in photos]), mistakes)


def check_box_kernel(box_kernel: Callable) -> Verdict:
    """The kernel that replaces a pixel by the mean around it. Difficulty 1 of 5, 5 minutes.

    ``box_kernel(kernel_size) -> [kernel_size, kernel_size]``, all weights equal, with the sum 1.
    """

    def right(k):
        return torch.full((k, k), 1 / k**2)

    total = "The weights add up to 1, so that a flat image keeps its brightness."
    mistakes = [
        Mistake("weights not divided", total, lambda k: np.ones((k, k))),
        Mistake("divided by one side", total, lambda k: np.full((k, k), 1 / k)),
        Mistake("always a ninth", total, lambda k: np.full((k, k), 1 / 9)),
        Mistake("integer division", "1 // 9 is 0: divide with /.", lambda k: np.full((k, k), 1 // k**2)),
        Mistake("always 3 x 3", "kernel_size says how many rows and columns.", lambda k: np.full((3, 3), 1 / 9)),
        Mistake(
            "one row", "A kernel has rows and columns.", lambda k: np.full(k, 1 / k), lambda k: np.full((1, k), 1 / k)
        ),
        Mistake("only the centre", "All weights are equal.", lambda k: np.pad([[1]], (k // 2, (k - 1) // 2))),
    ]
    return compare(
        "box_kernel", box_kernel, right, cases("kernel_size", (3,), (5,), *[(k,) for k in range(1, 12)]), mistakes
    )


def check_filter_image(filter_image: Callable) -> Verdict:
    """A 3 x 3 filter over a whole image, written with loops. Difficulty 3 of 5, 20 minutes.

    ``filter_image(image [H, W], kernel [3, 3]) -> [H, W]``: outside the image are zeros; the kernel is not turned.
    """

    def inner(image, kernel, mode="constant", width=1):
        padded = torch.from_numpy(np.pad(image, width, mode))
        return F.conv2d(padded[None, None], torch.from_numpy(kernel)[None, None])[0, 0].numpy()

    def border_from(other):
        """The right answer, with another image's pixels along the border."""
        return lambda image, kernel: np.pad(inner(image, kernel)[1:-1, 1:-1], 1) + _frame(other(image))

    turned = "The kernel is laid on the image as it is, not turned."
    outside = "Outside the image are zeros: put one row or column of them on every side."
    mistakes = [
        Mistake("kernel flipped", turned, lambda x, w: inner(x, w[::-1, ::-1].copy())),
        Mistake(
            "rows and columns exchanged",
            "image[row + i, column + j] meets kernel[i, j].",
            lambda x, w: inner(x, w.T.copy()),
        ),
        Mistake("no border", outside, lambda x, w: inner(x, w)[1:-1, 1:-1]),
        Mistake("border left at zero", "Border pixels count too. " + outside, border_from(np.zeros_like)),
        Mistake("border left as it was", "Border pixels count too. " + outside, border_from(np.array)),
        Mistake("padding on one side only", outside, partial(inner, width=(1, 0)), partial(inner, width=(0, 1))),
        Mistake(
            "window not centred",
            "The pixel is in the middle of its window.",
            *(partial(inner, width=w) for w in ((0, 2), (2, 0))),
        ),
        Mistake("wraps around", "image[-1] is the last row. " + outside, partial(inner, mode="wrap")),
        Mistake("border repeated", outside, partial(inner, mode="edge")),
        Mistake("border mirrored", outside, partial(inner, mode="reflect")),
        Mistake("mean for sum", "Add up the products; do not divide.", lambda x, w: inner(x, w) / 9),
        Mistake("clipped", "Sums may lie below 0 and above 255: keep them.", lambda x, w: inner(x, w).clip(0, 255)),
    ]
    drawn = [
        (whole_numbers(h, h, w).abs().numpy(), whole_numbers(h + w, 3, 3).numpy())
        for h, w in product((3, 4, 6), (3, 5, 7))
    ]
    return compare("filter_image", filter_image, inner, cases("image kernel", *drawn), mistakes)


def check_edge_magnitude(edge_magnitude: Callable) -> Verdict:
    """How strong an edge is, from the two Sobel responses. Difficulty 1 of 5, 5 minutes.

    ``edge_magnitude(across [H, W], down [H, W]) -> [H, W]``: the square root of the sum of the two squares.
    """

    def right(across, down):
        return torch.hypot(torch.from_numpy(across), torch.from_numpy(down))

    formula = "Edge magnitude is sqrt(across ** 2 + down ** 2) in every pixel."
    mistakes = [
        Mistake("responses added", "Opposite signs cancel. " + formula, lambda a, d: a + d, lambda a, d: np.abs(a + d)),
        Mistake("sizes added", formula, lambda a, d: np.abs(a) + np.abs(d)),
        Mistake("root forgotten", formula, lambda a, d: a**2 + d**2),
        Mistake("larger of the two", formula, lambda a, d: np.maximum(np.abs(a), np.abs(d))),
        Mistake("averaged", formula, lambda a, d: (a + d) / 2, lambda a, d: np.sqrt((a**2 + d**2) / 2)),
        Mistake("one response only", formula, lambda a, d: np.abs(a), lambda a, d: np.abs(d)),
        Mistake("one number for the image", formula, lambda a, d: np.sqrt((a**2 + d**2).sum())),
    ]
    drawn = [
        (whole_numbers(h, h, w).numpy(), whole_numbers(h + 9, h, w).numpy()) for h, w in product((1, 3, 4), (3, 2, 5))
    ]
    return compare("edge_magnitude", edge_magnitude, right, cases("across down", *drawn), mistakes)


def check_replicate_border(replicate_border: Callable) -> Verdict:
    """An image continued on all sides by its edge pixels. Difficulty 2 of 5, 10 minutes.

    ``replicate_border(image [H, W], width) -> [H + 2 width, W + 2 width]``; in one row, width 2: 1234 -> 11|1234|44.
    """

    def right(image, width):
        return F.pad(torch.from_numpy(image)[None], (width,) * 4, "replicate")[0]

    def corners_forgotten(image, width):
        padded = np.pad(image, width, "edge")
        for rows in (slice(width), slice(-width, None)):
            padded[rows, :width] = padded[rows, -width:] = 0
        return padded

    repeat = "The nearest pixel of the image is repeated: 11|1234|44."
    before, after = (lambda x, n: np.pad(x, (n, 0), "edge")), (lambda x, n: np.pad(x, (0, n), "edge"))
    mistakes = [
        Mistake("filled with zeros", repeat, np.pad),
        Mistake("mirrored", repeat, partial(np.pad, mode="reflect"), partial(np.pad, mode="symmetric")),
        Mistake("wraps around", repeat, partial(np.pad, mode="wrap")),
        Mistake("corners forgotten", "Corners repeat the image's corner pixels.", corners_forgotten),
        Mistake("rows only", ALL_SIDES, lambda x, n: np.pad(x, ((n, n), (0, 0)), "edge")),
        Mistake("columns only", ALL_SIDES, lambda x, n: np.pad(x, ((0, 0), (n, n)), "edge")),
        Mistake("padding on one side only", ALL_SIDES, before, after),
        Mistake("width ignored", "The border is width pixels wide.", lambda x, n: np.pad(x, 1, "edge")),
        Mistake("image unchanged", ALL_SIDES, lambda x, n: x),
    ]
    sizes = product((2, 3, 5), (3, 4), (1, 2, 3))
    drawn = [(whole_numbers(h, h, w).numpy(), width) for h, w, width in sizes]
    return compare("replicate_border", replicate_border, right, cases("image width", *drawn), mistakes)


def _frame(image: np.ndarray) -> np.ndarray:
    """The image's border pixels, zero inside."""
    frame = image.copy()
    frame[1:-1, 1:-1] = 0
    return frame
