"""The path that training takes through the space of weights, seen in the plane in which it moves most.

H. Li et al., Visualizing the loss landscape of neural nets, NeurIPS 2018, section 7. That such planes catch most of a
random walk as well: J. Antognini and J. Sohl-Dickstein, PCA of high dimensional random walks with comparison to neural
network training, NeurIPS 2018.
"""

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.analysis.arrays import Stored
from cnnviz.analysis.directions import Direction, inner
from cnnviz.analysis.slice import Slice

State = Mapping[str, Tensor]  # what `model.state_dict()` returns


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through the last point of a path in which the path moves most, and the path in it."""

    directions: tuple[Direction, Direction]  # of length 1, perpendicular
    explained_variance_ratio: np.ndarray  # float64 [2], fraction of the variance of the path along each
    coordinates: np.ndarray  # float64 [T, 2], of every point; the last is 0, 0
    residual: np.ndarray  # float64 [T], distance of every point from the plane
    distance: np.ndarray  # float64 [T], of every point from the last one

    def describe(self) -> str:
        """Say how much of the path the plane holds, and how far from it the path runs."""
        first, second = self.explained_variance_ratio
        off = np.divide(self.residual, self.distance, out=np.zeros_like(self.residual), where=self.distance > 0)
        return (
            f"{len(self.residual)} points; the plane holds {first + second:.1%} of their variance ({first:.1%} and "
            f"{second:.1%}); the points lie up to {self.residual.max():.3g} off it, {off.max():.1%} of their distance "
            f"from the last one."
        )

    def __repr__(self) -> str:
        return self.describe()


@dataclass(frozen=True, eq=False)
class Trajectory(Stored):
    """A path in a plane through the weights, and what the network was at each of its points, not at its shadow."""

    coordinates: np.ndarray  # float64 [T, 2], alpha and beta of the nearest point of the plane
    residual: np.ndarray  # float64 [T], distance from the plane, in the unit of the weights
    distance: np.ndarray  # float64 [T], distance from the centre of the plane
    loss: np.ndarray  # float64 [T], mean over the images, of the network itself
    accuracy: np.ndarray  # float64 [T], fraction of the images
    epochs: np.ndarray  # float64 [T]

    def describe(self) -> str:
        """Say where the path begins and ends, and how far it is from the plane."""
        return (
            f"From epoch {self.epochs[0]:g} to {self.epochs[-1]:g}: loss {self.loss[0]:.3g} to {self.loss[-1]:.3g}; "
            f"the first point is {self.distance[0]:.3g} from the centre and {self.residual[0]:.3g} off the plane."
        )

    def __repr__(self) -> str:
        return self.describe()


def pca_directions(checkpoints: Sequence[State], *, ignore: str | None = "biasbn") -> Plane:
    """Return the plane in which the checkpoints of a training lie most nearly: their first two principal components.

    From the T x T matrix of inner products in float64, never from the T x parameters matrix. The axes go through the
    last checkpoint, which is not the mean of the path.

    Args:
        checkpoints: state dicts, in order, at least three.
        ignore: "biasbn" looks at parameters of two and more dimensions alone, None at all that `state_dict` names,
            running statistics left out.

    Raises:
        ValueError: there are too few, they are of different networks, or all are the same.
    """
    if len(checkpoints) < 3:
        raise ValueError(f"a plane needs at least three checkpoints, not {len(checkpoints)}")
    steps = [_way(checkpoints[-1], state, ignore) for state in checkpoints]
    gram = _gram(steps)  # T, T
    if not np.isfinite(gram).all():
        raise ValueError("a checkpoint holds NaN or infinity: that training ran away, and its path has no plane")
    mean = np.eye(len(steps)) - 1 / len(steps)
    values, vectors = np.linalg.eigh(mean @ gram @ mean)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    if values[0] <= 0:
        raise ValueError("all checkpoints are the same; a path that does not move has no plane")
    axes = []
    for value, weights in zip(values[:2], vectors.T[:2], strict=True):
        if value <= 1e-12 * values[0]:
            raise ValueError("the checkpoints lie on a line; a plane needs a path that turns")
        axes.append(_combined(steps, (mean @ weights) / math.sqrt(value)))
    coordinates, residual, distance = _projected(steps, axes)
    return Plane(tuple(axes), values[:2] / values.sum(), coordinates, residual, distance)


def project(
    checkpoints: Sequence[State], centre: State, directions: tuple[Direction, Direction]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where checkpoints lie over a plane: coordinates [T, 2], distance from it [T], from its centre [T].

    The nearest point of the plane by least squares; directions need not be perpendicular or of length 1. What the
    directions do not move (biases, with `ignore="biasbn"`) counts as off the plane.
    """
    return _projected([_way(centre, state, None) for state in checkpoints], directions)


def random_walk(
    checkpoints: Sequence[State], *, ignore="biasbn", generator: torch.Generator | None = None
) -> list[State]:
    """Return a walk with steps as long as those between the checkpoints, each into a random direction.

    The control for `pca_directions`: what a plane shows of a path that wants to go nowhere.
    """
    walk = [{name: checkpoints[0][name] for name in _way(checkpoints[0], checkpoints[0], ignore)}]
    for before, after in itertools.pairwise(checkpoints):
        step = _way(before, after, ignore)
        drawn = {name: torch.randn(tensor.shape, generator=generator).to(tensor) for name, tensor in step.items()}
        factor = math.sqrt(inner(step, step) / inner(drawn, drawn))
        walk.append({name: tensor + factor * drawn[name] for name, tensor in walk[-1].items()})
    return walk


def trajectory(
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    checkpoints: Sequence[State],
    directions: tuple[Direction, Direction],
    epochs: Sequence[float] | None = None,
    *,
    bn: str = "frozen",
) -> Trajectory:
    """Return the path of the checkpoints over the plane through the last one, each with its own loss.

    Args:
        model: a network of their kind; its weights stay as they are.
        data: normalised float32 images [N, C, H, W] and int64 labels [N].
        checkpoints: state dicts, in order.
        directions: of the plane.
        epochs: of the checkpoints; 0, 1, 2 and so on by default.
        bn: as for `loss_surface`; frozen statistics are those of each checkpoint.
    """
    one = copy.deepcopy(model)
    found = []
    for state in checkpoints:
        one.load_state_dict(state)
        here = Slice(one, *data, [], bn=bn, fold=False)
        found.append(here.at([()])[0][0] / here.count)
    loss, _, accuracy = torch.stack(found).T.numpy()
    epochs = np.arange(len(checkpoints)) if epochs is None else np.asarray(epochs)
    return Trajectory(
        *project(checkpoints, checkpoints[-1], directions),
        loss=loss,
        accuracy=accuracy,
        epochs=epochs.astype(float),
    )


def _way(start: State, end: State, ignore: str | None) -> Direction:
    """Return the way between two checkpoints, tied weights once; running statistics are no weights."""
    if start.keys() != end.keys():
        differs = sorted(start.keys() ^ end.keys())
        raise ValueError(f"the checkpoints are of different networks: only one of them has {differs[0]}")
    names = [name for name, tensor in start.items() if tensor.is_floating_point() and not _is_statistic(name)]
    names = [name for name in names if ignore is None or start[name].ndim >= 2]
    names = list({(start[name].data_ptr(), start[name].shape): name for name in reversed(names)}.values())[::-1]
    for name in names:
        if start[name].shape != end[name].shape:
            shapes = [list(state[name].shape) for state in (start, end)]
            raise ValueError(f"the checkpoints are of different networks: {name} is {shapes[0]} and {shapes[1]}")
    return {name: end[name].detach() - start[name].detach() for name in names}


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in ("running_mean", "running_var")


def _gram(steps: Sequence[Direction]) -> np.ndarray:
    """Return all inner products, [T, T], one parameter at a time."""
    total = np.zeros((len(steps), len(steps)))
    for name in steps[0]:
        rows = torch.stack([step[name].flatten() for step in steps]).to("cpu", torch.float64)  # T, weights
        total += (rows @ rows.T).numpy()
    return total


def _combined(steps: Sequence[Direction], factors: np.ndarray) -> Direction:
    """Return the sum of the steps, each times its factor, and of length 1."""
    total = {
        name: sum(factor * step[name].double() for factor, step in zip(factors.tolist(), steps, strict=True))
        for name in steps[0]
    }
    size = math.sqrt(inner(total, total))
    return {name: (tensor / size).to(steps[0][name]) for name, tensor in total.items()}


def _projected(steps: Sequence[Direction], axes: Sequence[Direction]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates of the nearest points of the plane, distances from it, and distances from its centre."""
    gram = np.array([[inner(a, b) for b in axes] for a in axes])
    sides = np.array([[inner(step, axis) for axis in axes] for step in steps])
    coordinates = np.linalg.solve(gram, sides.T).T
    squares = np.array([inner(step, step) for step in steps])
    residual = np.sqrt((squares - (coordinates * sides).sum(1)).clip(min=0))
    return coordinates, residual, np.sqrt(squares)
