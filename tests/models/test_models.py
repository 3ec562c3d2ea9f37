"""Every model of the registry: shape, count, gradient. A new model is picked up by itself."""

import pytest
import torch

from cnnviz.datasets import published
from cnnviz.models import MODELS, create_model, list_models

BEYOND_THE_PAPER = {"lenet5_1998": 850}  # parameters of the linear layer that stands for the radial basis functions
IMAGE_SHAPES = {"lenet5": (1, 28, 28), "lenet5_1998": (1, 28, 28)}


@pytest.mark.parametrize("name", list_models())
def test_output_has_one_logit_a_class(name):
    model = create_model(name, num_classes=7)
    assert model(torch.zeros(2, *IMAGE_SHAPES[name])).shape == (2, 7)


@pytest.mark.parametrize("name", list_models())
def test_every_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = create_model(name)
    model(torch.randn(4, *IMAGE_SHAPES[name])).square().sum().backward()
    without = [key for key, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", list_models())
def test_parameters_are_as_many_as_published(name):
    [row] = published(model=name, quantity="parameters")
    count = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert count == row.value + BEYOND_THE_PAPER.get(name, 0)


def test_unknown_model_names_those_that_exist():
    with pytest.raises(ValueError, match="no model 'lenet'; choose from lenet5, lenet5_1998"):
        create_model("lenet")


def test_unknown_option_names_those_that_exist():
    with pytest.raises(TypeError, match="lenet5 has no option 'classes'; it has num_classes, in_channels, image_size"):
        create_model("lenet5", classes=3)


def test_names_are_functions_of_the_package():
    assert {name: build.__name__ for name, build in MODELS.items()} == {name: name for name in MODELS}
