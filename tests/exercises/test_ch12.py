"""The exercises of chapter 12: right answers pass, each wrong one is called by its own name."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.loss_surface import LossSurface
from cnnviz.analysis.trajectory import project
from cnnviz.exercises import ch12

from .solutions import rewritten

MEAN = "(loss < level).mean()"
ROOT_N = "deviation / len(losses) ** 0.5"
SQUARES = "(losses - losses.mean()) ** 2"
DEVIATION = "(squares.sum() / (len(losses) - 1)) ** 0.5"
OF_WEIGHT, OF_DRAWN = "weight[j].norm()", "drawn[j].norm()"
FACTOR = f"{OF_WEIGHT} / {OF_DRAWN}"
LOOP = f"result[j] = drawn[j] * {FACTOR}"
SCALE = "gamma / (var + eps) ** 0.5"
ALONG = "[:, None, None, None]"
BIAS = "beta - mean * scale"
RESULT = "return found"
EIGEN = "np.linalg.eigvalsh([[aa, ab], [ab, bb]])[0]"
SOLVE = "torch.linalg.solve(plane @ plane.T, plane @ point)"
ROLLED = (
    "places = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]\n"
    "    return int(np.all([loss < np.roll(loss, place, (0, 1)) for place in places], axis=0).sum())"
)


def normed(axes):
    """The edit that takes lengths along these axes in the place of the loop's."""
    weight, drawn = (f"torch.linalg.vector_norm({name}, dim=axes, keepdim=True)" for name in ("weight", "drawn"))
    return "return result", f"axes = {axes}\n    return drawn * {weight} / {drawn}"


# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("below_level", "number of points", ".mean()", ".sum()"),
    ("below_level", "divided by one side only", ".mean()", ".sum() / len(loss)"),
    ("below_level", "divided by one side only", ".mean()", ".sum() / loss.shape[1]"),
    ("below_level", "percent", MEAN, f"100 * {MEAN}"),
    ("below_level", "above the level", "<", ">"),
    ("below_level", "above the level", "<", ">="),
    ("below_level", "level itself counted", "<", "<="),
    ("below_level", "rows or columns counted", ".mean()", ".any(axis=1).mean()"),
    ("below_level", "rows or columns counted", ".mean()", ".any(axis=0).mean()"),
    ("below_level", "rows or columns counted", ".mean()", ".all(axis=1).mean()"),
    ("below_level", "rows or columns counted", ".mean()", ".all(axis=0).mean()"),
    ("below_level", "loss averaged", MEAN, "loss.mean()"),
    ("below_level", "loss averaged", MEAN, "loss[loss < level].mean()"),
    ("below_level", "wrong type", ".mean()", ""),
    ("below_level", "wrong shape", ".mean()", ".mean(axis=1)"),
    ("below_level", "raised an exception", MEAN, "sum(row < level for row in loss) / loss.size()"),
    ("standard_error", "not divided", ROOT_N, "deviation"),
    ("standard_error", "not divided", ROOT_N, "deviation", "(len(losses) - 1)", "len(losses)"),
    ("standard_error", "two standard errors", ROOT_N, f"2 * {ROOT_N}"),
    ("standard_error", "divided by N", "len(losses) ** 0.5", "len(losses)"),
    ("standard_error", "variance for deviation", DEVIATION, DEVIATION[:-7], "len(losses) ** 0.5", "len(losses)"),
    ("standard_error", "variance for deviation", DEVIATION, DEVIATION[:-7]),
    ("standard_error", "variance for deviation", DEVIATION, DEVIATION[:-7], ROOT_N, "deviation"),
    ("standard_error", "N in the deviation", "(len(losses) - 1)", "len(losses)"),
    ("standard_error", "root of N - 1", ROOT_N, "deviation / (len(losses) - 1) ** 0.5"),
    ("standard_error", "mean not subtracted", SQUARES, "losses**2"),
    ("standard_error", "mean not subtracted", SQUARES, "losses**2", "(len(losses) - 1)", "len(losses)"),
    ("standard_error", "distances not squared", DEVIATION, "(losses - losses.mean()).abs().mean()"),
    ("standard_error", "mean for deviation", DEVIATION, "losses.mean()"),
    ("standard_error", "mean for deviation", ROOT_N, "losses.mean()"),
    ("standard_error", "wrong shape", "squares.sum()", "squares"),
    ("filter_normalised", "whole layer scaled", FACTOR, "weight.norm() / drawn.norm()"),
    ("filter_normalised", "each input channel scaled", *normed("(0, *range(2, drawn.ndim))")),
    ("filter_normalised", "each input channel scaled",
     "len(drawn)", "drawn.shape[1]", LOOP, "result[:, j] = drawn[:, j] * weight[:, j].norm() / drawn[:, j].norm()"),
    ("filter_normalised", "each window scaled", *normed("(-2, -1)")),
    ("filter_normalised", "second axis only", *normed("1")),
    ("filter_normalised", "first axis only", *normed("0")),
    ("filter_normalised", "weight scaled", FACTOR, f"{OF_DRAWN} / {OF_WEIGHT}", "drawn[j] *", "weight[j] *"),
    ("filter_normalised", "last axis only", *normed("-1")),
    ("filter_normalised", "each number scaled", FACTOR, "weight[j].abs() / drawn[j].abs()"),
    ("filter_normalised", "only multiplied", FACTOR, OF_WEIGHT),
    ("filter_normalised", "length 1", f"* {FACTOR}", f"/ {OF_DRAWN}"),
    ("filter_normalised", "factor upside down", FACTOR, f"{OF_DRAWN} / {OF_WEIGHT}"),
    ("filter_normalised", "divided by the weight's length", f"* {FACTOR}", f"/ {OF_WEIGHT}"),
    ("filter_normalised", "not scaled", f" * {FACTOR}", ""),
    ("filter_normalised", "root forgotten", FACTOR, "(weight[j] ** 2).sum() / (drawn[j] ** 2).sum()"),
    ("filter_normalised", "absolute values added", FACTOR, "weight[j].abs().sum() / drawn[j].abs().sum()"),
    ("filter_normalised", "raised an exception", *normed("(1, 2, 3)")),
    ("filter_normalised", "all zeros", LOOP, "pass"),
    ("filter_normalised", "changes its input", "torch.zeros_like(drawn)", "drawn"),
    ("folded", "eps forgotten", "(var + eps)", "var"),
    ("folded", "eps outside the root", "(var + eps) ** 0.5", "(var**0.5 + eps)"),
    ("folded", "root forgotten", " ** 0.5", ""),
    ("folded", "gamma forgotten", "gamma /", "1 /"),
    ("folded", "gamma forgotten in the bias", BIAS, "beta - mean / (var + eps) ** 0.5"),
    ("folded", "multiplied by the deviation", "gamma /", "gamma *"),
    ("folded", "scale along the input", ALONG, "[None, :, None, None]"),
    ("folded", "scale along the window", ALONG, ""),
    ("folded", "scale along the window", ALONG, "[:, None]"),
    ("folded", "weight not scaled", f"weight * scale{ALONG}", "weight"),
    ("folded", "mean forgotten", BIAS, "beta"),
    ("folded", "sign of the bias turned", BIAS, "mean * scale - beta"),
    ("folded", "mean times gamma alone", BIAS, "beta - mean * gamma"),
    ("folded", "mean added", BIAS, "beta + mean * scale"),
    ("folded", "mean not scaled", BIAS, "beta - mean"),
    ("folded", "beta scaled", BIAS, "(beta - mean) * scale"),
    ("folded", "beta forgotten", BIAS, "-mean * scale"),
    ("folded", "bias not returned", f", {BIAS}", ""),
    ("folded", "raised an exception", BIAS, f"(beta - mean * scale){ALONG}"),
    ("folded", "raised an exception", f"weight * scale{ALONG}, {BIAS}", f"{BIAS}, weight * scale{ALONG}"),
    ("folded", "wrong type", BIAS, "None"),
    ("folded", "changes its input", f"return weight * scale{ALONG}", f"weight *= scale{ALONG}\n    return weight"),
    ("local_minima", "four neighbours", "np.delete(window, 4)", "window[(0, 1, 1, 2), (1, 0, 2, 1)]"),
    ("local_minima", "corners only", "np.delete(window, 4)", "window[::2, ::2]"),
    ("local_minima", "one row or column only", "np.delete(window, 4)", "window[1, ::2]"),
    ("local_minima", "one row or column only", "np.delete(window, 4)", "window[::2, 1]"),
    ("local_minima", "one row or column only", "range(1, loss.shape[0] - 1)", "range(loss.shape[0])",
     "np.delete(window, 4)", "loss[i, [j - 1, j + 1]]"),
    ("local_minima", "one row or column only", "range(1, loss.shape[1] - 1)", "range(loss.shape[1])",
     "np.delete(window, 4)", "loss[[i - 1, i + 1], j]"),
    ("local_minima", "rim counted", "found = 0", "found, loss = 0, np.pad(loss, 1, constant_values=99)"),
    ("local_minima", "joined at the rim", "found = 0", ROLLED),
    ("local_minima", "equal neighbours allowed", "<", "<="),
    ("local_minima", "maxima", "<", ">"),
    ("local_minima", "one lower neighbour is enough", ".all()", ".any()"),
    ("local_minima", "lowest point only", RESULT, "return (loss == loss.min()).sum()"),
    ("local_minima", "lowest point only", RESULT, "return 1"),
    ("local_minima", "all zeros", "np.delete(window, 4)", "window"),
    ("local_minima", "raised an exception", "shape[0] - 1", "shape[0]", "np.delete(window, 4)", "loss[i + 1]"),
    ("local_minima", "wrong type", RESULT, "return found / 1"),
    ("smallest_curvature", "mixed difference forgotten", "[[aa, ab], [ab, bb]]", "[[aa, 0], [0, bb]]"),
    ("smallest_curvature", "mixed difference forgotten", EIGEN, "min(aa, bb)"),
    ("smallest_curvature", "mixed difference not divided by 4", "4 * ", ""),
    ("smallest_curvature", "mixed difference not divided by 4", "4 * ", "2 * "),
    ("smallest_curvature", "mixed difference of one corner",
     "(patch[0, 0] - patch[0, 2] - patch[2, 0] + patch[2, 2]) / (4 * step**2)",
     "(patch[1, 1] - patch[1, 2] - patch[2, 1] + patch[2, 2]) / step**2"),
    ("smallest_curvature", "corners added", "patch[0, 0] - patch[0, 2] - patch[2, 0] + patch[2, 2]",
     "patch[0, 0] + patch[0, 2] + patch[2, 0] + patch[2, 2] - 4 * patch[1, 1]"),
    ("smallest_curvature", "step not squared", "step**2", "step"),
    ("smallest_curvature", "step forgotten", "step**2", "1"),
    ("smallest_curvature", "middle taken once", "2 * patch[1, 1]", "patch[1, 1]"),
    ("smallest_curvature", "signs turned", "[[aa, ab], [ab, bb]]", "[[-aa, -ab], [-ab, -bb]]"),
    ("smallest_curvature", "first of unsorted eigenvalues", "eigvalsh", "eigvals"),
    ("smallest_curvature", "larger eigenvalue", "bb]])[0]", "bb]])[1]"),
    ("smallest_curvature", "smallest absolute value", EIGEN, f"min({EIGEN[:-3]}, key=abs)"),
    ("smallest_curvature", "determinant", EIGEN, "aa * bb - ab**2"),
    ("smallest_curvature", "sum or mean of both", EIGEN, "aa + bb"),
    ("smallest_curvature", "sum or mean of both", EIGEN, "(aa + bb) / 2"),
    ("smallest_curvature", "wrong shape", EIGEN, EIGEN[:-3]),
    ("plane_coordinates", "inner products", SOLVE, "plane @ point"),
    ("plane_coordinates", "divided by the lengths", SOLVE, "plane @ point / plane.norm(dim=1)"),
    ("plane_coordinates", "divided by the squared lengths", SOLVE, "plane @ point / (plane**2).sum(dim=1)"),
    ("plane_coordinates", "one after the other", "plane @ plane.T", "(plane @ plane.T).tril()"),
    ("plane_coordinates", "one after the other", "plane @ plane.T", "(plane @ plane.T).triu()"),
    ("plane_coordinates", "in a turned second direction", SOLVE,
     "torch.stack([point @ d / (d @ d) for d in (d1, d2 - (d1 @ d2) / (d1 @ d1) * d1)])"),
    ("plane_coordinates", "sign of d1 @ d2", "plane @ plane.T", "plane @ plane.T * torch.tensor([[1, -1], [-1, 1]])"),
    ("plane_coordinates", "not divided by the determinant", SOLVE, f"{SOLVE} * (plane @ plane.T).det()"),
    ("plane_coordinates", "in units of length", SOLVE, f"{SOLVE} * plane.norm(dim=1)"),
    ("plane_coordinates", "order exchanged", SOLVE, f"{SOLVE}.flip(0)"),
    ("plane_coordinates", "point for coordinates", SOLVE, f"{SOLVE} @ plane"),
    ("plane_coordinates", "wrong shape", SOLVE, "torch.linalg.solve(plane @ plane.T, (plane @ point)[:, None])"),
    ("plane_coordinates", "raised an exception", "plane @ plane.T", "plane"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    assert getattr(ch12, f"check_{exercise}")(rewritten(exercise, *edits)).mistake == mistake


def surface(loss, step=1.0):
    """A grid as the package keeps it."""
    axes = [step * np.arange(size, dtype=float) for size in loss.shape]
    nothing = np.zeros((*loss.shape, 1), dtype=int)
    return LossSurface(*axes, loss, loss, loss, nothing, nothing[0, 0])


def by_the_package(drawn, weight):
    """Draw a direction of the package as `drawn`: with torch's random numbers in the place of its own."""
    layer = nn.Linear(2, 2, bias=False) if weight.ndim == 2 else nn.Conv2d(1, 1, 1, bias=False)
    layer.weight = nn.Parameter(weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", lambda shape, generator=None: drawn)
        return random_direction(layer)["weight"]


def fused(weight, mean, var, gamma, beta, eps):
    """By torch's own function, and as a list."""
    return [part.detach() for part in fuse_conv_bn_weights(weight, None, mean, var, eps, gamma, beta)]


def located(point, d1, d2):
    """By the package's projection of checkpoints."""
    return tuple(project([{"w": point}], {"w": torch.zeros_like(point)}, ({"w": d1}, {"w": d2}))[0][0])


RIGHT = {
    "below_level by counting": lambda: ch12.check_below_level(
        lambda loss, level: sum(float(one) < level for one in loss.flat) / loss.size
    ),
    "standard_error by torch": lambda: ch12.check_standard_error(lambda losses: losses.std() / len(losses) ** 0.5),
    "standard_error by numpy": lambda: ch12.check_standard_error(
        lambda losses: losses.numpy().std() / (len(losses) - 1) ** 0.5
    ),
    "filter_normalised of the package": lambda: ch12.check_filter_normalised(by_the_package),
    "folded by torch": lambda: ch12.check_folded(fused),
    "local_minima of the package": lambda: ch12.check_local_minima(lambda loss: len(surface(loss).local_minima())),
    "smallest_curvature of the package": lambda: ch12.check_smallest_curvature(
        lambda patch, step: surface(patch, step).curvature()[0].item()
    ),
    "plane_coordinates of the package": lambda: ch12.check_plane_coordinates(located),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_the_folded_convolution_does_what_convolution_and_normalisation_do():
    draw = torch.Generator().manual_seed(1)
    conv, norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-3).eval()
    for one in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        one.data = torch.rand(4, generator=draw) + 0.1
    images = torch.randn(2, 3, 6, 5, generator=draw)
    given = conv.weight, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps
    torch.testing.assert_close(F.conv2d(images, *rewritten("folded")(*given)), norm(conv(images)))


def test_the_curvature_of_a_quadratic_surface_is_that_of_its_matrix():
    matrix = np.array([[1.0, 2.0], [2.0, -0.5]])
    step, points = 0.3, np.array([-0.3, 0.0, 0.3])
    grid = np.stack(np.meshgrid(points, points, indexing="ij"), axis=-1)
    patch = 0.5 * np.einsum("abi,ij,abj->ab", grid, matrix, grid) + grid @ [0.7, -0.2]
    assert rewritten("smallest_curvature")(patch, step) == pytest.approx(np.linalg.eigvalsh(matrix)[0])


def test_a_pair_is_shown_as_a_table_with_the_bias_at_the_end():
    verdict = ch12.check_folded(lambda weight, mean, var, gamma, beta, eps: (weight, beta))
    assert verdict.mistake == "wrong values"
    weight, beta = verdict.given["weight"], verdict.given["beta"]
    assert verdict.got.tolist() == [[*weight[j].flatten().tolist(), float(beta[j])] for j in range(2)]


def test_what_is_no_convolution_is_told_with_the_shapes_that_are_wanted():
    verdict = ch12.check_folded(lambda weight, mean, *others: (weight, mean[:, None]))
    assert "return (weight [out, in, k, k], bias [out]), not [2, 2, 1, 1] and [2, 1]" in verdict.message
