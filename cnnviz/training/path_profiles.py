"""The path lengths and lesions of an experiment: of each trained network profiles, samples and what it can lose."""

import time
from datetime import UTC, datetime

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnviz.analysis.device import hardware
from cnnviz.analysis.lesion import LesionStudy, lesion_study
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample, path_length_profile, sample_path_gradients
from cnnviz.datasets import load_dataset
from cnnviz.training.experiments import Cell
from cnnviz.training.results import Results

LESIONS = "lesions"
DELETED = (2, 4, 8, 16, 32)  # blocks at random, as far as the network has more
SWAPPED = (1, 4, 16)  # pairs
DRAWS = 5
BATCH = 500  # training images from which a network that was never trained gets the statistics of its normalisations


def parts(cell: Cell) -> list[str]:
    """Return what is to be measured of a network, most important first: both ends of training, then between."""
    epochs = cell.paths["epochs"]
    ends, between = ([epochs[0], epochs[-1]], epochs[1:-1]) if epochs else ([], [])
    return [
        *(f"profile {epoch}" for epoch in ends), LESIONS, *(f"sample {epoch}" for epoch in reversed(ends)),
        *(f"profile {epoch}" for epoch in between),
    ]  # fmt: skip


def compute(
    results: Results, cell: Cell, part: str, device, deadline: float, accelerator=None
) -> PathLengthProfile | PathSample | LesionStudy:
    """Return one part, and write it; of several processes all compute it, and the first writes.

    Raises:
        ValueError: weights that are kept there are of another plan.
    """
    weights = results.load_weights(cell)
    data = load_dataset(cell.dataset).subset(cell.train_limit, cell.test_limit)
    model = cell.build(data.num_classes, data.image_shape[0])
    kind, _, epoch = part.partition(" ")
    model.load_state_dict(weights[int(epoch or -1)])
    model.to(device).eval()
    if epoch == "0":
        _measure_statistics(model, data.normalise(data.x_train[:BATCH]).to(device))
    count = cell.paths[{"profile": "images", "sample": "sampled", LESIONS: "lesions"}[kind]]
    images, labels = data.normalise(data.x_test[:count]), data.y_test[:count]
    drawn = {"generator": torch.Generator().manual_seed(cell.seed), "progress": True}
    many = {} if device.type == "cpu" else {"batch_size": 64}  # of a GPU
    start = time.perf_counter()
    if kind == "profile":
        found = path_length_profile(model, images, labels, n_signs=cell.paths["signs"], **drawn, **many)
    elif kind == "sample":
        found = sample_path_gradients(model, images, labels, n_samples=cell.paths["samples"], **drawn, **many)
    else:
        blocks = sum(map(len, (model.stage1, model.stage2, model.stage3)))
        several = [number for number in DELETED if number < blocks - 2]  # a plain network keeps two in any case
        found = lesion_study(model, images, labels, several=several, swaps=SWAPPED, draws=DRAWS, **drawn)
    found.metadata.update(
        network=cell.variant, part=part, dataset=cell.dataset, images=len(images), hardware=hardware(device),
        torch=str(torch.__version__), date=datetime.now(UTC).date().isoformat(),
        seconds=round(time.perf_counter() - start, 1), trained=results.trained(cell),
    )  # fmt: skip
    if not accelerator or accelerator.is_main_process:
        results.folder.mkdir(parents=True, exist_ok=True)
        found.save(results.part_file(cell, part))
    return found


def _measure_statistics(model: nn.Module, images: Tensor) -> None:
    """Set the running statistics of batch normalisation to those of `images`.

    A new network holds the mean 0 and the variance 1 of no images at all: its normalisations do nothing, the maps grow
    with every block, and the gradient is that of a network which no training step ever sees.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # the mean over all batches: of this one
    with torch.no_grad():
        model(images)
    model.eval()
