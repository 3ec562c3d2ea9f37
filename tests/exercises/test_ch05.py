"""The exercises of chapter 05: right answers pass, each wrong one is called by its own name, a module is left alone."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.exercises import ch05
from cnnviz.models import lenet5, lenet5_1998

from .solutions import rewritten, run

C1 = "nn.Conv2d(1, 6, kernel_size=5, padding=2)"
POOL, OUTPUT = "nn.MaxPool2d(2)", "nn.Linear(84, 10)"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("layer_shapes", "padding forgotten", "28, 28", "24, 24", "14, 14", "12, 12", "10, 10", "8, 8", "5, 5", "4, 4"),
    ("layer_shapes", "padding in c3", "10, 10", "14, 14", "5, 5", "7, 7"),
    ("layer_shapes", "one pixel lost", "28, 28", "27, 27", "14, 14", "13, 13", "10, 10", "8, 8", "5, 5", "4, 4"),
    ("layer_shapes", "one pixel lost", "10, 10", "9, 9", "5, 5", "4, 4"),
    ("layer_shapes", "pooling forgotten", "14, 14", "28, 28", "10, 10", "24, 24", "5, 5", "24, 24"),
    ("layer_shapes", "pooling forgotten", "14, 14", "28, 28", "5, 5", "10, 10"),
    ("layer_shapes", "channels last",
     "6, 28, 28", "28, 28, 6", "6, 14, 14", "14, 14, 6", "16, 10, 10", "10, 10, 16", "16, 5, 5", "5, 5, 16"),
    ("layer_shapes", "channels forgotten", "16, ", "", "6, ", ""),
    ("layer_shapes", "images counted", "(", "(1, "),
    ("layer_parameters", "bias forgotten",
     "5 * 5 + 1)", "5 * 5)", "* 2", "", "60 * 5 * 5 + 16", "60 * 5 * 5", "120 + 1", "120"),
    ("layer_parameters", "bias forgotten", "5 * 5 + 1)", "5 * 5)", "60 * 5 * 5 + 16", "60 * 5 * 5", "120 + 1", "120"),
    ("layer_parameters", "pooling without parameters", '"s2": 6 * 2', '"s2": 0', '"s4": 16 * 2', '"s4": 0'),
    ("layer_parameters", "c3 fully connected", "60 * 5 * 5 + 16", "16 * (6 * 5 * 5 + 1)"),
    ("layer_parameters", "modern LeNet",
     '"s2": 6 * 2', '"s2": 0', '"s4": 16 * 2', '"s4": 0', "60 * 5 * 5 + 16", "16 * (6 * 5 * 5 + 1)"),
    ("layer_parameters", "one bias a connection", "60 * 5 * 5 + 16", "60 * (5 * 5 + 1)"),
    ("layer_parameters", "connections counted",
     "6 * (1 * 5 * 5 + 1)", "28 * 28 * 6 * (5 * 5 + 1)", '"s2": 6 * 2', '"s2": 14 * 14 * 6 * 5',
     "60 * 5 * 5 + 16", "10 * 10 * (60 * 5 * 5 + 16)", '"s4": 16 * 2', '"s4": 5 * 5 * 16 * 5'),
    ("first_block", "activation forgotten", "nn.ReLU(), ", ""),
    ("first_block", "other activation", "nn.ReLU", "nn.Tanh"),
    ("first_block", "other activation", "nn.ReLU", "nn.Sigmoid"),
    ("first_block", "average pooling", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("first_block", "form of 1998", "nn.ReLU", "nn.Tanh", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("first_block", "form of 1998", "nn.ReLU", "nn.Sigmoid", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("first_block", "pooling forgotten", ", nn.MaxPool2d(2)", ""),
    ("first_block", "stride for pooling", ", nn.MaxPool2d(2)", "", "padding=2", "padding=2, stride=2"),
    ("first_block", "padding forgotten", ", padding=2", ""),
    ("first_block", "bias forgotten", "padding=2", "padding=2, bias=False"),
    ("first_block", "layer c1 is wrong", "kernel_size=5", "kernel_size=3"),
    ("first_block", "layer c1 is wrong", "(1, 6", "(3, 6"),
    ("first_block", "layer c1 is wrong", "(1, 6", "(1, 16"),
    ("first_block", "layer c1 is wrong", "nn.Conv2d(1, 6, kernel_size", "nn.LazyConv2d(6, kernel_size"),
    ("first_block", "layer c1 is missing", C1 + ", ", ""),
    ("first_block", "too many parameters", POOL, POOL + ", nn.Conv2d(6, 16, kernel_size=5)"),
    ("lenet", "softmax at the end", "flatten(1))", "flatten(1)).softmax(1)"),
    ("lenet", "softmax at the end", "flatten(1))", "flatten(1)).log_softmax(1)"),
    ("lenet", "activation at the end", OUTPUT, OUTPUT + ", nn.ReLU()"),
    ("lenet", "activation forgotten", "nn.ReLU()", "nn.Identity()"),
    ("lenet", "activation forgotten", C1 + ",\n            nn.ReLU(),", C1 + ","),
    ("lenet", "activation forgotten", "5, 120), nn.ReLU()", "5, 120)"),
    ("lenet", "activation forgotten", "120, 84), nn.ReLU()", "120, 84)"),
    ("lenet", "other activation", "nn.ReLU", "nn.Tanh"),
    ("lenet", "other activation", "nn.ReLU", "nn.Sigmoid"),
    ("lenet", "average pooling", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("lenet", "form of 1998", "nn.ReLU", "nn.Sigmoid", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("lenet", "layer c1 is wrong", "nn.Conv2d(1, 6", "nn.Conv2d(1, 5", "nn.Conv2d(6", "nn.Conv2d(5"),
    ("lenet", "layer c3 is wrong", "(6, 16, kernel_size=5)", "(6, 16, kernel_size=3)"),
    ("lenet", "layer c5 is wrong", "16 * 5 * 5", "16 * 4 * 4"),
    ("lenet", "layer f6 is missing", "120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)", "120)"),
    ("lenet", "layer output is wrong", "nn.Linear(84, 10)", "nn.Linear(84, 9)"),
    ("lenet", "layer output is missing", ", nn.Linear(84, 10)", ""),
    ("lenet", "bias forgotten", "nn.Linear(84, 10)", "nn.Linear(84, 10, bias=False)"),
    ("lenet", "too many parameters", "nn.Linear(84, 10)", "nn.Linear(84, 10), nn.Linear(10, 10)"),
    ("lenet", "raised an exception", ".flatten(1)", ""),
    ("lenet", "returned nothing", "return self", "self"),
    ("error_rate", "accuracy for error", "!=", "=="),
    ("error_rate", "percent", ".mean()", ".mean() * 100"),
    ("error_rate", "number of errors", ".mean()", ".sum()"),
    ("error_rate", "integer division", ".float().mean()", ".sum() // len(labels)"),
    ("error_rate", "smallest logit", "argmax", "argmin"),
    ("error_rate", "argmax over images", "dim=1", "dim=0"),
    ("error_rate", "one answer an image", ".mean()", ""),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch05, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_the_layer_that_is_wrong_is_shown_but_not_its_shape():
    verdict = ch05.check_layer_shapes(rewritten("layer_shapes", "16, 10, 10", "16, 12, 12"))
    assert str(verdict) == (
        "✗ layer_shapes: wrong values. 6 of 7 cases are right.\n  given     layer = 'c3'\n  got       (16, 12, 12)"
    )


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ({"C1": 156}, "unknown layer"),
        ({"c1": 156}, "not written yet"),
        ([156, 12], "not a table"),
        (None, "not a table"),
        ({**dict.fromkeys(["s2", "c3", "s4", "c5", "f6"], 1), "c1": "156"}, "wrong type"),
        ({**dict.fromkeys(["s2", "c3", "s4", "c5", "f6"], 1), "c1": None}, "returned nothing"),
    ],
)
def test_a_table_that_is_not_filled_in_is_told_so(table, mistake):
    assert ch05.check_layer_parameters(table).mistake == mistake


class OwnLeNet(nn.Module):
    """LeNet with layers in one list, c5 as a convolution, and ReLU after pooling, which is the same."""

    def __init__(self):
        super().__init__()
        convolutions = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.layers = nn.ModuleList([*convolutions, nn.Linear(120, 84), nn.Linear(84, 10)])
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x = F.max_pool2d(self.layers[0](F.pad(x, (2, 2, 2, 2))), 2).clamp(min=0)
        x = F.max_pool2d(self.layers[1](x), 2).clamp(min=0)
        x = self.dropout(F.relu(self.layers[2](x)).flatten(1))
        return self.layers[4](F.relu(self.layers[3](x)))


class OwnBlock(nn.Module):
    """The first block without a layer of torch's."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Parameter(torch.zeros(6, 1, 5, 5))
        self.bias = nn.Parameter(torch.zeros(6))

    def forward(self, x):
        return F.max_pool2d(F.conv2d(x, self.filters, self.bias, padding=2), 2).relu()


SHAPES_AS_LISTS = {"c1": [6, 28, 28], "s2": [6, 14, 14], "c3": [16, 10, 10], "s4": torch.Size([16, 5, 5])}
RIGHT = {
    "layer_shapes with lists": lambda: ch05.check_layer_shapes(
        SHAPES_AS_LISTS | {"c5": [120], "f6": [84], "output": [10]}
    ),
    "layer_shapes with c5 as a convolution": lambda: ch05.check_layer_shapes(
        {"output": (10,), "f6": (84,), "c5": (120, 1, 1), **SHAPES_AS_LISTS}
    ),
    "layer_parameters counted in the package's network": lambda: ch05.check_layer_parameters(
        {name: torch.tensor(sum(p.numel() for p in layer.parameters()))
         for name, layer in lenet5_1998().named_children() if name != "output"}
    ),
    "first_block with parameters of its own": lambda: ch05.check_first_block(OwnBlock()),
    "lenet of the package": lambda: ch05.check_lenet(lenet5()),
    "lenet with c5 as a convolution": lambda: ch05.check_lenet(OwnLeNet()),
    "error_rate by counting": lambda: ch05.check_error_rate(
        lambda logits, labels: sum(row.argmax() != y for row, y in zip(logits, labels, strict=True)) / len(labels)
    ),
    "error_rate as a float with sort": lambda: ch05.check_error_rate(
        lambda logits, labels: float((logits.sort(1).indices[:, -1] - labels).count_nonzero() / len(labels))
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_a_block_whose_weights_are_zero_is_judged_by_what_it_does():
    block = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.MaxPool2d(2))
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert ch05.check_first_block(block).mistake == "other activation"


class Counting(nn.Sequential):
    """Counts its calls in a buffer."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2))
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


def test_buffers_and_random_numbers_are_left_as_they_were():
    model, random_state = Counting(), torch.get_rng_state()
    assert ch05.check_first_block(model).passed
    assert model.calls == 0
    assert torch.equal(torch.get_rng_state(), random_state)


class Failing(OwnLeNet):
    def forward(self, x):
        self.layers[0](x)
        raise ZeroDivisionError("half way")


@pytest.mark.parametrize("build", [OwnLeNet, Failing])
def test_a_module_is_left_as_it_was(build):
    model = build()
    model.layers[0].eval()
    seen = []
    model.layers[1].register_forward_hook(lambda *_: seen.append(1))
    before = copy.deepcopy(model.state_dict())
    modes = [part.training for part in model.modules()]
    verdict = ch05.check_lenet(model)
    assert verdict.passed == (build is OwnLeNet)
    assert modes == [part.training for part in model.modules()]
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True] * 10
    assert all(p.grad is None for p in model.parameters())


def test_a_failing_module_shows_its_own_line():
    verdict = ch05.check_lenet(Failing())
    message = 'ZeroDivisionError: half way, at: raise ZeroDivisionError("half way")'
    assert verdict.message == f"raised an exception. {message}"


@pytest.mark.parametrize("value", [OwnLeNet, None, 3, "lenet", lambda x: x])
def test_what_is_no_module_is_told_so(value):
    assert ch05.check_lenet(value).mistake == "not a module"


def test_a_module_without_forward_is_written_but_has_no_layers():
    model = run(
        "model", "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n\n\nmodel = Net()"
    )
    assert ch05.check_lenet(model).mistake == "layer c1 is missing"
