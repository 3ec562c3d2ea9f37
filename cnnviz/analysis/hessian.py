"""The extreme curvatures of the loss over all directions of the weights, not only those of a plane.

Li et al., Visualizing the loss landscape of neural nets, NeurIPS 2018, section 6: where the smallest eigenvalue of the
Hessian is small beside the largest, a surface that looks convex is nearly so. C. Lanczos, J. Res. Nat. Bur. Stand. 45,
1950: one run finds both ends.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnviz.analysis.directions import IGNORED, Direction
from cnnviz.analysis.losses import Loss
from cnnviz.analysis.slice import Data, Slice, exact_float32, pair_of

BROKEN_OFF = 1e-6  # of the largest curvature: a rest this small means that the vectors span all that H reaches


@dataclass(frozen=True)
class HessianExtremes:
    """Smallest and largest eigenvalue of the Hessian of the mean loss."""

    smallest: float  # nats for each unit of weight squared
    largest: float
    error: tuple[float, float]  # how far an eigenvalue may lie from each of the two
    steps: int  # products of the Hessian and a vector

    @property
    def ratio(self) -> float:
        """How much of the largest curvature the smallest has, |smallest / largest|; the paper draws it."""
        return abs(self.smallest / self.largest) if self.largest else float("nan")

    def describe(self) -> str:
        """Say both ends and their ratio."""
        return (
            f"Curvature from {self.smallest:.4g} (± {self.error[0]:.1g}) to {self.largest:.4g} "
            f"(± {self.error[1]:.1g}), ratio {self.ratio:.3g}; {self.steps} products of the Hessian and a vector."
        )

    def __repr__(self) -> str:
        return self.describe()


@dataclass(frozen=True, eq=False)
class CurvatureMap:
    """The extreme curvatures over all directions, at every point of a grid in a plane."""

    alphas: np.ndarray  # float64 [A]
    betas: np.ndarray  # float64 [B]
    smallest: np.ndarray  # float64 [A, B], nats for each unit of weight squared
    largest: np.ndarray  # float64 [A, B]

    @property
    def ratio(self) -> np.ndarray:
        """|smallest / largest|, float64 [A, B]; NaN where there is no curvature."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.abs(self.smallest / self.largest)

    def describe(self) -> str:
        """Say the ratio in the centre and its range."""
        i, j = np.abs(self.alphas).argmin(), np.abs(self.betas).argmin()
        known = np.isfinite(self.ratio)
        if not known.any():
            return "The curvature is not finite anywhere."
        ratio = self.ratio[known]
        return (
            f"|smallest / largest| curvature {self.ratio[i, j]:.3g} in the centre, {ratio.min():.3g} to "
            f"{ratio.max():.3g} over {ratio.size} points; the smallest is negative at "
            f"{(self.smallest[known] < 0).mean():.0%} of them."
        )

    def __repr__(self) -> str:
        return self.describe()


def hessian_extremes(
    model: nn.Module,
    data: Data,
    *,
    steps: int = 30,
    ignore: str | None = "biasbn",
    dtype: torch.dtype = torch.float32,
    batch_size: int = 250,
    loss: Loss | None = None,
    generator: torch.Generator | None = None,
) -> HessianExtremes:
    """Return the extreme eigenvalues of the Hessian of the mean loss, batch normalisation frozen; the model stays.

    Lanczos with every vector kept perpendicular to all before it. The ends converge first: from inside, so that the
    true range is at least as wide.

    Args:
        model, data, loss: as for `loss_surface`.
        steps: products of the Hessian and a vector; each costs about three gradients. As many as there are weights
            give the exact values.
        ignore: "biasbn" looks at weights of two and more dimensions alone, None at all parameters.
        dtype: torch.float32 or, for small curvatures, torch.float64.
        batch_size: images at a time; it changes memory and speed alone.
        generator: of the first vector, on the cpu; torch's default one by default.
    """
    one = _slice(model, data, [], dtype, batch_size, loss)
    return _extremes(one, steps, ignore, generator)


def curvature_map(
    model: nn.Module,
    data: Data,
    d1: Direction,
    d2: Direction,
    *,
    alphas: Sequence[float] | np.ndarray,
    betas: Sequence[float] | np.ndarray,
    steps: int = 20,
    ignore: str | None = "biasbn",
    dtype: torch.dtype = torch.float32,
    batch_size: int = 250,
    loss: Loss | None = None,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> CurvatureMap:
    """Return the extreme curvatures at every point of a grid, `steps` products each: keep the grid coarse.

    Args: as for `hessian_extremes` and `loss_surface`.
    """
    one = _slice(model, data, [d1, d2], dtype, batch_size, loss)
    points = [(alpha, beta) for alpha in alphas for beta in betas]
    found = []
    for point in tqdm(points, unit="point", disable=not progress):
        one.move(point)
        found.append(_extremes(one, steps, ignore, generator))
    smallest, largest = (
        np.array([getattr(extremes, end) for extremes in found]).reshape(len(alphas), len(betas))
        for end in ("smallest", "largest")
    )
    return CurvatureMap(np.asarray(alphas, float), np.asarray(betas, float), smallest, largest)


def _slice(model: nn.Module, data: Data, directions, dtype: torch.dtype, batch_size: int, loss: Loss | None) -> Slice:
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype (={dtype}) must be torch.float32 or torch.float64: curvature is lost in bf16")
    return Slice(model, *pair_of(data), directions, dtype=dtype, batch_size=batch_size, loss=loss, fold=False)


def _extremes(one: Slice, steps: int, ignore: str | None, generator: torch.Generator | None) -> HessianExtremes:
    if ignore not in IGNORED:
        raise ValueError(f"ignore (={ignore!r}) must be one of {', '.join(map(repr, IGNORED))}")
    if steps < 1:
        raise ValueError(f"steps (={steps}) must be at least 1")
    weights = [weight for weight in one.network.parameters() if weight.is_floating_point()]
    weights = [weight.requires_grad_() for weight in weights if ignore is None or weight.ndim >= 2]
    if not weights:
        raise ValueError(
            f"the model has no parameter to look at; ignore (={ignore!r}) leaves out those of one dimension"
        )
    try:
        return _lanczos(one, weights, steps, generator)
    finally:
        one.network.requires_grad_(False)


def _lanczos(one: Slice, weights: list[Tensor], steps: int, generator: torch.Generator | None) -> HessianExtremes:
    size = sum(weight.numel() for weight in weights)
    vector = torch.randn(size, generator=generator).to(weights[0])
    vectors, diagonal, beside = [vector / vector.norm()], [], []
    for _ in range(min(steps, size)):
        product = _product(one, weights, vectors[-1])
        if not product.isfinite().all():  # so far away there is no number
            return HessianExtremes(math.nan, math.nan, (math.nan, math.nan), len(vectors))
        diagonal.append((product @ vectors[-1]).item())
        basis = torch.stack(vectors)
        for _ in range(2):  # once loses digits where the product is nearly in the span
            product = product - basis.T @ (basis @ product)
        beside.append(product.norm().item())
        if beside[-1] <= BROKEN_OFF * max(map(abs, diagonal)):
            break
        vectors.append(product / beside[-1])
    matrix = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    values, ends = np.linalg.eigh(matrix)
    error = np.abs(beside[-1] * ends[-1, [0, -1]])
    return HessianExtremes(float(values[0]), float(values[-1]), tuple(error.tolist()), len(diagonal))


def _product(one: Slice, weights: list[Tensor], vector: Tensor) -> Tensor:
    """Return the Hessian of the mean loss, over all images, times a vector [weights]."""
    parts = [part.reshape(weight.shape) for part, weight in
             zip(vector.split([weight.numel() for weight in weights]), weights, strict=True)]  # fmt: skip
    total = torch.zeros_like(vector)
    with torch.enable_grad(), exact_float32(one.device):
        for images, labels in one.batches:
            loss = one.loss(one.network(images), labels).sum() / one.count
            slopes = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
            along = sum((slope * part).sum() for slope, part in zip(slopes, parts, strict=True))
            if not along.requires_grad:  # piecewise linear: no curvature
                continue
            bends = torch.autograd.grad(along, weights, materialize_grads=True)
            total += torch.cat([bend.flatten() for bend in bends])
    return total
