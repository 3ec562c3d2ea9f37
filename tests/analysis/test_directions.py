"""Directions: filter normalisation as the authors' code does it, filter by filter, and the way between two networks."""

import pytest
import torch
from torch import nn

from cnnviz.analysis.directions import cosine, inner, interpolate_direction, length, random_direction
from cnnviz.models import resnet20


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 5))


def reference(model, generator):
    """Net_plotter.py's loop: each filter of the drawn direction gets the length of the network's filter."""
    found = {}
    for name, weight in model.named_parameters():
        if weight.dim() <= 1:
            found[name] = torch.zeros_like(weight)
            continue
        drawn = torch.randn(weight.shape, generator=generator)
        for d, w in zip(drawn, weight.detach(), strict=True):
            d.mul_(w.norm() / (d.norm() + 1e-10))
        found[name] = drawn
    return found


@pytest.mark.parametrize("build", [net, resnet20])
def test_a_filter_normalised_direction_is_that_of_the_authors_loop(build):
    model = build()
    ours, theirs = random_direction(model, generator=generator(3)), reference(model, generator(3))
    assert ours.keys() == theirs.keys()
    for name, step in ours.items():
        torch.testing.assert_close(step, theirs[name], rtol=1e-6, atol=0)


def test_each_filter_of_the_direction_is_as_long_as_the_networks():
    model = net()
    found = random_direction(model, generator=generator())
    for name in ("0.weight", "4.weight"):
        lengths = [tensor.detach().flatten(1).norm(dim=1) for tensor in (found[name], model.get_parameter(name))]
        torch.testing.assert_close(*lengths)


def test_norm_layer_gives_whole_layers_their_length_and_none_leaves_what_was_drawn():
    model = net()
    weight = model[0].weight.detach()
    layer = random_direction(model, norm="layer", generator=generator())["0.weight"]
    drawn = random_direction(model, norm="none", generator=generator())["0.weight"]
    torch.testing.assert_close(layer.norm(), weight.norm())
    torch.testing.assert_close(layer, drawn * weight.norm() / drawn.norm())
    assert torch.equal(drawn, torch.randn(weight.shape, generator=generator()))


def test_biases_and_normalisations_move_only_where_they_are_not_ignored():
    model = net()
    still, moved = (random_direction(model, ignore=ignore, generator=generator()) for ignore in ("biasbn", None))
    for name in ("0.bias", "1.weight", "1.bias", "4.bias"):
        assert not still[name].any()
        torch.testing.assert_close(moved[name].norm(), model.get_parameter(name).detach().norm())


def test_two_directions_of_one_generator_differ_and_one_seed_gives_the_same_again():
    model, one = net(), generator(5)
    first, second = (random_direction(model, generator=one) for _ in range(2))
    again = random_direction(model, generator=generator(5))
    assert not torch.equal(first["0.weight"], second["0.weight"])
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_random_directions_of_a_large_network_are_nearly_perpendicular():
    model = resnet20()
    first, second = (random_direction(model, generator=generator(seed)) for seed in (0, 1))
    assert abs(cosine(first, second)) < 0.02  # about 1 / sqrt(270,000), more where few filters are long


def test_the_model_and_torchs_random_numbers_stay_as_they_are_with_a_generator_of_ones_own():
    model = net()
    before, state = {name: tensor.clone() for name, tensor in model.state_dict().items()}, torch.get_rng_state()
    random_direction(model, generator=generator())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_interpolation_leads_from_one_network_to_the_other_running_statistics_too():
    a, b = net(), net()
    b[1].running_mean.add_(2)
    way = interpolate_direction(a, b)
    assert "1.running_mean" in way
    assert "1.num_batches_tracked" not in way
    for name, step in way.items():
        torch.testing.assert_close(a.state_dict()[name] + step, b.state_dict()[name])


def test_interpolation_between_networks_of_different_shape_names_what_differs():
    other = net()
    other[4] = nn.Linear(4, 6)
    with pytest.raises(ValueError, match=r"4.bias has the shape \[5\] in model_a and \[6\] in model_b"):
        interpolate_direction(net(), other)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"norm": "filters"}, "norm .*'filter', 'layer', 'none'"), ({"ignore": "bn"}, "ignore .*'biasbn', None")],
)
def test_an_unknown_option_is_answered_with_those_that_there_are(options, words):
    with pytest.raises(ValueError, match=words):
        random_direction(net(), **options)


def test_length_and_inner_product_are_those_of_the_flat_vectors():
    a, b = ({"x": torch.randn(3, 4, generator=generator(seed)), "y": torch.randn(5)} for seed in (0, 1))
    flat = [torch.cat([tensor.flatten() for tensor in one.values()]).double() for one in (a, b)]
    assert inner(a, b) == pytest.approx((flat[0] @ flat[1]).item())
    assert length(a) == pytest.approx(flat[0].norm().item())
