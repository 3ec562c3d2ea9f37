"""A solution, a hint and a starter for every exercise, as the notebooks show them."""

import ast
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn


def grey(rgb):
    return 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]


def box_kernel(kernel_size):
    return np.ones((kernel_size, kernel_size)) / kernel_size**2


def filter_image(image, kernel):
    height, width = image.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = image
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            result[row, column] = (padded[row : row + 3, column : column + 3] * kernel).sum()
    return result


def edge_magnitude(across, down):
    return np.sqrt(across**2 + down**2)


def replicate_border(image, width):
    height, columns = image.shape
    result = np.zeros((height + 2 * width, columns + 2 * width))
    for row in range(len(result)):
        for column in range(result.shape[1]):
            nearest_row = min(max(row - width, 0), height - 1)
            nearest_column = min(max(column - width, 0), columns - 1)
            result[row, column] = image[nearest_row, nearest_column]
    return result


def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size + 2 * padding - reach) // stride + 1


def leftover(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size + 2 * padding - reach) % stride


def same_padding(kernel_size, dilation=1):
    total = dilation * (kernel_size - 1)
    return total // 2, total - total // 2


def pad_row(row, padding, mode):
    if mode == "zeros":
        before = after = torch.zeros(padding)
    elif mode == "replicate":
        before, after = row[:1].repeat(padding), row[-1:].repeat(padding)
    elif mode == "reflect":
        before, after = row[1 : padding + 1].flip(0), row[-padding - 1 : -1].flip(0)
    elif mode == "circular":
        before, after = row[-padding:], row[:padding]
    return torch.cat([before, row, after])


def convolve2d(image, kernel, stride=1, padding=0):
    height, width = image.shape
    padded = torch.zeros(height + 2 * padding, width + 2 * padding)
    padded[padding : padding + height, padding : padding + width] = image
    k = len(kernel)
    rows, columns = ((size - k) // stride + 1 for size in padded.shape)
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = padded[i * stride : i * stride + k, j * stride : j * stride + k]
            output[i, j] = (window * kernel).sum()
    return output


def convolve_volume(volume, filters, bias):
    _, height, width = volume.shape
    k = filters.shape[-1]
    output = torch.zeros(len(filters), height - k + 1, width - k + 1)
    for f in range(len(filters)):
        for i in range(height - k + 1):
            for j in range(width - k + 1):
                output[f, i, j] = (volume[:, i : i + k, j : j + k] * filters[f]).sum() + bias[f]
    return output


def max_pool2d(image, kernel_size, stride, padding=0):
    height, width = image.shape
    padded = torch.full((height + 2 * padding, width + 2 * padding), -math.inf)
    padded[padding : padding + height, padding : padding + width] = image
    rows, columns = ((size - kernel_size) // stride + 1 for size in padded.shape)
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            output[i, j] = padded[top : top + kernel_size, left : left + kernel_size].max()
    return output


def transposed_size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size - 1) * stride - 2 * padding + reach + output_padding


def conv_transpose2d(image, kernel, stride=1, padding=0):
    height, width = image.shape
    k = len(kernel)
    output = torch.zeros((height - 1) * stride + k, (width - 1) * stride + k)
    for i in range(height):
        for j in range(width):
            output[i * stride : i * stride + k, j * stride : j * stride + k] += image[i, j] * kernel
    rows, columns = output.shape
    return output[padding : rows - padding, padding : columns - padding]


def number_of_weights(in_channels, size, out_channels, kernel_size, padding, shared):
    one_filter = in_channels * kernel_size**2
    if shared:
        return out_channels * one_filter
    out = size + 2 * padding - kernel_size + 1
    return out_channels * out**2 * one_filter


layer_shapes = {
    "c1": (6, 28, 28),
    "s2": (6, 14, 14),
    "c3": (16, 10, 10),
    "s4": (16, 5, 5),
    "c5": (120,),
    "f6": (84,),
    "output": (10,),
}

layer_parameters = {
    "c1": 6 * (1 * 5 * 5 + 1),
    "s2": 6 * 2,
    "c3": 60 * 5 * 5 + 16,
    "s4": 16 * 2,
    "c5": 120 * (16 * 5 * 5 + 1),
    "f6": 84 * (120 + 1),
}

first_block = nn.Sequential(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, images):
        return self.classifier(self.maps(images).flatten(1))


lenet = LeNet()


def error_rate(logits, labels):
    return (logits.argmax(dim=1) != labels).float().mean()


CHAPTERS = {
    "ch01": ["grey", "box_kernel", "filter_image", "edge_magnitude", "replicate_border"],
    "ch02": [
        "output_size",
        "leftover",
        "same_padding",
        "pad_row",
        "convolve2d",
        "convolve_volume",
        "max_pool2d",
        "transposed_size",
        "conv_transpose2d",
        "number_of_weights",
    ],
    "ch05": ["layer_shapes", "layer_parameters", "first_block", "lenet", "error_rate"],
}

STARTERS = {
    "grey": "def grey(rgb):\n    return ...",
    "box_kernel": "def box_kernel(kernel_size):\n    return ...",
    "filter_image": "def filter_image(image, kernel):\n    return ...",
    "edge_magnitude": "def edge_magnitude(across, down):\n    return ...",
    "replicate_border": "def replicate_border(image, width):\n    return ...",
    "output_size": "def output_size(size, kernel_size, stride=1, padding=0, dilation=1):\n    return ...",
    "leftover": "def leftover(size, kernel_size, stride=1, padding=0, dilation=1):\n    return ...",
    "same_padding": "def same_padding(kernel_size, dilation=1):\n    return ...  # (before, after)",
    "pad_row": """def pad_row(row, padding, mode):
    if mode == "zeros":
        return ...
    if mode == "replicate":
        return ...
    if mode == "reflect":
        return ...
    if mode == "circular":
        return ...""",
    "convolve2d": "def convolve2d(image, kernel, stride=1, padding=0):\n    return ...",
    "convolve_volume": "def convolve_volume(volume, filters, bias):\n    return ...",
    "max_pool2d": "def max_pool2d(image, kernel_size, stride, padding=0):\n    return ...",
    "transposed_size": """def transposed_size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
    return ...""",
    "conv_transpose2d": "def conv_transpose2d(image, kernel, stride=1, padding=0):\n    return ...",
    "number_of_weights": """def number_of_weights(in_channels, size, out_channels, kernel_size, padding, shared):
    return ...""",
    "layer_shapes": """layer_shapes = {
    "c1": (6, 28, 28),
    "s2": ...,
    "c3": ...,
    "s4": ...,
    "c5": ...,
    "f6": ...,
    "output": ...,
}""",
    "layer_parameters": """layer_parameters = {
    "c1": ...,
    "s2": ...,
    "c3": ...,
    "s4": ...,
    "c5": ...,
    "f6": ...,
}""",
    "first_block": "first_block = ...  # nn.Sequential of a convolution, an activation and a pooling",
    "lenet": """class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, images):
        return ...


lenet = LeNet()""",
    "error_rate": "def error_rate(logits, labels):\n    return ...",
}

HINTS = {
    "grey": "rgb[..., 0] is the red channel, an array H x W. A weight times a whole array needs no loop.",
    "box_kernel": "How many weights are there? Each is one divided by that number.",
    "filter_image": (
        "Make an array of zeros that is 2 rows and 2 columns larger and copy the image into its middle. "
        "Result [row, column] is then the sum of padded[row : row + 3, column : column + 3] * kernel."
    ),
    "edge_magnitude": "It is Pythagoras in every pixel. np.sqrt and ** work on whole arrays.",
    "replicate_border": "The row of the image nearest to a row of the result is min(max(row - width, 0), height - 1).",
    "output_size": (
        "How many pixels does the dilated kernel reach over? Subtract them from the padded size: what remains is the "
        "room for steps. Count whole steps, and the window before the first step."
    ),
    "leftover": "The same room as for output_size, divided by the stride: what is the remainder?",
    "same_padding": "By how much does the output shrink at stride 1? Add as many pixels, half of them before.",
    "pad_row": "row[1 : padding + 1].flip(0) is a mirrored piece, row[-padding:] an end; torch.cat joins pieces.",
    "convolve2d": (
        "Pad with zeros first. Output [i, j] belongs to the window that starts at [i * stride, j * stride]; multiply "
        "it by the kernel and add up."
    ),
    "convolve_volume": "A window of the volume is as large as a filter, [C, k, k]: one sum over all, plus bias[f].",
    "max_pool2d": "As convolve2d, with max in the place of the sum; torch.full(..., -math.inf) makes the padding.",
    "transposed_size": "size pixels make size - 1 steps. The last pixel writes a whole kernel. Then cut and add.",
    "conv_transpose2d": "Loop over the pixels of the input. Each adds (+=) itself times the kernel into the output.",
    "number_of_weights": "A filter has in_channels * kernel_size ** 2 weights. Unshared, every output has its own.",
    "layer_shapes": "A 5 x 5 convolution takes 4 pixels off each side, 2 x 2 pooling halves it. c1 pads with 2.",
    "layer_parameters": (
        "A map of c1 has 5 * 5 weights and a bias. A map of s2 has a coefficient and a bias. c3 has 60 connections "
        "from a map to a map, 5 * 5 weights each, and 16 biases."
    ),
    "first_block": "nn.Conv2d(1, 6, kernel_size=5, padding=2), then nn.ReLU(), then nn.MaxPool2d(2), in nn.Sequential.",
    "lenet": (
        "Five layers have weights: convolutions 1 to 6 and 6 to 16 maps, then nn.Linear(400, 120), (120, 84) and "
        "(84, 10). flatten(1) stands between. No activation after the last."
    ),
    "error_rate": "logits.argmax(dim=1) is the network's answer. Which of them differ from labels? Take the mean.",
}


@cache
def source(name):
    """The text of a solution, as a notebook shows it."""
    text = Path(__file__).read_text(encoding="utf-8")
    wanted = ("LeNet", name) if name == "lenet" else (name,)
    parts = []
    for node in ast.parse(text).body:
        names = [target.id for target in node.targets] if isinstance(node, ast.Assign) else [getattr(node, "name", "")]
        if names[0] in wanted:
            parts.append(ast.get_source_segment(text, node))
    return "\n\n\n".join(parts)


def run(name, text):
    """What a text in a notebook's cell defines under this name."""
    cell = {"math": math, "np": np, "torch": torch, "nn": nn}
    exec(text, cell)
    return cell[name]


def rewritten(name, *edits):
    """The solution after edits (old, new, old, new, ...) of its text, as a learner who is wrong may have written it."""
    text = source(name)
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return run(name, text)
