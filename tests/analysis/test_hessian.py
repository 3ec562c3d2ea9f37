"""Extreme curvatures by Lanczos beside the eigenvalues of the whole Hessian."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.hessian import curvature_map, hessian_extremes
from cnnviz.analysis.losses import loss_function


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net():
    torch.manual_seed(1)
    layers = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 4)
    return nn.Sequential(*layers).double()


def pictures():
    return torch.randn(20, 1, 4, 4, generator=generator(7)), torch.randint(0, 4, (20,), generator=generator(8))


def dense(model, names):
    """All eigenvalues of the Hessian of the mean loss with respect to the named parameters."""
    model.eval()
    images, labels = pictures()
    sizes = [model.get_parameter(name).shape for name in names]

    def loss(flat):
        parts = flat.split([size.numel() for size in sizes])
        weights = {name: part.reshape(size) for name, part, size in zip(names, parts, sizes, strict=True)}
        return loss_function()(torch.func.functional_call(model, weights, (images.double(),)), labels).mean()

    flat = torch.cat([model.get_parameter(name).detach().flatten() for name in names])
    return torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))


@pytest.mark.parametrize("ignore", ["biasbn", None])
@pytest.mark.parametrize("batch_size", [20, 7])
def test_both_ends_are_those_of_the_whole_hessian(ignore, batch_size):
    model = net()
    names = [name for name, weight in model.named_parameters() if ignore is None or weight.ndim >= 2]
    exact = dense(net(), names)
    options = {"ignore": ignore, "batch_size": batch_size, "generator": generator()}
    found = hessian_extremes(model, pictures(), steps=200, dtype=torch.float64, **options)
    assert found.smallest == pytest.approx(exact[0].item(), rel=1e-8)
    assert found.largest == pytest.approx(exact[-1].item(), rel=1e-8)
    assert found.smallest < 0 < found.largest
    assert found.ratio == pytest.approx(abs(exact[0] / exact[-1]).item())


def test_a_few_steps_stay_inside_the_range_and_as_near_as_they_say():
    exact = dense(net(), ["0.weight", "4.weight"])
    for steps in (3, 6, 12):
        found = hessian_extremes(net(), pictures(), steps=steps, dtype=torch.float64, generator=generator())
        assert found.steps == steps
        assert exact[0] - 1e-12 <= found.smallest
        assert found.largest <= exact[-1] + 1e-12
        for end, error in zip((found.smallest, found.largest), found.error, strict=True):
            assert (exact - end).abs().min() <= error + 1e-12


def test_the_map_holds_the_extremes_of_the_network_at_each_point():
    model = net()
    d1, d2 = (random_direction(model, generator=generator(seed)) for seed in (1, 2))
    options = {"steps": 40, "dtype": torch.float64}
    found = curvature_map(model, pictures(), d1, d2, alphas=[-0.5, 0, 0.5], betas=[0, 1], progress=False, **options)
    assert found.ratio.shape == (3, 2)
    moved = net()
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight += 0.5 * d1[name] + d2[name]
    there = hessian_extremes(moved, pictures(), **options)
    np.testing.assert_allclose([found.smallest[2, 1], found.largest[2, 1]], [there.smallest, there.largest], rtol=1e-6)
    assert "6 points" in found.describe()


def test_the_model_stays_as_it_was():
    model = net().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    hessian_extremes(model, pictures(), steps=3, dtype=torch.float64)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(one.requires_grad and one.grad is None for one in model.parameters())
    assert model.training


def test_a_linear_model_with_squares_has_a_hessian_that_is_known():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1, bias=False)).double()
    images = torch.randn(40, 1, 4, 4, generator=generator())

    def half_squares(logits, labels):
        return logits[:, 0] ** 2 / 2

    found = hessian_extremes(
        model, (images, torch.zeros(40, dtype=torch.int64)), steps=16, loss=half_squares, dtype=torch.float64
    )
    x = images.double().flatten(1)
    exact = torch.linalg.eigvalsh(x.T @ x / 40)
    assert [found.smallest, found.largest] == pytest.approx(exact[[0, -1]].tolist(), rel=1e-9)
    assert found.steps == 16


def test_a_piecewise_linear_loss_has_no_curvature_and_a_point_without_numbers_none_that_is_known():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4, bias=False)).double()
    flat = hessian_extremes(model, pictures(), steps=3, loss=loss_function("hinge"), dtype=torch.float64)
    assert (flat.smallest, flat.largest) == (0, 0)
    d1, d2 = (random_direction(net(), generator=generator(seed)) for seed in (1, 2))
    axes = {"alphas": [0, 1e300], "betas": [0, 1]}
    found = curvature_map(net(), pictures(), d1, d2, **axes, steps=3, dtype=torch.float64, progress=False)
    assert np.isfinite(found.ratio[0]).all()
    assert np.isnan(found.ratio[1]).all()
    assert "2 points" in found.describe()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps .*at least 1"),
        ({"ignore": "bn"}, "ignore .*'biasbn', None"),
        ({"dtype": torch.bfloat16}, "lost in bf16"),
    ],
)
def test_what_makes_no_sense_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        hessian_extremes(net(), pictures(), **{"dtype": torch.float64} | options)
