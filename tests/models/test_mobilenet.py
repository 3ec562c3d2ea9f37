from importlib import import_module

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnviz.datasets import published
from cnnviz.models import create_model, mobilenet
from tests.models.networks import count, images, on_meta, sides

DOCSTRING = import_module("cnnviz.models.mobilenet").__doc__

# Table 1 of the paper, read off line by line: a depthwise and a pointwise convolution from one to the next channels,
# and the side of the maps that come out.
BLOCKS = ((32, 64, 112), (64, 128, 56), (128, 128, 56), (128, 256, 28), (256, 256, 28), (256, 512, 14))
BLOCKS += ((512, 512, 14),) * 5 + ((512, 1024, 7), (1024, 1024, 7))
STAGES = {"stem": (32, 112), "stage1": (64, 112), "stage2": (128, 56), "stage3": (256, 28), "stage4": (512, 14)}
STAGES |= {"stage5": (1024, 7)}


def parameters(normalised: int, separable: bool = True) -> int:
    """Count from table 1, with so many numbers for each channel of a batch normalisation."""
    total = 27 * 32 + normalised * 32
    for before, after, _ in BLOCKS:
        depthwise = 9 * before + normalised * before
        total += (depthwise + before * after if separable else 9 * before * after) + normalised * after
    return total + 1024 * 1000 + 1000


def mult_adds(separable: bool) -> int:
    total = 27 * 32 * 112 * 112
    for before, after, side in BLOCKS:
        total += (9 * before + before * after if separable else 9 * before * after) * side * side
    return total


def test_stages_have_the_papers_shapes():
    assert sides(on_meta(mobilenet)) == STAGES


@pytest.mark.parametrize("separable", [True, False])
def test_table_of_the_docstring_is_the_networks(separable):
    model = on_meta(mobilenet, separable=separable)
    rows = {line.split()[1]: line for line in DOCSTRING.splitlines() if line.startswith("| ")}
    for name, stage in model.named_children():
        assert f" {count(stage):,} " in rows[name]
    for name, (channels, side) in STAGES.items():
        assert f" {channels} x {side} x {side} " in rows[name]
    assert f" {count(model):,} " in rows["all"]


def test_stages_are_registered_in_the_order_of_the_forward_pass():
    assert [name for name, _ in on_meta(mobilenet).named_children()] == [*STAGES, "head"]


@pytest.mark.parametrize(
    ("separable", "quantity"),
    [(True, "parameters"), (False, "parameters, full convolutions")],
    ids=["separable", "full"],
)
def test_parameters_are_those_of_the_papers_table(separable, quantity):
    [row] = published(model="mobilenet", quantity=quantity)
    [printed] = published(model="mobilenet", quantity=f"{quantity}, as printed")
    model = on_meta(mobilenet, separable=separable)
    assert count(model) == parameters(normalised=2, separable=separable) == row.value
    assert round(row.value / 1e6, 1) == printed.value


def test_keras_counts_running_statistics_too():
    channels = sum(layer.num_features for layer in on_meta(mobilenet).modules() if isinstance(layer, nn.BatchNorm2d))
    assert count(on_meta(mobilenet)) + 2 * channels == parameters(normalised=4) == 4_253_864


@pytest.mark.parametrize("separable", [True, False])
def test_mult_adds_are_those_of_the_papers_table(separable):
    """Keep the count with full convolutions apart: only without the linear layer is it what the paper prints."""
    quantity = "mult-adds, as printed" if separable else "mult-adds, full convolutions, as printed"
    [printed] = published(model="mobilenet", quantity=quantity)
    model = on_meta(mobilenet, separable=separable)
    with FlopCounterMode(display=False) as counter:
        model(images(model))
    linear = 1024 * 1000
    assert counter.get_total_flops() == 2 * (mult_adds(separable) + linear)
    assert round((mult_adds(separable) + (linear if separable else 0)) / 1e6) == printed.value


@pytest.mark.parametrize("width", [0.75, 0.5, 0.25])
def test_width_multiplier_gives_the_papers_table_6(width):
    [printed] = published(model="mobilenet", quantity=f"parameters, width {width}, as printed")
    [cost] = published(model="mobilenet", quantity=f"mult-adds, width {width}, as printed")
    model = on_meta(mobilenet, width=width)
    with FlopCounterMode(display=False) as counter:
        model(images(model))
    assert round(count(model) / 1e6, 1) == printed.value
    assert round(counter.get_total_flops() / 2e6) == pytest.approx(cost.value, abs=1)  # table 6 prints 325 for 325.4
    assert sides(model) == {name: (channels * width, side) for name, (channels, side) in STAGES.items()}


@pytest.mark.parametrize(("resolution", "pixels"), [(1.0, 224), (6 / 7, 192), (0.714, 160), (4 / 7, 128)])
def test_resolution_multiplier_gives_the_papers_table_7(resolution, pixels):
    [cost] = published(model="mobilenet", quantity=f"mult-adds, {pixels} pixels, as printed")
    model = on_meta(mobilenet, resolution=resolution)
    with FlopCounterMode(display=False) as counter:
        model(images(model))
    assert model.image_size == pixels
    assert count(model) == count(on_meta(mobilenet))
    assert round(counter.get_total_flops() / 2e6) == pytest.approx(cost.value, abs=1)
    assert sides(model)["stage5"] == (1024, pixels // 32)


@pytest.mark.parametrize("separable", [True, False])
def test_each_block_is_what_its_name_says(separable):
    [block] = on_meta(mobilenet, separable=separable).stage1
    layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    shapes = [(layer.in_channels, layer.out_channels, layer.kernel_size, layer.groups) for layer in layers]
    assert shapes == ([(32, 32, (3, 3), 32), (32, 64, (1, 1), 1)] if separable else [(32, 64, (3, 3), 1)])


def test_depthwise_filters_see_one_map_each():
    torch.manual_seed(0)
    block = mobilenet(small=True, width=0.25).stage2[0].eval()
    x = torch.randn(1, 16, 8, 8)
    changed = x.clone()
    changed[:, 5] += 1
    difference = (block.depthwise(x) - block.depthwise(changed)).abs().sum((0, 2, 3))
    assert (difference > 0).nonzero().flatten().tolist() == [5]


def test_small_form_differs_in_two_strides_only():
    model, paper = on_meta(mobilenet, small=True), on_meta(mobilenet)
    assert model.image_size == 32
    assert [side for _, side in sides(model).values()] == [32, 32, 32, 16, 8, 4]
    assert [(key, value.shape) for key, value in model.state_dict().items()] == [
        (key, value.shape) for key, value in paper.state_dict().items()
    ]


@pytest.mark.parametrize("small", [False, True])
def test_least_size_gives_one_pixel_of_the_last_map(small):
    model = on_meta(mobilenet, small=small)
    assert sides(model, model.smallest)["stage5"] == (1024, 1)
    with pytest.raises(ValueError, match=f"H and W at least {model.smallest} pixels, not 1 x 3 x"):
        model(images(model, model.smallest - 1))


def test_initial_weights_are_he_normal():
    torch.manual_seed(0)
    model = mobilenet(small=True, width=0.5)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            spread = layer.weight.std().item() * (fan_in / 2) ** 0.5
            assert spread == pytest.approx(1, abs=4 / layer.weight.numel() ** 0.5)


def test_a_resolution_that_is_no_factor_is_refused():
    with pytest.raises(ValueError, match=r"resolution \(=0\) must be above 0"):
        mobilenet(resolution=0)


def test_a_width_that_is_no_factor_is_refused():
    with pytest.raises(ValueError, match=r"width \(=-1\) must be above 0"):
        mobilenet(width=-1)


def test_other_sizes_classes_and_channels():
    model = create_model("mobilenet", num_classes=2, in_channels=1, small=True, width=0.25)
    assert model(torch.zeros(2, 1, 20, 41)).shape == (2, 2)
