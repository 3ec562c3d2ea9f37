"""The exercises of chapter 02: right answers pass, and each wrong one is called by its own name."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cnnviz.exercises import ch02

from .solutions import rewritten

ROOM = "(size + 2 * padding - reach) // stride"
REST = "(size + 2 * padding - reach) % stride"
REACH = "dilation * (kernel_size - 1) + 1"
PADDED = "height + 2 * padding, width + 2 * padding"
MIDDLE = "padded[padding : padding + height, padding : padding + width]"
CROP = "output[padding : rows - padding, padding : columns - padding]"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("output_size", "ceil for floor", ROOM, "math.ceil((size + 2 * padding - reach) / stride)"),
    ("output_size", "ceil for floor", ROOM, "np.ceil((size + 2 * padding - reach) / stride)"),
    ("output_size", "true division", "//", "/"),
    ("output_size", "padding on one side only", "2 * padding", "padding"),
    ("output_size", "padding ignored", "size + 2 * padding", "size"),
    ("output_size", "dilation off by one", REACH, "dilation * kernel_size"),
    ("output_size", "dilation off by one", REACH, "dilation * (kernel_size - 1)"),
    ("output_size", "dilation ignored", REACH, "kernel_size"),
    ("output_size", "stride ignored", "// stride", ""),
    ("output_size", "first window forgotten", "stride + 1", "stride"),
    ("leftover", "kernel forgotten", " - reach", ""),
    ("leftover", "padding on one side only", "2 * padding", "padding"),
    ("leftover", "padding ignored", "size + 2 * padding", "size"),
    ("leftover", "dilation off by one", REACH, "dilation * kernel_size"),
    ("leftover", "dilation off by one", REACH, "dilation * (kernel_size - 1)"),
    ("leftover", "dilation ignored", REACH, "kernel_size"),
    ("leftover", "steps counted", "%", "//"),
    ("leftover", "missing pixels counted", REST, "(stride - (size + 2 * padding - reach) % stride) % stride"),
    ("same_padding", "padding on one side only", "total // 2, total - total // 2", "total, 0"),
    ("same_padding", "padding on one side only", "total // 2, total - total // 2", "0, total"),
    ("same_padding", "odd pixel before", "total // 2, total - total // 2", "total - total // 2, total // 2"),
    ("same_padding", "odd pixel lost", "total - total // 2", "total // 2"),
    ("same_padding", "even kernel padded too much",
     "total // 2, total - total // 2", "[dilation * (kernel_size // 2)] * 2"),
    ("same_padding", "twice the padding", "total // 2, total - total // 2", "total, total"),
    ("same_padding", "half pixels", "total // 2, total - total // 2", "total / 2, total / 2"),
    ("same_padding", "dilation ignored", "dilation * ", ""),
    ("same_padding", "dilation off by one", "dilation * (kernel_size - 1)", "dilation * kernel_size - 1"),
    ("same_padding", "one number for two", ", total - total // 2", ""),
    ("same_padding", "one number for two", "total // 2, total - total // 2", "total"),
    ("pad_row", "zeros in every mode", 'mode == "zeros"', "True"),
    ("pad_row", "edge pixel repeated",
     "row[1 : padding + 1].flip", "row[:padding].flip", "row[-padding - 1 : -1]", "row[-padding:]"),
    ("pad_row", "reflect not mirrored", ".flip(0)", ""),
    ("pad_row", "circular from the wrong end", "row[-padding:], row[:padding]", "row[:padding], row[-padding:]"),
    ("pad_row", "modes exchanged", '"reflect"', '"x"', '"circular"', '"reflect"', '"x"', '"circular"'),
    ("pad_row", "modes exchanged", '"reflect"', '"x"', '"replicate"', '"reflect"', '"x"', '"replicate"'),
    ("pad_row", "modes exchanged", '"circular"', '"x"', '"replicate"', '"circular"', '"x"', '"replicate"'),
    ("pad_row", "padding on one side only", ", after]", "]"),
    ("pad_row", "padding on one side only", "[before, ", "["),
    ("pad_row", "padding ignored", "torch.cat([before, row, after])", "row"),
    ("convolve2d", "kernel flipped", "window * kernel", "window * kernel.flip(0, 1)"),
    ("convolve2d", "rows and columns exchanged", "window * kernel", "window.T * kernel"),
    ("convolve2d", "padding on one side only", PADDED, "height + padding, width + padding"),
    ("convolve2d", "padding on one side only",
     PADDED, "height + padding, width + padding", MIDDLE, "padded[:height, :width]"),
    ("convolve2d", "padding ignored", "    height, width", "    padding = 0\n    height, width"),
    ("convolve2d", "stride ignored", "    height, width", "    stride = 1\n    height, width"),
    ("convolve2d", "window moves by 1", "i * stride", "i", "j * stride", "j"),
    ("convolve2d", "last window forgotten", "// stride + 1", "// stride"),
    ("convolve2d", "mean for sum", ".sum()", ".mean()"),
    ("convolve_volume", "bias forgotten", " + bias[f]", ""),
    ("convolve_volume", "one bias for all filters", "bias[f]", "bias[0]"),
    ("convolve_volume", "bias added for every channel", "bias[f]", "len(volume) * bias[f]"),
    ("convolve_volume", "kernel flipped", "* filters[f]", "* filters[f].flip(1, 2)"),
    ("convolve_volume", "channels last", "return output", "return output.permute(1, 2, 0)"),
    ("convolve_volume", "channels not summed", "volume[:, i", "volume[0, i", "* filters[f]", "* filters[f, 0]"),
    ("convolve_volume", "channels not summed", "volume[:, i", "volume[-1, i", "* filters[f]", "* filters[f, -1]"),
    ("convolve_volume", "filters added up", "return output", "return output.sum(0)"),
    ("convolve_volume", "one filter only", "return output", "return output[0]"),
    ("max_pool2d", "padded with zeros", "-math.inf", "0.0"),
    ("max_pool2d", "padding ignored", "    height, width", "    padding = 0\n    height, width"),
    ("max_pool2d", "padding on one side only", PADDED, "height + padding, width + padding"),
    ("max_pool2d", "stride ignored", "    height, width", "    stride = 1\n    height, width"),
    ("max_pool2d", "kernel size taken for the stride",
     "    height, width", "    stride = kernel_size\n    height, width"),
    ("max_pool2d", "mean for maximum", ".max()", ".mean()", "-math.inf", "0.0"),
    ("max_pool2d", "mean for maximum", ".max()", ".nanmean()", "-math.inf", "math.nan"),
    ("max_pool2d", "minimum for maximum", ".max()", ".min()", "-math.inf", "math.inf"),
    ("transposed_size", "padding added", "- 2 * padding", "+ 2 * padding"),
    ("transposed_size", "padding on one side only", "2 * padding", "padding"),
    ("transposed_size", "padding ignored", "- 2 * padding ", ""),
    ("transposed_size", "output padding forgotten", " + output_padding", ""),
    ("transposed_size", "output padding on both sides", "+ output_padding", "+ 2 * output_padding"),
    ("transposed_size", "kernel forgotten", " + reach", ""),
    ("transposed_size", "dilation off by one", REACH, "dilation * kernel_size"),
    ("transposed_size", "dilation off by one", REACH, "dilation * (kernel_size - 1)"),
    ("transposed_size", "dilation ignored", REACH, "kernel_size"),
    ("transposed_size", "one step too many", "(size - 1)", "size"),
    ("conv_transpose2d", "kernel flipped", "* kernel", "* kernel.flip(0, 1)"),
    ("conv_transpose2d", "rows and columns exchanged", "* kernel", "* kernel.T"),
    ("conv_transpose2d", "overlaps overwritten", "+= image", "= image"),
    ("conv_transpose2d", "padding added", CROP, "nn.functional.pad(output, [padding] * 4)"),
    ("conv_transpose2d", "padding ignored", CROP, "output"),
    ("conv_transpose2d", "padding on one side only", CROP, "output[padding:, padding:]"),
    ("conv_transpose2d", "padding on one side only", CROP, "output[: rows - padding, : columns - padding]"),
    ("conv_transpose2d", "stride ignored", "    height, width", "    stride = 1\n    height, width"),
    ("number_of_weights", "bias counted", "kernel_size**2", "kernel_size**2 + 1"),
    ("number_of_weights", "input channels forgotten", "in_channels * kernel_size**2", "kernel_size**2"),
    ("number_of_weights", "output channels forgotten", "return out_channels * ", "return "),
    ("number_of_weights", "kernel not squared", "kernel_size**2", "kernel_size"),
    ("number_of_weights", "input pixels counted", "size + 2 * padding - kernel_size + 1", "size"),
    ("number_of_weights", "padding ignored", "2 * padding", "0"),
    ("number_of_weights", "padding on one side only", "2 * padding", "padding"),
    ("number_of_weights", "one side for an area", "out**2", "out"),
    ("number_of_weights", "shared for unshared", "if shared", "if not shared"),
    ("number_of_weights", "never shared", "if shared", "if False"),
    ("number_of_weights", "always shared", "if shared", "if True"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch02, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_pooling_that_keeps_the_last_part_of_a_window_is_ceil_for_floor():
    def pool(image, kernel_size, stride, padding=0):
        return F.max_pool2d(image[None], kernel_size, stride, padding, ceil_mode=True)[0]

    assert ch02.check_max_pool2d(pool).mistake == "ceil for floor"


def test_a_convolution_is_not_its_transpose():
    def convolution(image, kernel, stride=1, padding=0):
        return F.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]

    assert ch02.check_conv_transpose2d(convolution).mistake == "convolution, not transposed"


def test_the_size_of_a_convolution_is_not_that_of_its_transpose():
    def size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
        return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1

    assert ch02.check_transposed_size(size).mistake == "convolution's formula"


def test_the_lecture_is_the_first_case_of_a_failed_convolution():
    verdict = ch02.check_convolve2d(rewritten("convolve2d", ".sum()", ".max()"))
    assert verdict.given["image"].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert verdict.expected.tolist() == [[19, 25], [37, 43]]


def test_the_lectures_layer_has_2304000_weights_without_sharing_and_2250_with_it():
    asked = {}

    def spy(*layer):
        asked[layer] = None
        return 0

    ch02.check_number_of_weights(spy)
    assert {(3, 32, 30, 5, 2, True), (3, 32, 30, 5, 2, False)} <= set(asked)
    verdict = ch02.check_number_of_weights(lambda *layer: {True: 2250, False: 2_304_000}[layer[-1]])
    assert (verdict.given["size"], verdict.expected) == (7, 9)


def one_by_one(volume, filters, bias):
    """Maps as nested lists of tensors."""
    maps = [F.conv2d(volume[None], kernels[None])[0, 0] + one for kernels, one in zip(filters, bias, strict=True)]
    return [list(row) for row in maps]


RIGHT = {
    "output_size by counting windows": lambda: ch02.check_output_size(
        lambda n, k, s, p, d: len(range(0, n + 2 * p - d * (k - 1), s))
    ),
    "output_size as NumPy's integer": lambda: ch02.check_output_size(
        lambda n, k, s, p, d: np.int64(math.floor((n + 2 * p - d * (k - 1) - 1) / s + 1))
    ),
    "output_size as a tensor": lambda: ch02.check_output_size(
        lambda n, k, s, p, d: torch.tensor(n + 2 * p - d * (k - 1) - 1) // s + 1
    ),
    "leftover by subtraction": lambda: ch02.check_leftover(
        lambda n, k, s, p, d: n + 2 * p - range(d * (k - 1) + 1, n + 2 * p + 1, s)[-1]
    ),
    "same_padding as a list": lambda: ch02.check_same_padding(
        lambda k, d: [d * (k - 1) // 2, math.ceil(d * (k - 1) / 2)]
    ),
    "pad_row with NumPy": lambda: ch02.check_pad_row(
        lambda row, padding, mode: np.pad(
            row, padding, {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}[mode]
        )
    ),
    "convolve2d with unfold": lambda: ch02.check_convolve2d(
        lambda x, w, s, p: (F.pad(x, [p] * 4).unfold(0, len(w), s).unfold(1, len(w), s) * w).sum((2, 3))
    ),
    "convolve_volume as nested lists": lambda: ch02.check_convolve_volume(one_by_one),
    "convolve_volume with einsum, float64": lambda: ch02.check_convolve_volume(
        lambda x, w, b: (
            torch.einsum("chwij,fcij->fhw", x.unfold(1, w.shape[2], 1).unfold(2, w.shape[3], 1), w).double()
            + b[:, None, None]
        )
    ),
    "max_pool2d with unfold": lambda: ch02.check_max_pool2d(
        lambda x, k, s, p: F.pad(x, [p] * 4, value=-99).unfold(0, k, s).unfold(1, k, s).amax((2, 3)).numpy()
    ),
    "transposed_size as the inverse": lambda: ch02.check_transposed_size(
        lambda n, k, s, p, o, d: (n - 1) * s + (k - 1) * d + 1 + o - p - p
    ),
    "conv_transpose2d by stuffing zeros": lambda: ch02.check_conv_transpose2d(stuffed),
    "number_of_weights by counting": lambda: ch02.check_number_of_weights(
        lambda c, n, f, k, p, shared: len(range(f * (1 if shared else (n + 2 * p - k + 1) ** 2))) * c * k * k
    ),
}


def stuffed(image, kernel, stride, padding):
    """A convolution with the turned kernel, of the image with zeros between its pixels."""
    k = len(kernel)
    wide = torch.zeros([(size - 1) * stride + 1 for size in image.shape])
    wide[::stride, ::stride] = image
    full = F.conv2d(wide[None, None], kernel.flip(0, 1)[None, None], padding=k - 1)[0, 0]
    return full[padding : len(full) - padding, padding : full.shape[1] - padding]


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")
