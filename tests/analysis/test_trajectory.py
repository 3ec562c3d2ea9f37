"""The plane of a path: found where one was planted, and honest about what lies off it."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.directions import inner
from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.loss_surface import loss_surface
from cnnviz.analysis.trajectory import Trajectory, pca_directions, project, random_walk, trajectory


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 10))


def planted(points, off=0.0):
    """Checkpoints at given places of a plane, and its two perpendicular directions of length 1."""
    final = {name: tensor.double() for name, tensor in net().state_dict().items()}
    names = [name for name, tensor in final.items() if tensor.ndim >= 2]
    flat = torch.linalg.qr(torch.randn(sum(final[name].numel() for name in names), 3, generator=generator()).double())[
        0
    ]
    axes = []
    for column in flat.T:
        parts = column.split([final[name].numel() for name in names])
        axes.append({name: part.reshape(final[name].shape) for name, part in zip(names, parts, strict=True)})
    states = []
    for number, place in enumerate(points):
        steps = (*place, off * (number % 2))
        moved = {name: sum(c * axis[name] for c, axis in zip(steps, axes, strict=True)) for name in names}
        states.append(final | {name: final[name] + moved[name] for name in names})
    return states, axes


PLACES = [(5.0, 1.0), (4.0, -1.0), (2.0, 0.5), (1.0, 1.0), (0.0, 0.0)]


def test_the_plane_of_a_path_that_was_planted_in_one_is_found():
    states, axes = planted(PLACES)
    plane = pca_directions(states)
    assert plane.explained_variance_ratio.sum() == pytest.approx(1)
    assert np.abs(plane.residual).max() < 1e-6
    across = np.array([[inner(found, axis) for axis in axes[:2]] for found in plane.directions])
    np.testing.assert_allclose(across @ across.T, np.eye(2), atol=1e-9)  # the found plane is the planted one
    np.testing.assert_allclose(plane.coordinates @ across, PLACES, atol=1e-9)
    assert plane.coordinates[-1].tolist() == [0, 0]


def test_the_explained_variance_is_that_of_an_svd_of_the_centred_path():
    states, _ = planted(PLACES, off=1.5)
    flat = torch.stack([torch.cat([state[name].flatten() for name in ("0.weight", "4.weight")]) for state in states])
    squares = np.linalg.svd((flat - flat.mean(0)).numpy(), compute_uv=False) ** 2
    plane = pca_directions(states)
    np.testing.assert_allclose(plane.explained_variance_ratio, squares[:2] / squares.sum(), rtol=1e-9)
    assert 0.1 < plane.residual.max() < 3
    assert f"{plane.explained_variance_ratio.sum():.1%}" in plane.describe()


def test_coordinates_and_residual_are_the_two_legs_of_the_distance():
    plane = pca_directions(planted(PLACES, off=1.5)[0])
    legs = (plane.coordinates**2).sum(1) + plane.residual**2
    np.testing.assert_allclose(legs, plane.distance**2, atol=1e-9)


def test_projection_finds_the_nearest_point_of_axes_that_are_neither_perpendicular_nor_of_length_one():
    states, (first, second, _) = planted(PLACES, off=1.5)
    slanted = {name: 3 * step + 2 * second[name] for name, step in first.items()}
    coordinates, residual, distance = project(states, states[-1], (slanted, second))
    expected = [(a / 3, b - 2 * a / 3) for a, b in PLACES]
    np.testing.assert_allclose(coordinates, expected, atol=1e-9)
    np.testing.assert_allclose(residual, [0, 1.5, 0, 1.5, 0], atol=1e-7)
    np.testing.assert_allclose(
        distance**2, [sum(c**2 for c in p) + r**2 for p, r in zip(PLACES, residual, strict=True)]
    )


def test_a_random_walk_has_steps_as_long_as_the_path_and_a_plane_that_holds_much_of_it_all_the_same():
    states, _ = planted([(10.0 - k, (k % 3) / 3) for k in range(11)])
    walk = random_walk(states, generator=generator())
    lengths = [
        [sum(((b[name] - a[name]) ** 2).sum().item() for name in walk[0]) ** 0.5 for a, b in itertools.pairwise(one)]
        for one in (states, walk)
    ]
    np.testing.assert_allclose(*lengths, rtol=1e-6)
    share = pca_directions(walk).explained_variance_ratio.sum()
    assert 0.6 < share < 0.9  # a walk without an aim: about 6 / pi^2 (1 + 1/4) = 0.76 in the limit


def test_the_loss_of_a_trajectory_is_that_of_the_network_itself_not_of_its_shadow():
    model, data = net(), (torch.randn(30, 1, 4, 4, generator=generator()), torch.randint(0, 10, (30,)))
    states = [net(seed).state_dict() for seed in range(4)]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plane = pca_directions(states)
    found = trajectory(model, data, states, plane.directions, epochs=[0, 2, 4, 8])
    for seed, loss in enumerate(found.loss):
        assert loss == pytest.approx(evaluate(net(seed), *data).loss, rel=1e-6)
    assert found.epochs.tolist() == [0, 2, 4, 8]
    np.testing.assert_allclose(found.coordinates, plane.coordinates, atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert "off the plane" in found.describe()


def test_with_statistics_of_the_batch_the_end_of_a_trajectory_is_the_centre_of_such_a_surface():
    data = (torch.randn(30, 1, 4, 4, generator=generator()), torch.randint(0, 10, (30,)))
    states = [net(seed).state_dict() for seed in range(4)]
    plane = pca_directions(states)
    model = net(3)
    for bn in ("frozen", "batch"):
        found = trajectory(model, data, states, plane.directions, bn=bn)
        axes = {"alphas": [0, 1], "betas": [0, 1]}
        around = loss_surface(model, data, *plane.directions, **axes, bn=bn, progress=False)
        assert found.loss[-1] == pytest.approx(around.loss[0, 0], rel=1e-5)
        assert found.accuracy[-1] == around.accuracy[0, 0]


def test_running_statistics_are_not_part_of_the_path():
    states = [net(seed).state_dict() for seed in range(3)]
    shifted = [state | {"1.running_mean": state["1.running_mean"] + k} for k, state in enumerate(states)]
    for ignore in ("biasbn", None):
        np.testing.assert_array_equal(
            pca_directions(states, ignore=ignore).distance, pca_directions(shifted, ignore=ignore).distance
        )
    assert "1.weight" in pca_directions(states, ignore=None).directions[0]


def test_a_trajectory_survives_its_file(tmp_path):
    path = Trajectory(np.ones((2, 2)), np.zeros(2), np.ones(2), np.ones(2), np.zeros(2), np.arange(2.0))
    assert repr(Trajectory.load(path.save(tmp_path / "path.npz"))) == repr(path)


def test_tied_weights_count_once():
    states, _ = planted(PLACES)
    tied = [state | {"also": state["4.weight"]} for state in states]
    np.testing.assert_array_equal(pca_directions(tied).distance, pca_directions(states).distance)


def test_paths_without_a_plane_are_refused():
    states, _ = planted(PLACES)
    with pytest.raises(ValueError, match="at least three checkpoints, not 2"):
        pca_directions(states[:2])
    with pytest.raises(ValueError, match="all checkpoints are the same"):
        pca_directions([states[0]] * 3)
    with pytest.raises(ValueError, match="lie on a line"):
        pca_directions(planted([(2.0, 0.0), (1.0, 0.0), (0.0, 0.0)])[0])
    with pytest.raises(ValueError, match=r"4.weight is \[10, 16\] and \[1, 16\]"):
        pca_directions([states[0], states[1] | {"4.weight": states[1]["4.weight"][:1]}, states[2]])
    with pytest.raises(ValueError, match="NaN or infinity"):
        pca_directions([states[0] | {"4.weight": states[0]["4.weight"] * torch.nan}, *states[1:]])
    with pytest.raises(ValueError, match=r"only one of them has 4\.bias"):
        pca_directions([states[0], states[1], {name: t for name, t in states[2].items() if name != "4.bias"}])
