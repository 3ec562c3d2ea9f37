"""Chapter 12, loss surfaces: seven exercises. All ask for functions, which prepare a surface or read one."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cnnviz.exercises.ch12_answers import (
    ACROSS,
    DIAGONAL,
    DOWN,
    as_rows,
    crossed,
    curvature,
    error_of_mean,
    fold,
    in_turn,
    minima,
    minima_and_rim,
    nearest,
    products,
    scaled,
    turned,
    wrong_sign,
)
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, whole_numbers


def check_below_level(below_level: Callable) -> Verdict:
    """The fraction of a grid of losses that lies below a level. Difficulty 1 of 5, 5 minutes.

    ``below_level(loss [A, B], level) -> number``: loss is a NumPy array, every point counts the same.
    """

    def right(loss, level, *, below=np.less):
        return below(loss, level).mean()

    fraction, point = "Divide the number of points by A * B.", "Count points, each once."
    mistakes = [
        Mistake("number of points", fraction, lambda loss, level: (loss < level).sum()),
        Mistake("divided by one side only", fraction, lambda loss, level: (loss < level).sum() / len(loss),
                lambda loss, level: (loss < level).sum() / loss.shape[1]),
        Mistake("percent", "A fraction lies between 0 and 1.", lambda loss, level: 100 * right(loss, level)),
        Mistake("above the level", "Count where the loss is smaller than the level.", partial(right, below=np.greater),
                partial(right, below=np.greater_equal)),
        Mistake("level itself counted", "A loss equal to the level is not below it.",
                partial(right, below=np.less_equal)),
        Mistake("rows or columns counted", point, *(partial(_lines, every=every, axis=axis)
                for every in (np.any, np.all) for axis in (0, 1))),
        Mistake("loss averaged", point, lambda loss, level: loss.mean(), lambda loss, level: loss[loss < level].mean()),
    ]  # fmt: skip
    rows = [
        (np.array([[3.0, 1.0, 2.0, 5.0], [0.5, 0.5, 4.0, 1.5]]), 2.0),
        (np.array([[4.0, 3.0, 4.0], [3.0, 2.5, 3.0], [1.0, 0.5, 2.0], [4.0, 3.0, 5.0], [1.0, 2.0, 9.0]]), 2.3),
        (_grid(1, 6, 4), 3.0),
        (_grid(2, 5, 7), 5.0),
    ]
    return compare("below_level", below_level, right, cases("loss level", *rows), mistakes)


def check_standard_error(standard_error: Callable) -> Verdict:
    """The standard error of a mean loss. Difficulty 2 of 5, 10 minutes.

    ``standard_error(losses [N]) -> number``: the sample deviation (N - 1 in it) over the root of N.
    """
    deviation = "The deviation is the root of the variance."
    mistakes = [
        Mistake("not divided", "The mean of N losses varies less than one loss: divide by the root of N.",
                *(partial(error_of_mean, freedom=freedom, root_n=0) for freedom in (1, 0))),
        Mistake("two standard errors", "The band of a picture is two wide; the standard error is one.",
                lambda losses: 2 * error_of_mean(losses)),
        Mistake("divided by N", "Divide the deviation by the root of N.", partial(error_of_mean, root_n=1)),
        Mistake("variance for deviation", deviation,
                *(partial(error_of_mean, root=1, root_n=root_n) for root_n in (1, 0.5, 0))),
        Mistake("N in the deviation", "The squares are divided by N - 1.", partial(error_of_mean, freedom=0)),
        Mistake("root of N - 1", "N - 1 belongs into the deviation alone.",
                lambda losses: losses.std() / (len(losses) - 1) ** 0.5),
        Mistake("mean not subtracted", "A deviation is a distance from the mean.",
                *(partial(error_of_mean, freedom=freedom, centre=torch.zeros_like) for freedom in (1, 0))),
        Mistake("distances not squared", "Square the distances from the mean.",
                lambda losses: (losses - losses.mean()).abs().mean() / len(losses) ** 0.5),
        Mistake("mean for deviation", "How far do the losses lie from their mean?",
                torch.mean, lambda losses: losses.mean() / len(losses) ** 0.5),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(3)
    losses = [torch.tensor([1.0, 3.0]), torch.tensor([2.0, 0.0, 7.0, 3.0]), torch.tensor([5.0, 1.0, 1.0, 1.0, 2.0])]
    losses.append(4 * torch.rand(20, generator=draw) ** 3)
    given = cases("losses", *[(one,) for one in losses])
    return compare("standard_error", standard_error, error_of_mean, given, mistakes)


def check_filter_normalised(filter_normalised: Callable) -> Verdict:
    """A drawn direction, each filter as long as that of the network. Difficulty 2 of 5, 10 minutes.

    ``filter_normalised(drawn, weight) -> drawn's shape``: both [out, in, k, k] (convolution) or [out, in] (linear).
    """

    def unit(weight, drawn):
        return 1 / drawn

    filters = "Filter j is drawn[j]: it has one length, over all that it holds, and no other."
    both = "The factor of a filter is the length of weight[j] divided by the length of drawn[j]."
    length = "A length is the root of the sum of squares."
    mistakes = [
        Mistake("whole layer scaled", filters, partial(scaled, inside=lambda n: tuple(range(n)))),
        Mistake("each input channel scaled", filters, partial(scaled, inside=lambda n: (0, *range(2, n)))),
        Mistake("each window scaled", filters, partial(scaled, inside=lambda n: (-2, -1))),
        Mistake("second axis only", filters, partial(scaled, inside=lambda n: (1,))),
        Mistake("first axis only", filters, partial(scaled, inside=lambda n: (0,))),
        Mistake(
            "weight scaled",
            "Return what was drawn, with the lengths of the weight, not the other way round.",
            lambda drawn, weight: scaled(weight, drawn),
        ),
        Mistake("last axis only", filters, partial(scaled, inside=lambda n: (-1,))),
        Mistake("each number scaled", filters, lambda drawn, weight: drawn.sign() * weight.abs()),
        Mistake("only multiplied", both, partial(scaled, factor=lambda weight, drawn: weight)),
        Mistake("length 1", both, partial(scaled, factor=unit)),
        Mistake("factor upside down", both, partial(scaled, factor=lambda weight, drawn: drawn / weight)),
        Mistake("divided by the weight's length", both, partial(scaled, factor=lambda weight, drawn: 1 / weight)),
        Mistake("not scaled", both, lambda drawn, weight: drawn),
        Mistake("root forgotten", length, partial(scaled, root=1)),
        Mistake("absolute values added", length, partial(scaled, power=1, root=1)),
    ]
    pairs = [(torch.tensor([[3.0, 4.0], [5.0, 12.0]]), torch.tensor([[8.0, 6.0], [0.0, -26.0]]))]
    pairs += [(_normal(seed, *shape), 3 * _normal(seed + 9, *shape))
              for seed, shape in enumerate([(3, 4), (2, 3, 2, 2), (4, 1, 3, 3), (3, 3, 1, 1)])]  # fmt: skip
    given = cases("drawn weight", *pairs)
    return compare("filter_normalised", filter_normalised, scaled, given, mistakes)


def check_folded(folded: Callable) -> Verdict:
    """Frozen batch normalisation multiplied into the convolution before it. Difficulty 3 of 5, 15 minutes.

    ``folded(weight [out, in, k, k], mean, var, gamma, beta [out], eps) -> (weight, bias)`` of the one convolution that
    does what the bias-free one and ``gamma * (maps - mean) / sqrt(var + eps) + beta`` do. The verdict shows a pair as
    a table: a row a filter, its bias at the end.
    """

    def without_gamma(weight, mean, var, gamma, beta, eps):
        return fold(weight, mean, var, torch.ones_like(gamma), beta, eps)

    def without_eps(weight, mean, var, gamma, beta, eps, *, outside=0):
        return fold(weight, mean, var, gamma, beta, 0, outside=eps * outside)

    def gamma_in_weight(weight, mean, var, gamma, beta, eps):
        return fold(weight, mean, var, gamma, beta, eps)[0], without_gamma(weight, mean, var, gamma, beta, eps)[1]

    def gamma_for_scale(weight, mean, var, gamma, beta, eps):
        return fold(weight, mean, var, gamma, beta, eps)[0], beta - mean * gamma

    scale = "The scale is gamma / sqrt(var + eps)."
    own = "Filter j, weight[j], has one scale, that of output map j."
    bias = "maps - mean is scaled, then beta is added: where does that leave mean * scale, and where beta?"
    both = "Return two tensors: weight [out, in, k, k] and bias [out]."
    known = [
        Mistake("eps forgotten", scale, without_eps),
        Mistake("eps outside the root", scale, partial(without_eps, outside=1)),
        Mistake("root forgotten", scale, partial(fold, root=1)),
        Mistake("gamma forgotten", scale, without_gamma),
        Mistake("gamma forgotten in the bias", bias, gamma_in_weight),
        Mistake("multiplied by the deviation", scale, partial(fold, root=-0.5)),
        Mistake("scale along the input", own, partial(fold, shape=(1, -1, 1, 1))),
        Mistake("scale along the window", own, partial(fold, shape=(-1,)), partial(fold, shape=(-1, 1))),
        Mistake("weight not scaled", own, lambda weight, *rest: (weight, fold(weight, *rest)[1])),
        Mistake("mean forgotten", bias, partial(fold, bias=lambda mean, scale, beta: beta)),
        Mistake("sign of the bias turned", bias, partial(fold, bias=lambda mean, scale, beta: mean * scale - beta)),
        Mistake("mean added", bias, partial(fold, bias=lambda mean, scale, beta: beta + mean * scale)),
        Mistake("mean times gamma alone", bias, gamma_for_scale),
        Mistake("mean not scaled", bias, partial(fold, bias=lambda mean, scale, beta: beta - mean)),
        Mistake("beta scaled", bias, partial(fold, bias=lambda mean, scale, beta: (beta - mean) * scale)),
        Mistake("beta forgotten", bias, partial(fold, bias=lambda mean, scale, beta: -mean * scale)),
        Mistake("bias not returned", both, lambda *given: fold(*given)[0]),
    ]
    mistakes = [Mistake(m.name, m.advice, *map(as_rows, m.answers)) for m in known]
    first = [whole_numbers(1, 2, 2, 1, 1), *map(torch.tensor, ([1.0, -2.0], [3.0, 8.0], [4.0, 9.0], [5.0, -1.0])), 1.0]
    rows = [first]
    for seed, (shape, eps) in enumerate([((3, 3, 3, 3), 0.1), ((2, 2, 2, 2), 1e-3), ((1, 3, 2, 2), 1e-5)]):
        mean, var, gamma, beta = _normal(seed, 4, shape[0])
        rows.append([_normal(seed + 9, *shape), mean, 0.1 + var**2, 1 + gamma, beta, eps])
    given = cases("weight mean var gamma beta eps", *rows)
    learners = as_rows(folded) if callable(folded) else folded
    return compare("folded", learners, as_rows(fold), given, mistakes)


def check_local_minima(local_minima: Callable) -> Verdict:
    """How many points of a grid lie lower than all around them. Difficulty 3 of 5, 15 minutes.

    ``local_minima(loss [A, B]) -> number``: inner points, lower than all eight neighbours; loss is a NumPy array.
    """

    def lowest(loss):
        return (loss == loss.min()).sum()

    around = "A point has eight neighbours, the four at its corners among them."
    inner = "Points on the rim have not eight neighbours: leave them out."
    every = "A minimum lies lower than each of its neighbours, and there may be several minima or none."
    mistakes = [
        Mistake("four neighbours", around, partial(minima, around=(*ACROSS, *DOWN))),
        Mistake("corners only", around, partial(minima, around=DIAGONAL)),
        Mistake("one row or column only", around, partial(minima, around=ACROSS), partial(minima, around=DOWN),
                partial(minima, around=ACROSS, rim=(0, 1)), partial(minima, around=DOWN, rim=(1, 0))),
        Mistake("rim counted", inner, minima_and_rim),
        Mistake("joined at the rim", inner + " np.roll and the index -1 take the neighbour from the other side.",
                partial(minima, rim=(0, 0))),
        Mistake("equal neighbours allowed", "Lower is <, not <=.", partial(minima, lower=np.less_equal)),
        Mistake("maxima", "Lower is <, not >.", partial(minima, lower=np.greater)),
        Mistake("one lower neighbour is enough", every, partial(minima, agree=np.any)),
        Mistake("lowest point only", every, lowest, lambda loss: 1),
    ]  # fmt: skip
    grids = [
        np.array([[3.0, 2, 3], [2, 1, 2], [3, 2, 3]]),
        np.array([[0.0, 3, 3, 3], [3, 1, 3, 2], [3, 3, 3, 3]]),
        np.array([[5.0, 5, 5, 5, 5], [5, 2, 5, 1, 5], [5, 5, 5, 5, 5], [5, 4, 5, 3, 3], [5, 5, 5, 5, 5]]),
        np.array([[4.0, 1, 3, 0, 2], [2, 3, 1, 5, 1]]),
        _grid(3, 8, 11),
        _grid(4, 12, 7),
    ]
    given = cases("loss", *[(grid,) for grid in grids])
    return compare("local_minima", local_minima, minima, given, mistakes)


def check_smallest_curvature(smallest_curvature: Callable) -> Verdict:
    """The smaller curvature of a surface from nine of its points. Difficulty 4 of 5, 20 minutes.

    ``smallest_curvature(patch [3, 3], step) -> number``: the smaller eigenvalue of the 2 x 2 matrix of second
    differences in the middle; neighbours of a row or column are `step` apart; patch is a NumPy array.
    """

    def corner(patch):
        return patch[2, 2] - patch[2, 1] - patch[1, 2] + patch[1, 1]

    def corners(patch):
        return (patch[::2, ::2].sum() - 4 * patch[1, 1]) / 4

    def flattest(values):
        return min(values, key=abs)

    mixed = "Mixed: two opposite corners minus the other two, divided by 4 * step ** 2."
    squared = "Second differences are divided by step ** 2."
    pick = "np.linalg.eigvalsh gives both eigenvalues, the smaller first; below 0 the surface bends downwards."
    mistakes = [
        Mistake("mixed difference forgotten", mixed, partial(curvature, mixed=lambda patch: 0)),
        Mistake("mixed difference not divided by 4", mixed,
                *(partial(curvature, mixed=lambda patch, by=by: by * crossed(patch)) for by in (4, 2))),
        Mistake("mixed difference of one corner", mixed, partial(curvature, mixed=corner)),
        Mistake("corners added", mixed, partial(curvature, mixed=corners)),
        Mistake("step not squared", squared, partial(curvature, power=1)),
        Mistake("step forgotten", squared, partial(curvature, power=0)),
        Mistake("middle taken once", "One neighbour minus twice the middle plus the other.",
                partial(curvature, twice=1)),
        Mistake("signs turned", "One neighbour minus twice the middle plus the other.",
                partial(curvature, pick=lambda values: -values[-1])),
        Mistake("first of unsorted eigenvalues", "np.linalg.eigvals does not sort; np.linalg.eigvalsh does.",
                partial(curvature, of=np.linalg.eigvals, pick=lambda values: values[0])),
        Mistake("larger eigenvalue", pick, partial(curvature, pick=np.max)),
        Mistake("smallest absolute value", pick, partial(curvature, pick=flattest)),
        Mistake("determinant", pick, partial(curvature, pick=np.prod)),
        Mistake("sum or mean of both", pick, partial(curvature, pick=np.sum), partial(curvature, pick=np.mean)),
    ]  # fmt: skip
    rows = [
        (np.array([[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]]), 1),
        (np.array([[5.0, 2.0, 3.0], [2.0, 1.0, 4.0], [1.0, 6.0, 7.0]]), 1),
        (np.array([[3.0, 1.0, 2.0], [2.0, 4.0, 3.0], [5.0, 3.0, 1.0]]), 2),
        (_grid(5, 3, 3), 0.5),
        (_grid(6, 3, 3), 0.2),
    ]
    return compare("smallest_curvature", smallest_curvature, curvature, cases("patch step", *rows), mistakes)


def check_plane_coordinates(plane_coordinates: Callable) -> Verdict:
    """Where in a plane a point's nearest point lies. Difficulty 4 of 5, 20 minutes.

    ``plane_coordinates(point, d1, d2) -> (alpha, beta)``: all 1-D, alpha * d1 + beta * d2 is as near to point as can
    be; d1 and d2 need be neither perpendicular nor of length 1.
    """

    def shadow(point, d1, d2):
        alpha, beta = nearest(point, d1, d2)
        return alpha * d1 + beta * d2

    def as_lengths(point, d1, d2):
        return nearest(point, d1, d2) * torch.stack([d1.norm(), d2.norm()])

    def undivided(point, d1, d2):
        return nearest(point, d1, d2) * ((d1 @ d1) * (d2 @ d2) - (d1 @ d2) ** 2)

    long = "With both inner products as they are, alpha and beta grow with the directions."
    unit = "That is right for perpendicular directions of length 1 only: solve for alpha and beta together."
    square = "That is right for perpendicular directions; others share a part, so solve for alpha and beta together."
    mistakes = [
        Mistake("inner products", long, products),
        Mistake("divided by the lengths", unit, partial(products, power=1)),
        Mistake("divided by the squared lengths", square, partial(products, power=2)),
        Mistake("one after the other", square, in_turn, lambda point, d1, d2: in_turn(point, d2, d1).flip(0)),
        Mistake("in a turned second direction", "You made d2 perpendicular to d1: go back to the given d2.", turned),
        Mistake("sign of d1 @ d2", "The matrix holds d1 @ d2 as it is, twice.", wrong_sign),
        Mistake("not divided by the determinant", "Divide both by the determinant of the matrix.", undivided),
        Mistake("in units of length", "alpha counts how many times d1, however long d1 is.", as_lengths),
        Mistake("order exchanged", "Return (alpha, beta).", lambda *given: nearest(*given).flip(0)),
        Mistake("point for coordinates", "Return alpha and beta, not the point that they lead to.", shadow),
    ]  # fmt: skip
    rows = [
        tuple(map(torch.tensor, ([4.0, 9.0, 1.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]))),
        tuple(map(torch.tensor, ([3.0, 2.0, 5.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]))),
        tuple(whole_numbers(4, 3, 6)),
        tuple(_normal(5, 3, 40)),
    ]
    return compare("plane_coordinates", plane_coordinates, nearest, cases("point d1 d2", *rows), mistakes)


def _lines(loss: np.ndarray, level: float, *, every: Callable, axis: int) -> float:
    """The fraction of rows or columns of which every point, or any, lies below the level."""
    return every(loss < level, axis=axis).mean()


def _grid(seed: int, *shape: int) -> np.ndarray:
    """Whole numbers from 0 to 9 as losses: some neighbours are equal."""
    return np.random.default_rng(seed).integers(0, 10, shape).astype(float)


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
