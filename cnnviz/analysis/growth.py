"""Where a wall of the loss is built: by how much a step makes the maps of a network larger, layer by layer."""

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnviz.analysis.directions import Direction
from cnnviz.analysis.hooks import capture
from cnnviz.analysis.slice import Slice


def growth(model: nn.Module, images: Tensor, d: Direction) -> dict[str, float]:
    """Return by how much the maps behind each batch normalisation grow when the model moves by `d`; it stays as it is.

    The statistics are those of the images at the model's weights, and frozen there: a map that comes in larger goes out
    larger. (In training a network stores nearly the same, but not before it, or after few steps.) With those of the
    batch every number would be 1, as far as `d` leaves scales and shifts in place.

    Args:
        model: any module with batch normalisation.
        images: normalised float32 [N, C, H, W], in one batch; a hundred are enough.
        d: a direction, `random_direction` for instance.

    Returns:
        for each batch normalisation, in the order in which they run: the deviation of what it returns, over images,
        maps and places, at the model's weights plus `d`, over that at the model's weights; NaN where that is 0. Means
        that moved apart from map to map count, too.

    Raises:
        TypeError, ValueError: model, images or direction do not fit; the message says what does.
    """
    one = Slice(model, images, torch.zeros(len(images), dtype=torch.int64), [d], batch_size=len(images), fold=False)
    layers = [name for name, module in one.network.named_modules() if isinstance(module, _BatchNorm)]
    if not layers:
        raise ValueError(f"{type(one.network).__name__} has no batch normalisation: no statistics are frozen in it")
    [(batch, _)] = one.batches
    _store_statistics(one.network, layers, batch)
    deviations = []
    for place in (0.0, 1.0):
        one.move((place,))
        with capture(one.network, layers) as maps:
            one.network(batch)
        deviations.append({name: value.double().std().item() for name, value in maps.items()})
    before, after = deviations
    return {name: after[name] / before[name] if before[name] else math.nan for name in before}


def _store_statistics(network: nn.Module, layers: list[str], images: Tensor) -> None:
    """Have each of these normalisations store the statistics of the images alone."""
    for name in layers:
        module = network.get_submodule(name).train()
        module.reset_running_stats()
        module.momentum = None  # the mean over all batches, and there is one
    with torch.no_grad():
        network(images)
    network.eval()
