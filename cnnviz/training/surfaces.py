"""The surfaces of an experiment: of each trained network a slice in every random plane, and one along its path."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.analysis.device import has_bf16
from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.growth import growth
from cnnviz.analysis.landscape import BATCH, PATH
from cnnviz.analysis.loss_surface import LossSurface, loss_surface
from cnnviz.analysis.trajectory import pca_directions, trajectory
from cnnviz.datasets import load_dataset
from cnnviz.training.experiments import Cell
from cnnviz.training.results import Results

MARGIN = 0.2  # of the path's width, left free around it
GROWING = 100  # images that show how maps grow


def planes(cell: Cell) -> list[str]:
    """Return the planes through a network, most important first."""
    first, *others = [f"seed {seed}" for seed in cell.surface["seeds"]]
    return [first, PATH, f"{first}, {BATCH}", *others]


def compute(results: Results, cell: Cell, plane: str, device, deadline: float, accelerator=None) -> LossSurface:
    """Return one surface, and write it if it was finished before the time was up; rows are kept beside the checkpoints.

    The path of training over it is written beside it, as `...-trajectory.npz`.

    Raises:
        ValueError: weights or rows that are kept there are of another plan.
    """
    weights = results.load_weights(cell)
    data = load_dataset(cell.dataset).subset(cell.train_limit, cell.test_limit)
    model = cell.build(data.num_classes, data.image_shape[0])
    model.load_state_dict(weights[-1])
    points, images = (cell.surface[key] for key in ("points", "images"))
    images = images // 4 if plane == PATH else images  # a contour wants fewer than curvature
    shown = data.subset(train=min(images, len(data.x_train)))
    pair = data.normalise(shown.x_train), shown.y_train
    if plane == PATH:
        # Frozen statistics are those of the end: at the beginning of the path they are of another network. A contour
        # is all that is asked of this plane: bf16 will do. Curvature, of the others, is lost in its rounding.
        found = pca_directions(weights)
        directions, axes, bn = found.directions, _around(found.coordinates, points), "batch"
        dtype = torch.bfloat16 if has_bf16(device) else torch.float32
        about = {"explained_variance_ratio": found.explained_variance_ratio.tolist()}
    else:
        directions, seed = _random(model, plane)
        bn = "batch" if plane.endswith(BATCH) else "frozen"
        axes, dtype, about = 2 * [np.linspace(-1, 1, points)], torch.float32, {"seed": seed}
    kept = results.checkpoints / results.part_file(cell, plane).name
    surface = loss_surface(
        model.to(device), pair, *directions, alphas=axes[0], betas=axes[1], bn=bn, dtype=dtype,
        resume=kept, accelerator=accelerator, minutes=(deadline - time.monotonic()) / 60,
        metadata={"network": cell.variant, "plane": plane, "dataset": cell.dataset, "trained": results.trained(cell)}
        | about,
    )  # fmt: skip
    if surface.complete and (not accelerator or accelerator.is_main_process):
        results.folder.mkdir(parents=True, exist_ok=True)
        over = trajectory(model, pair, weights, directions, bn=bn)
        over.save(results.part_file(cell, f"{plane}-trajectory"))
        if plane.endswith(BATCH):  # what frozen statistics do where the first direction ends
            surface.metadata["growth"] = growing(model, pair[0][:GROWING], weights, plane)
        surface.save(results.part_file(cell, plane))  # last: this file says that all is there
        kept.unlink()
    return surface


def growing(model: nn.Module, images: Tensor, weights: list[dict], plane: str) -> dict[str, dict[str, float]]:
    """Return the `growth` of maps along the first direction of a plane after 1, 2, 4, ... passes, and after the last.

    The direction is normalised by the weights that the model has then. The model keeps the last ones.

    Args:
        weights: after every pass; the first are those before training, whose statistics are of no network.
    """
    last, found = len(weights) - 1, {}
    for epoch in sorted({last, *(2**power for power in range(last.bit_length()))}):
        model.load_state_dict(weights[epoch])
        (d, _), _ = _random(model, plane)
        found[str(epoch)] = growth(model, images, d)
    return found


def _random(model: nn.Module, plane: str) -> tuple[tuple, int]:
    seed = int(plane.split()[1].rstrip(","))
    generator = torch.Generator().manual_seed(seed)
    return tuple(random_direction(model, generator=generator) for _ in range(2)), seed


def _around(coordinates: np.ndarray, points: int) -> list[np.ndarray]:
    """Return two axes that hold a path with some room around it, [points] each; its end, 0, need not be on them."""
    low, high = coordinates.min(0), coordinates.max(0)
    room = MARGIN * (high - low).max()
    return [np.linspace(start - room, end + room, points) for start, end in zip(low, high, strict=True)]
