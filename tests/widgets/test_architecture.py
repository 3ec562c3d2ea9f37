"""ArchitectureExplorer driven from Python: what it takes, what it refuses, what it tells the browser."""

import json

import pytest
import torch
from torch import nn

from cnnviz.analysis.layer_table import layer_table
from cnnviz.models import create_model
from cnnviz.widgets.architecture import MEASURES, ArchitectureExplorer
from cnnviz.widgets.explorer import IllegalSettingError

CONTROLS = ("part", "selected", "other_part", "other_selected", "depth", "measure")


def meta(name):
    with torch.device("meta"):
        return create_model(name)


@pytest.fixture(scope="module")
def pair():
    return meta("resnet18"), meta("googlenet")


def test_controls_are_traits_and_the_sentence_follows(pair):
    explorer = ArchitectureExplorer(pair[0], part="stage2", selected="stage2.0", depth=2, measure="activations")
    table = layer_table(pair[0])
    text = explorer.describe()
    assert f"{table.parameters:,} parameters, {table.mult_adds:,} mult-adds" in text
    assert "Shown: stage2, 2 parts; most parameters in 1 (56 %)" in text
    assert (
        "Selected: stage2.0 (BasicBlock), 64 × 56 × 56 in, 128 × 28 × 28 out: 230,144 parameters (2 % of all)" in text
    )
    explorer.selected = ""
    assert "Selected" not in explorer.describe()
    assert repr(explorer) == explorer.describe()
    assert explorer.architecture["stage2"].parameters == 525_568
    assert explorer.other_architecture is None


def test_two_models_have_controls_of_their_own(pair):
    explorer = ArchitectureExplorer(*pair, other_part="inception3a", other_selected="aux1")
    resnet, googlenet = explorer.describe().split(" GoogLeNet, ")
    assert resnet.startswith("ResNet, 3 × 224 × 224 in, 1000 out: 11,689,512 parameters")
    assert "Shown: inception3a, 5 parts; most parameters in branch3x3 (79 %)" in googlenet
    assert "aux1 (Sequential) does not run in evaluation mode; 3,188,840 parameters." in googlenet


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ({"part": "stage9"}, r"part='stage9': ResNet has no such part; there are stem, stage1"),
        ({"part": "stage1.7"}, r"part='stage1.7': stage1 has no such part; there are stage1.0, stage1.1"),
        ({"part": "stem.conv"}, r"part='stem.conv' is a Conv2d and has no parts to show"),
        ({"part": "stem.conv.x"}, r"stem.conv has no such part; there are no parts"),
        ({"selected": "nothing"}, r"selected='nothing': ResNet has no such part"),
        ({"other_part": "stem"}, r"other_part='stem', but there is no second model; give other="),
        ({"depth": 0}, r"depth=0 must lie in 1\.\.3"),
        ({"depth": 4}, r"depth=4 must lie in 1\.\.3"),
        ({"measure": "flops"}, "measure"),
        ({"part": 3}, "part"),
    ],
)
def test_a_wrong_control_is_refused_and_changes_nothing(pair, control, message):
    explorer = ArchitectureExplorer(pair[0], part="stage2", selected="stage2.1")
    before = [getattr(explorer, name) for name in CONTROLS]
    [(name, value)] = control.items()
    with pytest.raises(Exception, match=message) as raised:
        setattr(explorer, name, value)
    assert name == "measure" or value == 3 or isinstance(raised.value, IllegalSettingError)
    assert [getattr(explorer, name) for name in CONTROLS] == before
    with pytest.raises(ValueError if isinstance(raised.value, ValueError) else Exception, match=message):
        ArchitectureExplorer(pair[0], **control)


def test_wrong_arguments_raise_one_clear_error(pair):
    with pytest.raises(TypeError, match="Module"):
        ArchitectureExplorer("resnet18")
    with pytest.raises(TypeError, match="has no control 'layer'; it has depth, measure"):
        ArchitectureExplorer(pair[0], layer="stem")
    with pytest.raises(ValueError, match="does not say its image_size"):
        ArchitectureExplorer(nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match="does not run with inputs of shape"):
        ArchitectureExplorer(nn.Conv2d(3, 4, 3), input_size=(2, 8, 8))


def test_the_model_stays_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ArchitectureExplorer(model, input_size=(1, 8, 8))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_browser_gets_each_kind_of_part_once():
    explorer = ArchitectureExplorer(meta("resnet110"))
    [network] = explorer.get_state(["_networks"])["_networks"]
    parts = len(explorer.architecture.parts)
    assert len(network["types"]) < 60 < parts
    assert len(network["fields"]) == parts
    assert len(json.dumps(network)) < 120_000
    assert "class BasicBlock" in json.dumps(network["sources"])
    assert set(MEASURES) > {"parameters", "mult-adds", "activations"}
