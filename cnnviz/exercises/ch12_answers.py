"""Answers to the exercises of chapter 12, each with one part exchanged."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ACROSS, DOWN = ((0, -1), (0, 1)), ((-1, 0), (1, 0))  # the neighbours of a point of a grid: its row, its column
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))


def error_of_mean(losses: Tensor, *, freedom=1, root=0.5, root_n=0.5, centre=torch.mean) -> Tensor:
    """The standard error; `freedom` is subtracted from N, the roots are exponents."""
    variance = ((losses - centre(losses)) ** 2).sum() / (len(losses) - freedom)
    return variance**root / len(losses) ** root_n


def of_filter(axes: int) -> tuple[int, ...]:
    """The axes inside a filter: all but the first."""
    return tuple(range(1, axes))


def ratio(weight: Tensor, drawn: Tensor) -> Tensor:
    """The factor that gives what was drawn the length of the weight."""
    return weight / drawn


def scaled(drawn: Tensor, weight: Tensor, *, inside=of_filter, factor=ratio, power=2, root=0.5) -> Tensor:
    """A drawn direction times a factor of two lengths, each over the axes that `inside` returns."""
    sums = [(x.abs() ** power).sum(inside(x.ndim), keepdim=True) for x in (weight, drawn)]
    return drawn * factor(*(x**root for x in sums))


def fold(
    weight, mean, var, gamma, beta, eps, *, root=0.5, outside=0, shape=(-1, 1, 1, 1), bias=None
) -> tuple[Tensor, Tensor]:
    """A convolution with frozen batch normalisation in it; `bias` computes the bias from mean, scale and beta."""
    scale = gamma / ((var + eps) ** root + outside)
    return weight * scale.view(shape), beta - mean * scale if bias is None else bias(mean, scale, beta)


def as_rows(function: Callable) -> Callable:
    """A function that returns a pair (weight, bias), as one that returns a row a filter, with its bias at the end.

    What is no pair of tensors is returned as it is; torch raises where no convolution has such shapes.
    """

    def rows(weight, *others):
        answer = function(weight, *others)
        pair = isinstance(answer, tuple | list) and len(answer) == 2
        if not pair or not all(isinstance(part, Tensor) for part in answer):
            return answer
        if [part.ndim for part in answer] != [4, 1]:
            shapes = " and ".join(str(list(part.shape)) for part in answer)
            raise ValueError(f"return (weight [out, in, k, k], bias [out]), not {shapes}")
        F.conv2d(weight.new_zeros(1, weight.shape[1], 9, 9), *answer)
        return torch.cat([answer[0].flatten(1), answer[1][:, None]], dim=1)

    return rows


def minima(
    loss: np.ndarray, *, around: Sequence = (*ACROSS, *DOWN, *DIAGONAL), lower=np.less, agree=np.all, rim=(1, 1)
) -> int:
    """The number of points lower than those around them; `rim` says how many rows and columns to leave out."""
    found = agree([lower(loss, np.roll(loss, place, axis=(0, 1))) for place in around], axis=0)
    rows, columns = found.shape
    return int(found[rim[0] : rows - rim[0], rim[1] : columns - rim[1]].sum())


def minima_and_rim(loss: np.ndarray) -> int:
    """The number of minima as if all were higher beyond the rim."""
    return minima(np.pad(loss, 1, constant_values=np.inf))


def crossed(patch: np.ndarray) -> float:
    """The mixed second difference, for a step of 1."""
    return (patch[0, 0] - patch[0, 2] - patch[2, 0] + patch[2, 2]) / 4


def curvature(
    patch: np.ndarray, step: float, *, mixed=crossed, twice=2, power=2, of=np.linalg.eigvalsh, pick=np.min
) -> float:
    """What `pick` takes of the eigenvalues of the matrix of second differences."""
    down = patch[0, 1] - twice * patch[1, 1] + patch[2, 1]
    across = patch[1, 0] - twice * patch[1, 1] + patch[1, 2]
    matrix = np.array([[down, mixed(patch)], [mixed(patch), across]]) / step**power
    return pick(of(matrix))


def nearest(point: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
    """Coordinates of the nearest point of a plane by torch's least squares."""
    return torch.linalg.lstsq(torch.stack([d1, d2], dim=1), point[:, None]).solution[:, 0]


def products(point: Tensor, d1: Tensor, d2: Tensor, *, power=0) -> Tensor:
    """Inner products with both directions, over a power of their lengths."""
    return torch.stack([point @ d / d.norm() ** power for d in (d1, d2)])


def in_turn(point: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
    """The nearest point of the first line, then that of the second to what is left."""
    alpha = point @ d1 / (d1 @ d1)
    return torch.stack([alpha, (point - alpha * d1) @ d2 / (d2 @ d2)])


def wrong_sign(point: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
    """The normal equations with the other sign of the product of both directions."""
    matrix = torch.stack([torch.stack([d1 @ d1, -d1 @ d2]), torch.stack([-d1 @ d2, d2 @ d2])])
    return torch.linalg.solve(matrix, products(point, d1, d2))


def turned(point: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
    """Coordinates along d1 and along what is left of d2 without its part along d1."""
    perpendicular = d2 - (d1 @ d2) / (d1 @ d1) * d1
    return torch.stack([point @ d / (d @ d) for d in (d1, perpendicular)])
