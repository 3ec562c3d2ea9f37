import pytest
import torch
from torch import nn

from cnnviz.analysis import depth
from cnnviz.datasets import published
from cnnviz.models import create_model

NAMED = {"vgg11": 11, "vgg16": 16, "vgg19_bn": 19, "resnet18": 18, "plain34": 34, "resnet50": 50, "resnet50_v2": 50}
NAMED |= {"resnet20": 20, "resnet110": 110, "densenet121": 121, "lenet5": 5}


@pytest.mark.parametrize(("name", "layers"), NAMED.items())
def test_the_number_in_a_name_is_its_depth(name, layers):
    with torch.device("meta"):
        assert depth(create_model(name)) == layers


def test_branches_count_by_the_longest():
    with torch.device("meta"):
        assert depth(create_model("googlenet")) == published("googlenet", "layers with weights")[0].value


def test_layers_without_weights_do_not_count():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3))
    assert depth(model, (3, 16, 16)) == 2


def test_blocks_of_several_inputs_are_refused():
    with torch.device("meta"), pytest.raises(ValueError, match="takes 2 tensors; depth knows blocks of one"):
        depth(create_model("nasnet_mobile"))
