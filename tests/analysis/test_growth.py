"""By how much a step makes maps larger: known cases, another way to compute it, and what it leaves alone."""

import copy

import pytest
import torch
from torch import nn

from cnnviz.analysis import growth, random_direction
from cnnviz.models import create_model, resnet20


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


IMAGES = torch.randn(8, 3, 32, 32, generator=generator(3))


def chain(depth=3):
    """Convolutions without biases, each with statistics of mean 0 behind it: twice the weights, twice the map."""
    inputs = [3, *[4] * (depth - 1)]
    blocks = [nn.Sequential(nn.Conv2d(maps, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()) for maps in inputs]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


def test_where_every_layer_is_doubled_the_growth_doubles_from_layer_to_layer():
    model = chain()
    twice = {name: weight.detach() for name, weight in model.named_parameters() if weight.ndim == 4}
    found = growth(model, IMAGES, twice)
    assert list(found) == ["0.1", "1.1", "2.1"]
    assert list(found.values()) == pytest.approx([2, 4, 8], rel=1e-5)


@pytest.mark.parametrize("make", [resnet20, lambda: create_model("plain20")], ids=["resnet20", "plain20"])
def test_it_is_the_ratio_of_the_deviations_of_two_networks(make):
    torch.manual_seed(0)
    model = make().train()
    model(IMAGES)  # statistics that are not 0 and 1
    d, moved = random_direction(model, generator=generator(1)), copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight += d[name]
    deviations = []
    for network in (model, moved):
        kept = []
        modules = list(copy.deepcopy(network).modules())
        for module in modules:
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda module, given, output, kept=kept: kept.append(output.std().item()))
        modules[0].eval()(IMAGES)
        deviations.append(kept)
    expected = [after / before for before, after in zip(*deviations, strict=True)]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert list(growth(model, IMAGES, d).values()) == pytest.approx(expected, rel=1e-4)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_network_without_normalisation_and_a_direction_of_another_one_are_named():
    plain = nn.Sequential(nn.Conv2d(3, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="Sequential has no batch normalisation"):
        growth(plain, IMAGES, random_direction(plain))
    with pytest.raises(ValueError, match=r"direction 1 moves 0\.weight, and Sequential has no such parameter"):
        growth(chain(), IMAGES, random_direction(plain))
