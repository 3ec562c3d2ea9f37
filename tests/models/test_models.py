"""Every model of the registry: shapes, count, gradient, options. A new model is picked up by itself."""

import inspect
from functools import cache

import pytest
import torch

from cnnviz.datasets import published
from cnnviz.models import MODELS, create_model, list_models
from cnnviz.models.budget import width_for
from tests.models import networks
from tests.models.networks import count, images

on_meta = cache(networks.on_meta)
BEYOND_THE_PAPER = {"lenet5_1998": 850}  # parameters of the linear layer that stands for the radial basis functions
OPTIONS = {name: inspect.signature(build).parameters for name, build in MODELS.items()}
WITH_SMALL = [name for name in MODELS if "small" in OPTIONS[name]]
WITH_WIDTH = [name for name in MODELS if "width" in OPTIONS[name]]


@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize(("num_classes", "in_channels"), [(2, 3), (1000, 1)])
def test_output_has_one_logit_a_class_for_grey_and_colour_images(name, num_classes, in_channels):
    model = on_meta(name, num_classes=num_classes, in_channels=in_channels)
    assert model(images(model, batch=2)).shape == (2, num_classes)


@pytest.mark.parametrize("name", list_models())
def test_parameters_are_as_many_as_the_papers_tables_give(name):
    [row] = published(model=name, quantity="parameters")
    assert count(on_meta(name)) == row.value + BEYOND_THE_PAPER.get(name, 0)


@pytest.mark.parametrize("name", list_models())
def test_the_parameters_of_the_paper_stand_in_the_docstring_of_its_file(name):
    [row] = published(model=name, quantity="parameters")
    assert f"{int(row.value):,}" in inspect.getmodule(MODELS[name]).__doc__ + str(inspect.getdoc(type(on_meta(name))))


@pytest.mark.parametrize("name", list_models())
def test_a_gradient_reaches_every_parameter(name):
    torch.manual_seed(0)
    options = {"small": True} if name in WITH_SMALL else {}
    options |= {"width": 0.25} if name in WITH_WIDTH else {}
    model = create_model(name, num_classes=3, **options).train()
    outputs = model(torch.randn(8, model.in_channels, model.smallest, model.smallest))
    outputs = outputs if isinstance(outputs, tuple) else [outputs]
    sum(logits.square().sum() for logits in outputs).backward()
    without = [key for key, value in model.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", list_models())
def test_the_smallest_image_works_and_one_pixel_less_is_refused_by_name(name):
    for options in [{}, {"small": True}] if name in WITH_SMALL else [{}]:
        model = on_meta(name, **options)
        assert len(model(images(model, batch=2, size=model.smallest))) == 2
        with pytest.raises(ValueError, match=r"takes images of shape N x .*resize the images"):
            model(images(model, batch=2, size=model.smallest - 1))
        with pytest.raises(ValueError, match=f"not 2 x 2 x {model.image_size} x {model.image_size}"):
            model(torch.zeros(2, 2, model.image_size, model.image_size, device="meta"))


@pytest.mark.parametrize("name", WITH_SMALL)
def test_the_small_form_takes_32_pixels_with_the_stages_of_the_paper(name):
    large, small = on_meta(name), on_meta(name, small=True, num_classes=10)
    stages = [{stage for stage, part in model.named_children() if [*part.parameters()]} for model in (large, small)]
    assert small.image_size == 32
    assert stages[1] <= stages[0]
    assert small(images(small, batch=2)).shape == (2, 10)


@pytest.mark.parametrize("name", WITH_SMALL)
def test_the_last_map_of_the_small_form_has_2_to_8_pixels(name):
    model, sides, hooks = on_meta(name, small=True), [], []
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.MaxPool2d):
            hooks.append(module.register_forward_hook(lambda module, args, output: sides.append(output.shape[-1])))
    model(images(model, batch=2))
    for hook in hooks:
        hook.remove()
    assert 2 <= sides[-1] <= 8


@pytest.mark.parametrize("name", WITH_WIDTH)
def test_width_1_is_the_paper_and_half_of_it_needs_less(name):
    counts = [count(on_meta(name, width=width)) for width in (0.5, 1)]
    assert counts[1] == count(on_meta(name))
    assert counts[0] < 0.6 * counts[1]
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        on_meta(name, width=0)


@pytest.mark.parametrize("name", {inspect.getmodule(MODELS[name]): name for name in reversed(WITH_SMALL)}.values())
def test_width_brings_the_small_form_of_a_family_to_a_budget(name):
    options = {"num_classes": 10, "small": True}
    width = width_for(name, 250_000, **options)  # test_budget.py says what else it does
    assert count(on_meta(name, width=width, **options)) <= 250_000
    assert count(on_meta(name, width=width + 0.01, **options)) > 250_000


def test_unknown_model_names_those_that_exist():
    with pytest.raises(ValueError, match="no model 'lenet'; choose from lenet5, lenet5_1998, alexnet"):
        create_model("lenet")


def test_unknown_option_names_those_that_exist():
    with pytest.raises(TypeError, match="lenet5 has no option 'classes'; it has num_classes, in_channels, image_size"):
        create_model("lenet5", classes=3)


def test_names_are_functions_of_the_package():
    assert {name: build.__name__ for name, build in MODELS.items()} == {name: name for name in MODELS}
