"""The exercises of chapter 03: right answers pass, and each wrong one is called by its own name."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.analysis import layer_table, receptive_field
from cnnviz.exercises import ch03
from cnnviz.exercises.ch03_answers import field_of_ways, fields, pixels
from cnnviz.models.googlenet import Inception

from .solutions import rewritten

LAST = "(windows - 1) * stride >= size + padding"
NORM = "(window**2).sum().sqrt()"
PLACE = "result[top + row, left + column] += gradient[i, j]"
WINDOW = "result[top : top + kernel_size, left : left + kernel_size]"
KEEP = "widest = max(widest, grown)"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("pooled_size", "ceil mode ignored", "if not ceil_mode", "if True"),
    ("pooled_size", "always rounded up", "if not ceil_mode", "if False"),
    ("pooled_size", "ceil mode reversed", "if not ceil_mode", "if ceil_mode"),
    ("pooled_size", "window behind the image", LAST, "False"),
    ("pooled_size", "padding ignored", "    room", "    padding = 0\n    room"),
    ("pooled_size", "padding on one side only", "2 * padding", "padding", LAST, "False"),
    ("pooled_size", "first window forgotten", "room // stride + 1", "room // stride",
     "math.ceil(room / stride) + 1", "math.ceil(room / stride)", LAST, "False"),
    ("pooled_size", "divided by the stride", "room = size + 2 * padding - kernel_size", "return size // stride"),
    ("l2_pool2d", "mean for sum", ".sum()", ".mean()"),
    ("l2_pool2d", "root forgotten", ".sqrt()", ""),
    ("l2_pool2d", "sum without squares", NORM, "window.abs().sum()"),
    ("l2_pool2d", "square of the sum", NORM, "(window.sum() ** 2).sqrt()"),
    ("l2_pool2d", "maximum for norm", NORM, "window.max()"),
    ("l2_pool2d", "maximum for norm", NORM, "window.abs().max()"),
    ("l2_pool2d", "stride ignored", "    height, width", "    stride = 1\n    height, width"),
    ("l2_pool2d", "kernel size taken for the stride",
     "    height, width", "    stride = kernel_size\n    height, width"),
    ("max_pool_backward", "overlaps overwritten", "+=", "="),
    ("max_pool_backward", "shared by the window", PLACE, f"{WINDOW} += gradient[i, j] / kernel_size**2"),
    ("max_pool_backward", "given to the whole window", PLACE, f"{WINDOW} += gradient[i, j]"),
    ("max_pool_backward", "ones for the gradient", "gradient[i, j]", "1"),
    ("max_pool_backward", "given to the smallest", "argmax", "argmin"),
    ("max_pool_backward", "times the input", "gradient[i, j]", "gradient[i, j] * window.max()"),
    ("seen_pixels", "from the image up", "reversed(layers)", "layers"),
    ("seen_pixels", "padding ignored", " - padding", ""),
    ("seen_pixels", "padding added", "- padding", "+ padding"),
    ("seen_pixels", "padding at the start only", "- padding + dilation", "+ dilation"),
    ("seen_pixels", "stride ignored", " * stride", ""),
    ("seen_pixels", "dilation ignored", "dilation * ", ""),
    ("seen_pixels", "one pixel too far", "dilation * (kernel_size - 1)", "dilation * kernel_size"),
    ("seen_pixels", "one pixel too far", "return first, last", "return first, last + 1"),
    ("seen_pixels", "size for the last pixel", "return first, last", "return first, last - first + 1"),
    ("first_to_see", "counted from 0", "enumerate(layers, 1)", "enumerate(layers)"),
    ("first_to_see", "counted from 0", "enumerate(layers, 1)", "enumerate(layers)", "return 0", "return -1"),
    ("first_to_see", "larger asked for", "field >= size", "field > size"),
    ("first_to_see", "last layer for none", "return 0", "return len(layers)"),
    ("first_to_see", "jump forgotten", " * jump", ""),
    ("first_to_see", "stride too early", "(kernel_size - 1) * jump", "(kernel_size - 1) * jump * stride"),
    ("first_to_see", "kernel for kernel less one", "(kernel_size - 1)", "kernel_size"),
    ("first_to_see", "larger asked for", "field, jump = 1, 1", "field, jump = 0, 1"),
    ("branch_field", "shortest way", "widest = 0", "widest = 10**9", "max(", "min("),
    ("branch_field", "branches added up", KEEP, "widest += grown"),
    ("branch_field", "first branch only", "in branches:", "in branches[:1]:"),
    ("branch_field", "last branch only", "in branches:", "in branches[-1:]:"),
    ("branch_field", "branches left out",
     "for layer in layers", "for layer in [e for e in layers if type(e) is tuple]"),
    ("branch_field", "strides of branches forgotten",
     "field + widest, step", "field + widest, jump if isinstance(layer, list) else step"),
    ("branch_field", "strides of all branches multiplied", "field, jump = field + widest, step",
     "field = field + widest\n        for _, stride in sum(branches, []):\n            jump *= stride"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch03, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_pooling_as_torch_counts_it():
    verdict = ch03.check_pooled_size(
        lambda n, k, s, p, up: F.max_pool2d(torch.zeros(1, 1, n, n), k, s, p, 1, up).shape[-1]
    )
    assert verdict.passed
    assert verdict.message == "right in all 60 cases."


def test_a_layer_is_shown_as_the_learner_would_type_it():
    verdict = ch03.check_seen_pixels(lambda layers, position: (position, position))
    assert "layers = [(3, 1, 0, 1)], position = 0" in repr(verdict)
    verdict = ch03.check_branch_field(lambda layers: 1)
    assert "layers = [(3, 1), [[(3, 1), (3, 1)], []]]" in repr(verdict)


def random_layers(draw):
    """Three layers (kernel_size, stride, padding, dilation)."""
    return [(draw.randint(1, 4), draw.randint(1, 2), draw.randint(0, 2), draw.randint(1, 2)) for _ in range(3)]


@pytest.mark.parametrize("seed", range(20))
def test_seen_pixels_are_those_that_get_a_gradient(seed):
    draw = random.Random(seed)
    layers = random_layers(draw)
    row = torch.zeros(1, 1, 80, requires_grad=True)
    y = row
    for k, s, p, d in layers:
        y = F.conv1d(y, torch.ones(1, 1, k), None, s, p, d)
    position = y.shape[-1] // 2
    [gradient] = torch.autograd.grad(y[0, 0, position], row)
    seen = gradient[0, 0].nonzero().flatten()
    assert pixels(layers, position) == (seen[0], seen[-1])


@pytest.mark.parametrize("seed", range(5))
def test_fields_are_those_of_the_layer_table(seed):
    layers = [(k, s) for k, s, _, _ in random_layers(random.Random(seed))]
    table = layer_table(nn.Sequential(*[nn.Conv2d(1, 1, k, s) for k, s in layers]), (1, 64, 64))
    assert fields(layers) == [row.receptive_field[0] for row in table.rows]


def test_a_field_with_branches_is_that_of_the_layer_table():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), Inception(8, 4, 4, 4, 4, 4, 4))
    branches = [[(1, 1)], [(1, 1), (3, 1)], [(1, 1), (5, 1)], [(3, 1), (1, 1)]]
    assert field_of_ways([(3, 2), branches]) == receptive_field(model, "1", input_size=(3, 32, 32)).size[0] == 11


def stack(*layers, **options):
    return nn.Sequential(*[nn.Conv2d(1, 1, k, dilation=d, **options) for k, d in layers])


WIDE = {
    "not a module": [(3, 1), (3, 2)],
    "not only convolutions": nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU()),
    "more than one channel": nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3)),
    "too many weights": stack(*[(3, 1)] * 15),
    "does not run": stack((3, 1), (3, 70)),
    "strides used": stack((3, 1), (3, 1), (3, 1), (3, 1), stride=2),
    "gaps": stack((3, 5), (3, 5), (3, 5), (3, 5)),
    "wrong values": stack((3, 1), (3, 2), (3, 4), (3, 7)),
}


@pytest.mark.parametrize("mistake", WIDE)
def test_a_stack_that_does_not_do_is_called_by_its_mistake(mistake):
    assert ch03.check_wide_stack(WIDE[mistake]).mistake == mistake


@pytest.mark.parametrize("dilations", [(1, 3, 9, 7), (7, 9, 3, 1), (1, 2, 6, 11)])
def test_several_stacks_do(dilations):
    model = stack(*[(3, d) for d in dilations], padding=1)
    before = [p.clone() for p in model.parameters()]
    assert ch03.check_wide_stack(model).passed
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_the_wrong_stack_is_shown_with_its_number():
    verdict = ch03.check_wide_stack(stack((3, 1), (3, 2), (3, 4), (3, 7)))
    assert verdict.given == {"quantity": "field"}
    assert (verdict.expected, verdict.got) == (41, 29)
