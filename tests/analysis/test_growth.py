"""By how much a step makes maps larger: known cases, another way to compute it, and what it leaves alone."""

import copy
import math

import pytest
import torch
from torch import nn

from cnnviz.analysis import growth, random_direction
from cnnviz.models import create_model, resnet20


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


IMAGES = torch.randn(8, 3, 32, 32, generator=generator(3))


def chain(depth=3):
    inputs = [3, *[4] * (depth - 1)]
    blocks = [nn.Sequential(nn.Conv2d(maps, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()) for maps in inputs]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


def test_a_layer_that_is_doubled_doubles_its_own_maps_and_none_before_it():
    model = chain()
    twice = {name: tensor.detach() for name, tensor in model[2][1].named_parameters(prefix="2.1")}
    with torch.no_grad():
        model[2][1].bias.fill_(0.3)
    assert growth(model, IMAGES, twice) == pytest.approx({"0.1": 1, "1.1": 1, "2.1": 2}, rel=1e-6)


@pytest.mark.parametrize("make", [resnet20, lambda: create_model("plain20")], ids=["resnet20", "plain20"])
def test_it_is_the_ratio_of_the_deviations_of_two_networks_with_the_statistics_of_the_images(make):
    torch.manual_seed(0)
    model = make().train()
    model(2 * IMAGES + 1)  # statistics of other images
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    d, stored = random_direction(model, generator=generator(1)), copy.deepcopy(model)
    for _ in range(200):  # the running mean arrives where it stays
        stored(IMAGES)
    moved, deviations = copy.deepcopy(stored), []
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight += d[name]
    for network in (stored, moved):
        kept = []
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda module, given, output, kept=kept: kept.append(output.std().item()))
        network.eval()(IMAGES)
        deviations.append(kept)
    expected = [after / before for before, after in zip(*deviations, strict=True)]
    assert list(growth(model, IMAGES, d).values()) == pytest.approx(expected, rel=1e-4)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_normalisation_that_returns_one_number_everywhere_has_no_growth():
    model = chain()
    nn.init.zeros_(model[1][1].weight)  # as the last one of a residual block often begins
    found = growth(model, IMAGES, random_direction(model, generator=generator()))
    assert math.isnan(found["1.1"])
    assert found["0.1"] > 1


def test_a_network_without_normalisation_and_a_direction_of_another_one_are_named():
    plain = nn.Sequential(nn.Conv2d(3, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="Sequential has no batch normalisation"):
        growth(plain, IMAGES, random_direction(plain))
    with pytest.raises(ValueError, match=r"direction 1 moves 0\.weight, and Sequential has no such parameter"):
        growth(chain(), IMAGES, random_direction(plain))
