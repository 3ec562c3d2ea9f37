"""The tree of parts, the tensors between them and their costs, for every network of the zoo and for odd ones."""

import linecache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.analysis.architecture import SUMS, architecture, source
from cnnviz.analysis.layer_table import layer_table
from cnnviz.models import create_model, list_models


def meta(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def check_graph(part):
    """Every tensor comes from somewhere and goes somewhere, forwards; the sums of the parts are those of the whole."""
    for measure in SUMS:
        assert getattr(part, measure) == sum(getattr(inner, measure) for inner in part.parts)
    assert len({inner.name for inner in part.parts}) == len(part.parts)
    reached = {-1 - k for k in range(len(part.input_shapes))}
    assert {edge.source for edge in part.edges if edge.source < 0} == reached
    assert {edge.target for edge in part.edges if edge.target < 0} == {-1 - k for k in range(len(part.output_shapes))}
    for number, inner in enumerate(part.parts):
        into = [edge for edge in part.edges if edge.target == number]
        out = [edge for edge in part.edges if edge.source == number]
        if not inner.runs:
            assert not into
            assert not out
            assert inner.parameters > 0
            continue
        assert all(edge.source < number for edge in into)
        assert any(edge.source in reached for edge in into)
        assert out
        reached.add(number)
        if inner.kind in ("add", "cat"):
            assert len(into) >= 2 or len(inner.input_shapes) == 1  # x + x, x + 1
        assert {edge.shape for edge in into} == set(inner.input_shapes)
        assert {edge.shape for edge in out} <= set(inner.output_shapes)


@pytest.mark.parametrize("name", list_models())
def test_every_model_of_the_zoo_hangs_together(name):
    model = meta(name)
    shown = architecture(model)
    assert len(shown.parts) == len(list(shown.top.walk()))  # no name twice
    assert shown.top.parameters == sum(parameter.numel() for parameter in model.parameters())
    for part in shown.top.walk():
        if part.parts:
            check_graph(part)
    for path, module in model.named_modules():
        if path in shown.parts and shown.parts[path].runs:
            assert shown.parts[path].kind == type(module).__name__
            assert shown.parts[path].module is module


@pytest.mark.parametrize(
    "name", ["lenet5_1998", "vgg11", "googlenet", "resnet50", "plain18", "densenet_bc100", "nasnet_mobile", "xception"]
)
def test_numbers_are_those_of_the_layer_table(name):
    model = meta(name)
    shown, table = architecture(model), layer_table(model)
    for measure in SUMS:
        assert getattr(shown.top, measure) == getattr(table, measure)
    for stage in table.stages:
        for measure in SUMS:
            assert sum(getattr(part, measure) for part in shown.top.parts if part.label == stage.name) == getattr(
                stage, measure
            )
    again = 0
    for row in table.rows:
        if not row.output_shapes or row.name not in shown.parts:
            continue
        part = shown[row.name]
        for field in (*SUMS, "kernel_size", "stride", "dilation", "groups", "receptive_field", "jump", "kind"):
            assert getattr(part, field) == getattr(row, field)
        assert part.output_shapes == row.output_shapes
        assert part.input_shapes == row.input_shapes
        again += 1
    assert again > 0.9 * sum(bool(row.output_shapes) for row in table.rows)


def edges_of(part):
    labels = [inner.label for inner in part.parts]

    def name(end, side):
        return labels[end] if end >= 0 else f"{side}{-1 - end}"

    return {(name(edge.source, "in"), name(edge.target, "out")) for edge in part.edges}


def test_an_identity_shortcut_goes_past_the_residual():
    block = architecture(meta("resnet18"))["stage1.0"]
    assert edges_of(block) == {
        ("in0", "pre"), ("pre", "shortcut"), ("pre", "residual"), ("shortcut", "add"), ("residual", "add"),
        ("add", "post"), ("post", "out0"),
    }  # fmt: skip
    assert block.receptive_field == (27, 27)


def test_branches_stand_side_by_side_and_unused_heads_are_named():
    shown = architecture(meta("googlenet"))
    branches = ("branch1x1", "branch3x3", "branch5x5", "branch_pool")
    assert edges_of(shown["inception3a"]) == {
        *(("in0", branch) for branch in branches),
        *((branch, "cat") for branch in branches),
        ("cat", "out0"),
    }
    assert [part.name for part in shown.top.parts if not part.runs] == ["aux1", "aux2"]
    assert shown["aux1"].parameters == 3_188_840
    assert shown["inception4a"].input_shapes == ((1, 480, 14, 14),)


def test_a_cell_of_nasnet_takes_what_the_two_before_it_give():
    stage = architecture(meta("nasnet_mobile"))["stage3"]
    assert {("cells.1", "cells.2"), ("cells.2", "cells.3"), ("cells.1", "cells.3")} <= edges_of(stage)


class Odd(nn.Module):
    """Two inputs, a dict of outputs, a layer used three times, one never, a parameter of its own, a split."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.spare = nn.Linear(8, 8), nn.Linear(8, 8), nn.Sequential(nn.Linear(3, 3))
        self.scale = nn.Parameter(torch.ones(8))
        self.lost = nn.Parameter(torch.ones(5))

    def forward(self, x, y):
        for _ in range(3):
            x = self.a(x)
        left, right = (x * self.scale).chunk(2, -1)
        return {"sum": self.b(x) + y, "left": left.sum(), "right": right}


def test_a_learners_model_with_several_inputs_and_outputs():
    shown = architecture(Odd(), [(8,), (8,)])
    assert edges_of(shown.top) == {
        ("in0", "a"), ("a", "a_1"), ("a_1", "a_2"), ("a_2", "mul"), ("a_2", "b"), ("mul", "chunk"), ("chunk", "sum"),
        ("chunk", "out2"), ("b", "add"), ("in1", "add"), ("add", "out0"), ("sum", "out1"),
    }  # fmt: skip
    assert [shown[name].parameters for name in ("a", "a_1", "a_2", "mul", "spare", "unused")] == [72, 0, 0, 8, 12, 5]
    assert [shown[name].again for name in ("a", "a_1", "a_2")] == [False, True, True]
    assert shown.top.parameters == sum(parameter.numel() for parameter in Odd().parameters())
    assert "72 parameters" in repr(shown["a"])
    assert "Odd: " in repr(shown)
    with pytest.raises(ValueError, match="Odd has no part 'c'; it begins with a, a_1"):
        shown["c"]


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x):
        return F.relu_(self.conv(x))


class Siamese(nn.Module):
    """One tower run on two images; the tower ends in a function that overwrites."""

    def __init__(self):
        super().__init__()
        self.tower, self.spare = Inner(), nn.Identity()

    def forward(self, one, two):
        return self.spare(self.tower(one)) - self.tower(two)


def test_a_tower_that_runs_twice_is_two_parts():
    shown = architecture(Siamese(), [(2, 8, 8), (2, 8, 8)])
    assert edges_of(shown.top) == {
        ("in0", "tower"), ("in1", "tower_1"), ("tower", "spare"), ("spare", "sub"), ("tower_1", "sub"), ("sub", "out0"),
    }  # fmt: skip
    assert (
        edges_of(shown["tower"]) == edges_of(shown["tower_1"]) == {("in0", "conv"), ("conv", "relu"), ("relu", "out0")}
    )
    assert (shown["tower"].parameters, shown["tower_1"].parameters) == (38, 0)
    assert shown["tower"].mult_adds == shown["tower_1"].mult_adds == 64 * 2 * 2 * 9


def test_a_view_that_is_overwritten_and_a_list_of_maps():
    class Views(nn.Module):
        def forward(self, x):
            half = x[:, :4]
            half.mul_(2)
            maps = [x]
            for _ in range(2):
                maps.append(torch.cat(maps, 1))
            return torch.cat(maps, 1)

    shown = architecture(Views(), (8,))
    assert edges_of(shown.top) == {
        ("in0", "getitem"), ("getitem", "mul"), ("mul", "cat"), ("mul", "cat_1"), ("cat", "cat_1"), ("mul", "cat_2"),
        ("cat", "cat_2"), ("cat_1", "cat_2"), ("cat_2", "out0"),
    }  # fmt: skip


def test_a_single_layer_and_what_cannot_run():
    shown = architecture(nn.Conv2d(3, 4, 3), (3, 8, 8))
    assert [part.kind for part in shown.top.parts] == ["Conv2d"]
    assert shown.top.parameters == 112
    with pytest.raises(ValueError, match="does not run with inputs of shape"):
        architecture(nn.Conv2d(3, 4, 3), (2, 8, 8))
    with pytest.raises(TypeError, match="Module"):
        architecture("resnet50")


def test_the_source_of_a_class_also_of_one_from_a_cell():
    assert source(Inner()).startswith("class Inner(nn.Module):")
    assert "class Conv2d" in source(nn.Conv2d)
    lines = [
        "import torch",
        "",
        "@staticmethod",
        "def f(): pass",
        "",
        "class Mine(torch.nn.Module):",
        "    size = 3",
        "",
    ]
    lines += ["    def forward(self, x):", "        return x + self.size", "", "later = 1", ""]
    cell = "\n".join(lines)
    names = {"__name__": "__main__"}
    exec(compile(cell, "<cell 7>", "exec"), names)
    assert source(names["Mine"]) is None  # nothing knows its text
    linecache.cache["<cell 8>"] = (len(cell), None, cell.splitlines(keepends=True), "<cell 8>")
    exec(compile(cell, "<cell 8>", "exec"), names)
    try:
        assert source(names["Mine"]) == "".join(cell.splitlines(keepends=True)[5:10])
    finally:
        del linecache.cache["<cell 8>"]
