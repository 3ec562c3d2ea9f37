"""Chapter 03, pooling and receptive fields: seven exercises. Six ask for a function, the last for an nn.Module."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from cnnviz.exercises import ch03_answers as torch_says
from cnnviz.exercises.ch03_answers import (
    average,
    field_of_ways,
    fields,
    first_at_least,
    largest,
    norm_pool,
    pixels,
    pool_gradient,
    stack_facts,
    windows,
)
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, fail, whole_numbers
from cnnviz.exercises.verdict import show

LARGEST_STACK = 40  # weights: four 3 x 3 layers
WIDE = {"field": 41, "jump": 1, "pixels that count": 41 * 41}  # doubled dilations reach 31, tripled ones 81
START = "Windows start stride pixels apart, whatever their size; they may overlap."
JUMP = "A layer adds (kernel_size - 1) times the jump before it; only then the stride multiplies the jump."


def check_pooled_size(pooled_size: Callable) -> Verdict:
    """Numbers that come out along one side of a pooling, rounded down or up. Difficulty 3 of 5, 15 minutes.

    ``pooled_size(size, kernel_size, stride, padding, ceil_mode) -> int`` beside the shape that torch returns. With
    ceil_mode a window may hang over the end, but it has to begin in the image or in the padding before it.
    """
    up = "ceil_mode=True rounds up: the last window may hang over the end."
    mistakes = [
        Mistake("ceil mode ignored", up, lambda *c: windows(*c[:4], False)),
        Mistake("always rounded up", "ceil_mode=False rounds down.", lambda *c: torch_says.pooled_size(*c[:4], True)),
        Mistake("ceil mode reversed", up, lambda *c: torch_says.pooled_size(*c[:4], not c[4])),
        Mistake(
            "window behind the image",
            "torch drops a last window that begins behind the image: where (windows - 1) * stride >= size + padding.",
            windows,
        ),
        Mistake(
            "padding ignored", "Both ends are padded.", lambda n, k, s, p, c: torch_says.pooled_size(n, k, s, 0, c)
        ),
        Mistake("padding on one side only", "Both ends are padded: size + 2 * padding.", partial(windows, sides=1)),
        Mistake("first window forgotten", "Count the first window too: + 1.", partial(windows, first=0)),
        Mistake("divided by the stride", "Not every start leaves room for a window.", lambda n, k, s, p, c: n // s),
    ]
    by_hand = [(7, 3, 3, 0), (28, 2, 2, 0), (28, 3, 1, 0), (55, 3, 2, 0), (112, 3, 2, 0), (5, 2, 3, 1)]
    many = [(n, k, s, p) for n, k, s, p in product((6, 7), (2, 3), (1, 2, 3), (0, 1)) if p <= k // 2]
    todo = [(*case, up) for case in (*by_hand, *many) for up in (False, True)]
    names = "size kernel_size stride padding ceil_mode"
    return compare("pooled_size", pooled_size, torch_says.pooled_size, cases(names, *todo), mistakes)


def check_l2_pool2d(l2_pool2d: Callable) -> Verdict:
    """The L2 norm of every window, written with loops. Difficulty 2 of 5, 10 minutes.

    ``l2_pool2d(image [H, W], kernel_size, stride) -> [H', W']`` beside torch's lp_pool2d with norm_type 2.
    """
    norm = "Square each number, add up, take the root of the sum."
    mistakes = [
        Mistake("mean for sum", "torch adds the squares and does not divide.", lambda x, k, s: norm_pool(x, k, s) / k),
        Mistake("root forgotten", norm, lambda x, k, s: norm_pool(x, k, s) ** 2),
        Mistake("sum without squares", norm, lambda x, k, s: average(x.abs(), k, s) * k**2),
        Mistake("square of the sum", norm, lambda x, k, s: average(x, k, s).abs() * k**2),
        Mistake("maximum for norm", norm, largest, lambda x, k, s: largest(x.abs(), k, s)),
        Mistake("stride ignored", START, lambda x, k, s: norm_pool(x, k, 1)),
        Mistake("kernel size taken for the stride", START, lambda x, k, s: norm_pool(x, k, k)),
    ]
    known = (torch.tensor([[3.0, 0, 6], [4, 0, 8]]), 2, 1)  # 5 and 10
    sizes = [(4, 4, 2, 2), *product((5, 6), (7,), (2, 3), (1, 2, 3))]
    drawn = [(whole_numbers(h + k, h, w), k, s) for h, w, k, s in sizes]
    todo = cases("image kernel_size stride", known, *drawn)
    return compare("l2_pool2d", l2_pool2d, norm_pool, todo, mistakes)


def check_max_pool_backward(max_pool_backward: Callable) -> Verdict:
    """The gradient that max pooling hands back to its input. Difficulty 3 of 5, 20 minutes.

    ``max_pool_backward(image [H, W], gradient [H', W'], kernel_size, stride) -> [H, W]`` beside autograd's. No two
    numbers of an image are equal.
    """
    winner = "Only the largest number of a window gets the window's gradient."
    ones = torch.ones_like
    mistakes = [
        Mistake("overlaps overwritten", "A number may win two windows: +=.", torch_says.gradient_overwriting),
        Mistake("shared by the window", winner, partial(pool_gradient, pool=average)),
        Mistake("given to the whole window", winner, lambda x, g, k, s: pool_gradient(x, g, k, s, pool=average) * k**2),
        Mistake("ones for the gradient", "Pass gradient[i, j] on.", lambda x, g, k, s: pool_gradient(x, ones(g), k, s)),
        Mistake("given to the smallest", winner, lambda x, g, k, s: pool_gradient(-x, g, k, s)),
        Mistake("times the input", "The gradient of a maximum is 1.", lambda x, g, k, s: pool_gradient(x, g, k, s) * x),
    ]
    sizes = [(2, 2, 2, 2), (4, 4, 2, 2), (3, 4, 2, 1), (5, 5, 3, 2), *product((5, 6), (7,), (2, 3), (1, 2))]
    drawn = []
    for h, w, k, s in sizes:
        image = _different(h * w, h, w)
        drawn.append((image, whole_numbers(h + w, *largest(image, k, s).shape), k, s))
    todo = cases("image gradient kernel_size stride", *drawn)
    return compare("max_pool_backward", max_pool_backward, pool_gradient, todo, mistakes)


def check_seen_pixels(seen_pixels: Callable) -> Verdict:
    """First and last pixel that a number of the last layer sees. Difficulty 3 of 5, 15 minutes.

    ``seen_pixels(layers, position) -> (first, last)`` along one side; a layer is (kernel_size, stride, padding,
    dilation), the first layer lies on the image. Pixels before the image, in the padding, are negative.
    """
    back = "Begin with the last layer and go back to the image: reversed(layers)."
    start = "Number i of a layer starts to read at i * stride - padding."
    end = "A window ends dilation * (kernel_size - 1) after it starts."
    mistakes = [
        Mistake("from the image up", back, partial(pixels, order=list)),
        Mistake("padding ignored", start, partial(pixels, padding=0)),
        Mistake("padding added", start, partial(pixels, padding=-1)),
        Mistake("padding at the start only", "Padding shifts the whole window.", torch_says.pixels_padded_before),
        Mistake("stride ignored", start, partial(pixels, step=0)),
        Mistake("dilation ignored", end, partial(pixels, reach=lambda k, d: k - 1)),
        Mistake("one pixel too far", end, partial(pixels, reach=lambda k, d: d * k), partial(pixels, extra=1)),
        Mistake("size for the last pixel", "Return (first, last).", _first_and_size),
    ]
    stacks = [
        [(3, 1, 0, 1)],
        [(3, 2, 0, 1)],
        [(3, 1, 1, 1), (3, 1, 1, 1), (3, 1, 1, 1)],
        [(3, 1, 1, 1), (2, 2, 0, 1)],
        [(7, 2, 3, 1), (3, 2, 1, 1)],
        [(3, 1, 0, 1), (3, 1, 0, 2), (3, 1, 0, 4)],
        [(5, 1, 2, 1), (2, 2, 0, 1), (5, 1, 0, 1), (2, 2, 0, 1)],
        [(3, 2, 1, 2), (3, 1, 2, 2), (2, 2, 0, 1), (3, 2, 0, 3)],
    ]
    todo = cases("layers position", *[(layers, position) for layers in stacks for position in (0, 1, 5)])
    return compare("seen_pixels", seen_pixels, pixels, todo, mistakes)


def check_first_to_see(first_to_see: Callable) -> Verdict:
    """The first layer whose field is as large as something in the image. Difficulty 2 of 5, 10 minutes.

    ``first_to_see(layers, size) -> int``: layers are (kernel_size, stride), counted from 1; 0 where no field reaches
    ``size`` pixels.
    """
    numbered = "The first layer is layer 1."

    def answer(layers, size, counted=None, **options):
        return first_at_least(fields(layers, **options), size, **(counted or {}))

    mistakes = [
        Mistake("counted from 0", numbered, partial(answer, counted={"counted_from": 0, "none": -1})),
        Mistake("counted from 0", numbered, partial(answer, counted={"counted_from": 0})),
        Mistake(
            "larger asked for",
            "A field of exactly size pixels is enough (>=), and a number sees 1 pixel before the first layer.",
            partial(answer, counted={"more": True}),
        ),
        Mistake("last layer for none", "Return 0 where none reaches it.", lambda x, n: answer(x, n) or len(x)),
        Mistake("jump forgotten", JUMP, partial(answer, jump=False)),
        Mistake(
            "stride too early", "A layer's own stride widens the layers after it. " + JUMP, partial(answer, early=True)
        ),
        Mistake("kernel for kernel less one", JUMP, partial(answer, whole=True)),
    ]
    vgg = [(3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (2, 2), (3, 1), (3, 1), (3, 1), (2, 2)]
    stacks = [
        [(3, 1)] * 3,
        vgg,
        [(11, 4), (3, 2), (5, 1), (3, 2)],
        [(5, 1), (2, 2), (5, 1), (2, 2)],
        [(1, 1), (3, 2)] * 3,
    ]
    sizes = (1, 3, 5, 6, 7, 12, 16, 19, 32, 40, 51, 60, 224)
    todo = cases("layers size", *[(layers, size) for layers in stacks for size in sizes])
    return compare("first_to_see", first_to_see, answer, todo, mistakes)


def check_branch_field(branch_field: Callable) -> Verdict:
    """The field of a network with branches and shortcuts. Difficulty 4 of 5, 20 minutes.

    ``branch_field(layers) -> int``: a layer is (kernel_size, stride), or a list of branches, each a list of such
    layers; [] is a shortcut. Branches of one list have the same strides in all, and their kernels are odd and centred.
    """
    longest = "A number sees what any way to it sees: the branch that adds most counts."
    mistakes = [
        Mistake("shortest way", longest, partial(field_of_ways, choose=min)),
        Mistake("branches added up", longest, partial(field_of_ways, choose=sum)),
        Mistake("first branch only", longest, partial(field_of_ways, choose=lambda ways: ways[0])),
        Mistake("last branch only", longest, partial(field_of_ways, choose=lambda ways: ways[-1])),
        Mistake("branches left out", longest, _without_branches),
        Mistake(
            "strides of branches forgotten",
            "After the branches the jump is larger.",
            partial(field_of_ways, strides=lambda ways: ways[0] if len(ways) == 1 else []),
        ),
        Mistake(
            "strides of all branches multiplied",
            "Branches lie side by side: one's strides.",
            partial(field_of_ways, strides=partial(sum, start=[])),
        ),
    ]
    inception = [[(1, 1)], [(1, 1), (3, 1)], [(1, 1), (5, 1)], [(3, 1), (1, 1)]]
    residual, down = [[(3, 1), (3, 1)], []], [[(3, 2), (3, 1)], [(1, 2)]]
    stacks = [
        [(3, 1), residual],
        [(7, 2), residual, down, residual],
        [(3, 1), inception, (3, 1)],
        [(7, 2), (3, 2), inception, inception, (3, 2), inception],
        [down, down, (3, 1)],
        [[[], [(5, 1)]], (3, 2), [[(3, 1)], [(1, 1)]], (3, 1)],
    ]
    return compare("branch_field", branch_field, field_of_ways, cases("layers", *[(s,) for s in stacks]), mistakes)


def check_wide_stack(wide_stack: nn.Module) -> Verdict:
    """A stack that sees 41 x 41 pixels with at most 40 weights. Difficulty 4 of 5, 20 minutes.

    An nn.Module, images [N, 1, H, W] -> [N, 1, H', W'], of nn.Conv2d with one channel in and one out (biases are not
    counted). One number for each pixel (jump 1), and no pixel of the 41 x 41 that is skipped.
    """
    if wide_stack is ...:
        return fail("wide_stack", "not written yet", "Put your layers in the place of the three dots.")
    if not isinstance(wide_stack, nn.Module):
        return fail("wide_stack", "not a module", f"Pass an nn.Module, not {show(wide_stack)}.")
    if fault := _stack_fault(wide_stack):
        return fail("wide_stack", *fault)
    try:
        facts = stack_facts(wide_stack)
    except (ValueError, RuntimeError) as error:
        return fail("wide_stack", "does not run", " ".join(str(error).split()))
    if facts["jump"] != 1:
        return fail("wide_stack", "strides used", f"The jump is {facts['jump']}: only one number in so many is kept.")
    if facts["field"] == WIDE["field"] and (missing := WIDE["pixels that count"] - facts["pixels that count"]) > 0:
        advice = (
            f"{missing} of the 41 x 41 pixels lie in holes. How far apart may a layer look, after what it looks at?"
        )
        return fail("wide_stack", "gaps", advice)
    return compare("wide_stack", facts.get, WIDE.get, cases("quantity", *[(name,) for name in WIDE]))


def _stack_fault(module: nn.Module) -> tuple[str, str] | None:
    """What keeps a module from being a stack of one-channel convolutions within the budget."""
    layers = [layer for layer in module.modules() if not list(layer.children())]
    for layer in layers:
        if not isinstance(layer, nn.Conv2d):
            return "not only convolutions", f"Leave out {type(layer).__name__}: this is about nn.Conv2d alone."
        if (layer.in_channels, layer.out_channels) != (1, 1):
            return "more than one channel", f"{layer} should have in_channels=1 and out_channels=1."
    weights = sum(layer.weight.numel() for layer in layers)
    if weights > LARGEST_STACK:
        return "too many weights", f"{weights} weights, without biases; {LARGEST_STACK} are allowed."
    return None


def _first_and_size(layers, position):
    first, last = pixels(layers, position)
    return first, last - first + 1


def _without_branches(layers):
    return fields([layer for layer in layers if isinstance(layer, tuple)] or [(1, 1)])[-1]


def _different(seed: int, h: int, w: int) -> Tensor:
    """A float image of whole numbers, no two of them equal."""
    return (torch.randperm(h * w, generator=torch.Generator().manual_seed(seed)) - h * w // 2).float().view(h, w)
