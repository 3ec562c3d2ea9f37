"""The network of the experiments: one switch for each decision, and each changes what it says and nothing else."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnnviz.analysis import layer_table
from cnnviz.models import laboratory
from cnnviz.models.laboratory import LabNet, lab_net

SWITCHES = {
    "down": laboratory.DOWN,
    "head": laboratory.HEADS,
    "activation": tuple(laboratory.ACTIVATIONS),
    "norm": (True, False),
    "kind": laboratory.KINDS,
    "kernel_sizes": ((3,), (7,), (3, 3, 3), (1, 5)),
    "dropout": (0.0, 0.5),
    "width": (0.25, 2.0),
}
EVERY = [(name, value) for name, values in SWITCHES.items() for value in values]


def counts(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_its_docstring_counts_it():
    model = lab_net()
    rows = [line.split("|") for line in laboratory.__doc__.splitlines() if line.startswith("| ")][2:]
    told = {row[1].strip(): int(row[3].replace(",", "")) for row in rows}
    assert told.pop("all") == counts(model)
    assert told == {name: counts(part) for name, part in model.named_children()}
    x, shapes = torch.zeros(1, 3, 32, 32), []
    for part in model.children():
        x = part(x)
        shapes.append(" x ".join(map(str, x.shape[1:])))
    assert shapes == [row[2].strip() for row in rows[:-1]]


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_every_form_returns_logits_and_sends_a_gradient_to_its_first_layer(name, value):
    model = lab_net(7, 1, image_size=24, **{name: value})
    logits = model(torch.randn(4, 1, 24, 24))
    assert logits.shape == (4, 7)
    logits.square().sum().backward()
    assert next(model.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize(("name", "value"), EVERY)
def test_torch_counts_as_many_operations_as_the_table(name, value):
    model = lab_net(**{name: value}).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 32, 32))
    assert counter.get_total_flops() == 2 * layer_table(model, 32).mult_adds


def test_seven_by_seven_and_three_times_three_by_three_see_as_far():
    one, three = lab_net(kernel_sizes=(7,)), lab_net(kernel_sizes=(3, 3, 3))
    field = {name: layer_table(model, 32) for name, model in (("one", one), ("three", three))}
    last = [max(row.receptive_field[0] for row in table.rows if row.receptive_field) for table in field.values()]
    assert last[0] == last[1]


def test_a_strided_convolution_halves_as_pooling_does():
    x = torch.randn(2, 3, 32, 32)
    for down in laboratory.DOWN:
        assert lab_net(down=down).stage1(x).shape == (2, 32, 16, 16)


def test_the_flat_head_has_a_weight_for_every_pixel():
    assert lab_net(head="flatten").head[-1].in_features == 16 * lab_net(head="average").head[-1].in_features


@pytest.mark.parametrize("name", ["down", "head", "activation", "kind"])
def test_another_choice_is_refused_with_those_that_there_are(name):
    with pytest.raises(ValueError, match=rf"{name} \(='no such'\) must be one of .*{SWITCHES[name][0]}"):
        LabNet(**{name: "no such"})
