"""Chapter 02, convolution arithmetic: ten exercises. Images and kernels are float tensors that hold whole numbers."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
import torch.nn.functional as F

from cnnviz.exercises import ch02_answers as torch_says
from cnnviz.exercises.ch02_answers import conv, grown, mean_pool, padded, pool, rest, same_pair, size, spread, weights
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers

FLIPPED = "What networks call convolution is cross-correlation: the kernel is laid on the image as it is, not turned."
BOTH_ENDS = "Both ends are padded: size + 2 * padding."
ALL_SIDES = "Padding belongs on all four sides."
REACH = "From its first to its last pixel a dilated kernel reaches over dilation * (kernel_size - 1) + 1 pixels."
ROUND_DOWN = "A window that does not fit whole is left out: round down."
MODES = ("zeros", "replicate", "reflect", "circular")

# The lecture's 7 and 3 first, so that the first case that fails is one to do by hand.
SIZES = cases(
    "size kernel_size stride padding dilation",
    *[(7, 3, 1, 0, 1), (7, 3, 2, 0, 1), (7, 3, 3, 0, 1), (7, 3, 1, 1, 1), (7, 3, 1, 0, 2), (28, 5, 1, 2, 1)],
    *product((13,), (1, 2, 4), (1, 2, 3), (0, 1, 3), (1, 2, 3)),
)


def check_output_size(output_size: Callable) -> Verdict:
    """Pixels that come out along one side of a convolution. Difficulty 2 of 5, 10 minutes.

    ``output_size(size, kernel_size, stride, padding, dilation) -> int`` beside the shape that torch returns.
    """
    mistakes = [
        Mistake("ceil for floor", ROUND_DOWN, partial(size, ceil=True)),
        Mistake("true division", "/ leaves fractions of a window; // rounds down.", partial(size, fractions=True)),
        Mistake("padding on one side only", BOTH_ENDS, partial(size, sides=1)),
        Mistake("padding ignored", BOTH_ENDS, partial(size, sides=0)),
        Mistake("dilation off by one", REACH, *(partial(size, reach=r) for r in torch_says.REACHES_OFF_BY_ONE)),
        Mistake("dilation ignored", REACH, partial(size, reach=lambda k, d: k)),
        Mistake(
            "stride ignored", "The window takes steps of stride pixels.", lambda n, k, s, p, d: size(n, k, 1, p, d)
        ),
        Mistake(
            "first window forgotten", "Count the first window too, not only the steps: + 1.", partial(size, first=0)
        ),
    ]
    return compare("output_size", output_size, torch_says.output_size, SIZES, mistakes)


def check_leftover(leftover: Callable) -> Verdict:
    """Pixels at the end of the padded row that no window reaches. Difficulty 2 of 5, 5 minutes.

    ``leftover(size, kernel_size, stride, padding, dilation) -> int``: by how much the row can shrink before torch's
    output does. 7 pixels, kernel 3, stride 3: 7 - 3 = 4, and 4 / 3 leaves 1.
    """
    mistakes = [
        Mistake("kernel forgotten", "Subtract the first window before you count.", partial(rest, reach=lambda k, d: 0)),
        Mistake("padding on one side only", BOTH_ENDS, partial(rest, sides=1)),
        Mistake("padding ignored", BOTH_ENDS, partial(rest, sides=0)),
        Mistake("dilation off by one", REACH, *(partial(rest, reach=r) for r in torch_says.REACHES_OFF_BY_ONE)),
        Mistake("dilation ignored", REACH, partial(rest, reach=lambda k, d: k)),
        Mistake("steps counted", "// counts the steps; % gives what they leave over.", partial(size, first=0)),
        Mistake("missing pixels counted", "Those would make one more window.", lambda *case: -rest(*case) % case[2]),
    ]
    return compare("leftover", leftover, torch_says.leftover, SIZES, mistakes)


def check_same_padding(same_padding: Callable) -> Verdict:
    """Padding that keeps the size at stride 1. Difficulty 2 of 5, 10 minutes.

    ``same_padding(kernel_size, dilation) -> (before, after)``; an odd pixel comes after, as in torch's "same".
    """
    half = "Each end gets half of dilation * (kernel_size - 1)."
    odd = "An even kernel needs an odd number of pixels; torch puts one more after."
    mistakes = [
        Mistake("padding on one side only", half, lambda k, d: (d * (k - 1), 0), lambda k, d: (0, d * (k - 1))),
        Mistake("odd pixel before", odd, lambda k, d: same_pair(d * (k - 1))[::-1]),
        Mistake("odd pixel lost", odd, lambda k, d: (d * (k - 1) // 2,) * 2),
        Mistake("even kernel padded too much", half, lambda k, d: (d * (k // 2),) * 2),
        Mistake("twice the padding", half, lambda k, d: (d * (k - 1),) * 2),
        Mistake("half pixels", "Pixels are whole: use //. " + odd, lambda k, d: (d * (k - 1) / 2,) * 2),
        Mistake("dilation ignored", REACH, lambda k, d: same_pair(k - 1)),
        Mistake("dilation off by one", REACH, lambda k, d: same_pair(d * k - 1)),
        Mistake(
            "one number for two", "Return (before, after).", lambda k, d: d * (k - 1) // 2, lambda k, d: d * (k - 1)
        ),
    ]
    pairs = cases("kernel_size dilation", *[(k, d) for d in (1, 2, 3) for k in (3, 5, 2, 1, 4, 7)])
    return compare("same_padding", same_padding, torch_says.same_padding, pairs, mistakes)


def check_pad_row(pad_row: Callable) -> Verdict:
    """A row continued beyond both ends, in torch's four ways. Difficulty 3 of 5, 15 minutes.

    ``pad_row(row, padding, mode) -> row`` for zeros 1234 -> 00|1234|00, replicate 11|1234|44, reflect 32|1234|32 and
    circular 34|1234|12.
    """
    modes = "reflect 32|1234|32, replicate 11|1234|44, circular 34|1234|12."
    zeros = dict.fromkeys(MODES, "zeros")
    before, after = (lambda *case: padded(*case)[: -case[1]]), (lambda *case: padded(*case)[case[1] :])
    mistakes = [
        Mistake("zeros in every mode", modes, partial(padded, **zeros)),
        Mistake(
            "edge pixel repeated", "The mirror stands in the edge pixel: 32|1234|32.", torch_says.pad_row_symmetric
        ),
        Mistake("reflect not mirrored", "Outwards is back inwards: 32|1234|32.", torch_says.pad_row_unmirrored),
        Mistake(
            "circular from the wrong end", "Before the first comes the last: 34|1234|12.", torch_says.pad_row_own_ends
        ),
        Mistake("modes exchanged", modes, partial(padded, reflect="circular", circular="reflect")),
        Mistake("modes exchanged", modes, partial(padded, reflect="replicate", replicate="reflect")),
        Mistake("modes exchanged", modes, partial(padded, circular="replicate", replicate="circular")),
        Mistake("padding on one side only", "Continue the row at both ends.", before, after),
        Mistake("padding ignored", "The answer has padding more pixels at each end.", lambda row, padding, mode: row),
    ]
    rows = [(torch.tensor([1.0, 2, 3, 4]), 2), *[(whole_numbers(n, n), p) for n in (3, 6, 9) for p in (1, 2, n - 1)]]
    todo = cases("row padding mode", *[(*row, mode) for row in rows for mode in MODES])
    return compare("pad_row", pad_row, padded, todo, mistakes)


def check_convolve2d(convolve2d: Callable) -> Verdict:
    """One channel convolved with one kernel, written with loops. Difficulty 3 of 5, 20 minutes.

    ``convolve2d(image [H, W], kernel [k, k], stride, padding) -> [H', W']``, zeros around it, beside torch's conv2d.
    """
    start = "Output [i, j] looks at the window that starts at [i * stride, j * stride]."
    before, after = (
        (lambda x, w, s, p: conv(F.pad(x, (p, 0, p, 0)), w, s)),
        (lambda x, w, s, p: conv(F.pad(x, (0, p, 0, p)), w, s)),
    )
    mistakes = [
        Mistake("kernel flipped", FLIPPED, lambda x, w, s, p: conv(x, w.flip(0, 1), s, p)),
        Mistake(
            "rows and columns exchanged",
            "image[row + i, column + j] meets kernel[i, j].",
            lambda x, w, s, p: conv(x, w.T, s, p),
        ),
        Mistake("padding on one side only", ALL_SIDES, before, after),
        Mistake("padding ignored", ALL_SIDES, lambda x, w, s, p: conv(x, w, s)),
        Mistake("stride ignored", start, lambda x, w, s, p: conv(x, w, 1, p)),
        Mistake("window moves by 1", start, torch_says.conv_small_steps),
        Mistake(
            "last window forgotten", "There is one more window than steps: + 1.", lambda *case: conv(*case)[:-1, :-1]
        ),
        Mistake("mean for sum", "Add up the products; do not divide.", lambda x, w, s, p: conv(x, w, s, p) / w.numel()),
    ]
    lecture = (torch.arange(9.0).view(3, 3), torch.arange(4.0).view(2, 2), 1, 0)  # 19 25 37 43
    sizes = [(5, 4, 3, 1, 0), (5, 7, 3, 2, 0), (4, 5, 3, 1, 1), *product((5,), (6,), (2, 3), (1, 2, 3), (0, 1, 2))]
    drawn = [(whole_numbers(h, h, w), whole_numbers(h + w, k, k), s, p) for h, w, k, s, p in sizes]
    return compare("convolve2d", convolve2d, conv, cases("image kernel stride padding", lecture, *drawn), mistakes)


def check_convolve_volume(convolve_volume: Callable) -> Verdict:
    """A volume convolved with several filters and their biases. Difficulty 3 of 5, 15 minutes.

    ``convolve_volume(volume [C, H, W], filters [F, C, k, k], bias [F]) -> [F, H', W']``, stride 1 and no padding.
    """
    own_bias = "Filter f adds bias[f] once to each of its outputs."
    channels = "A filter adds up its products over all channels."
    first, last = (lambda x, w, b: F.conv2d(x[:1], w[:, :1], b)), (lambda x, w, b: F.conv2d(x[-1:], w[:, -1:], b))
    mistakes = [
        Mistake("bias forgotten", own_bias, lambda x, w, b: F.conv2d(x, w)),
        Mistake("one bias for all filters", own_bias, lambda x, w, b: F.conv2d(x, w, b[:1].expand(len(w)))),
        Mistake("bias added for every channel", own_bias, lambda x, w, b: F.conv2d(x, w, b * len(x))),
        Mistake("kernel flipped", FLIPPED, lambda x, w, b: F.conv2d(x, w.flip(2, 3), b)),
        Mistake(
            "channels last", "torch puts channels first: [F, H, W].", lambda x, w, b: F.conv2d(x, w, b).movedim(0, 2)
        ),
        Mistake("channels not summed", channels, first, last),
        Mistake("filters added up", "Each filter gives a map of its own.", lambda x, w, b: F.conv2d(x, w, b).sum(0)),
        Mistake("one filter only", "Each filter gives a map of its own.", lambda x, w, b: F.conv2d(x, w, b)[0]),
    ]
    sizes = [(2, 3, 3, 2, 2), (1, 4, 3, 3, 2), *product((1, 3), (4,), (5,), (1, 2, 4), (1, 2, 3))]
    drawn = [
        (whole_numbers(h + w, c, h, w), whole_numbers(c + f, f, c, k, k), 10 * whole_numbers(f, f))
        for c, h, w, f, k in sizes
    ]
    return compare("convolve_volume", convolve_volume, F.conv2d, cases("volume filters bias", *drawn), mistakes)


def check_max_pool2d(max_pool2d: Callable) -> Verdict:
    """The largest number of every window, written with loops. Difficulty 3 of 5, 15 minutes.

    ``max_pool2d(image [H, W], kernel_size, stride, padding) -> [H', W']``; the padding never wins (minus infinity).
    """
    zeros = "0 wins against negative numbers; pad with minus infinity."
    start = "Windows start stride pixels apart, whatever their size; they may overlap."
    mistakes = [
        Mistake("padded with zeros", zeros, lambda x, k, s, p: pool(F.pad(x, (p, p, p, p)), k, s)),
        Mistake("padding ignored", ALL_SIDES, lambda x, k, s, p: pool(x, k, s)),
        Mistake("padding on one side only", ALL_SIDES, torch_says.pool_padded_before),
        Mistake("ceil for floor", ROUND_DOWN, partial(pool, ceil=True)),
        Mistake("stride ignored", start, lambda x, k, s, p: pool(x, k, 1, p)),
        Mistake("kernel size taken for the stride", start, lambda x, k, s, p: pool(x, k, k, p)),
        Mistake("mean for maximum", "Take the largest.", mean_pool, partial(mean_pool, count_include_pad=False)),
        Mistake("minimum for maximum", "Take the largest.", lambda x, k, s, p: -pool(-x, k, s, p)),
    ]
    sizes = [
        (4, 4, 2, 2, 0),
        (3, 4, 2, 1, 0),
        (4, 6, 3, 2, 1),
        (5, 5, 2, 2, 0),
        *product((5, 7), (6,), (2, 3), (1, 2, 3), (0, 1)),
    ]
    drawn = [(whole_numbers(h, h, w) - 5, k, s, p) for h, w, k, s, p in sizes]
    return compare("max_pool2d", max_pool2d, pool, cases("image kernel_size stride padding", *drawn), mistakes)


def check_transposed_size(transposed_size: Callable) -> Verdict:
    """Pixels that come out along one side of a transposed convolution. Difficulty 3 of 5, 10 minutes.

    ``transposed_size(size, kernel_size, stride, padding, output_padding, dilation) -> int`` beside torch's shape.
    """
    cut = "Here padding is cut off, at both ends: - 2 * padding."
    once = "output_padding is added once, at the end."
    mistakes = [
        Mistake("convolution's formula", "Turn it round: size is what comes out there.", lambda *c: size(*c[:4], c[5])),
        Mistake("padding added", cut, partial(grown, sides=-2)),
        Mistake("padding on one side only", cut, partial(grown, sides=1)),
        Mistake("padding ignored", cut, partial(grown, sides=0)),
        Mistake("output padding forgotten", once, partial(grown, extra=0)),
        Mistake("output padding on both sides", once, partial(grown, extra=2)),
        Mistake("kernel forgotten", "The last pixel writes a whole kernel.", partial(grown, reach=lambda k, d: 0)),
        Mistake("dilation off by one", REACH, *(partial(grown, reach=r) for r in torch_says.REACHES_OFF_BY_ONE)),
        Mistake("dilation ignored", REACH, partial(grown, reach=lambda k, d: k)),
        Mistake("one step too many", "There are size - 1 steps between size pixels.", partial(grown, steps=0)),
    ]
    by_hand = [(3, 3, 2, 0, 0, 1), (4, 2, 2, 0, 0, 1), (5, 3, 1, 1, 0, 1), (3, 3, 2, 1, 1, 1), (4, 3, 1, 0, 0, 2)]
    many = product((6,), (2, 4), (2, 3), (0, 1, 2), (0, 1), (1, 2, 3))
    todo = cases("size kernel_size stride padding output_padding dilation", *by_hand, *many)
    return compare("transposed_size", transposed_size, torch_says.transposed_size, todo, mistakes)


def check_conv_transpose2d(conv_transpose2d: Callable) -> Verdict:
    """Every pixel writes a kernel, scaled, into the output. Difficulty 4 of 5, 20 minutes.

    ``conv_transpose2d(image [H, W], kernel [k, k], stride, padding) -> [H', W']``; padding is cut off at the end.
    """
    cut = "Here padding is cut off, on all four sides."
    place = "image[i, j] * kernel is added where output [i * stride, j * stride] starts."
    mistakes = [
        Mistake(
            "kernel flipped",
            "The kernel is written as it is, not turned.",
            lambda x, w, s, p: spread(x, w.flip(0, 1), s, p),
        ),
        Mistake("rows and columns exchanged", place, lambda x, w, s, p: spread(x, w.T, s, p)),
        Mistake("overlaps overwritten", "Where kernels overlap they add up: +=.", torch_says.spread_overwriting),
        Mistake("padding added", cut, lambda x, w, s, p: F.pad(spread(x, w, s), (p, p, p, p))),
        Mistake("padding ignored", cut, lambda x, w, s, p: spread(x, w, s)),
        Mistake("padding on one side only", cut, torch_says.spread_cut_before, torch_says.spread_cut_after),
        Mistake("stride ignored", place, lambda x, w, s, p: spread(x, w, 1, p)),
        Mistake("convolution, not transposed", place, conv),
    ]
    sizes = [(2, 2, 2, 1, 0), (2, 2, 2, 2, 0), (3, 4, 3, 2, 0), *product((4,), (4, 5), (3, 4), (1, 2, 3), (0, 1))]
    drawn = [(whole_numbers(h, h, w), whole_numbers(h + w, k, k), s, p) for h, w, k, s, p in sizes]
    todo = cases("image kernel stride padding", *drawn)
    return compare("conv_transpose2d", conv_transpose2d, spread, todo, mistakes)


def check_number_of_weights(number_of_weights: Callable) -> Verdict:
    """Weights of a layer with and without sharing, biases left out. Difficulty 2 of 5, 10 minutes.

    ``number_of_weights(in_channels, size, out_channels, kernel_size, padding, shared) -> int`` at stride 1 on a square
    image. The lecture's 32 x 32 x 3 with 30 filters 5 x 5 and padding 2: 2,304,000 without sharing, 2,250 with it.
    """
    filters = "Each of the out_channels filters holds in_channels * kernel_size * kernel_size weights."
    outputs = "Without sharing, every output pixel has filters of its own: count the outputs, padding included."
    mistakes = [
        Mistake("bias counted", "Only weights are asked for.", partial(weights, bias=1)),
        Mistake("input channels forgotten", filters, lambda c, *rest: weights(1, *rest)),
        Mistake("output channels forgotten", filters, lambda c, n, f, *rest: weights(c, n, 1, *rest)),
        Mistake("kernel not squared", filters, partial(weights, power=1)),
        Mistake(
            "input pixels counted", outputs, lambda c, n, f, k, p, shared: weights(c, n, f, k, (k - 1) / 2, shared)
        ),
        Mistake("padding ignored", outputs, lambda c, n, f, k, p, shared: weights(c, n, f, k, 0, shared)),
        Mistake("padding on one side only", outputs, lambda c, n, f, k, p, shared: weights(c, n, f, k, p / 2, shared)),
        Mistake("one side for an area", outputs, partial(weights, area=1)),
        Mistake(
            "shared for unshared", "Sharing gives the small number.", lambda *case: weights(*case[:-1], not case[-1])
        ),
        Mistake("never shared", filters, lambda *case: weights(*case[:-1], False)),
        Mistake("always shared", outputs, lambda *case: weights(*case[:-1], True)),
    ]
    layers = [
        (1, 7, 1, 3, 0),
        (1, 7, 2, 3, 1),
        (3, 32, 30, 5, 2),
        (3, 32, 5, 5, 0),
        *product((2, 4), (6, 9), (3,), (2, 3), (0, 1, 2)),
    ]
    names = "in_channels size out_channels kernel_size padding shared"
    todo = cases(names, *[(*layer, shared) for layer in layers for shared in (True, False)])
    return compare("number_of_weights", number_of_weights, torch_says.number_of_weights, todo, mistakes)
