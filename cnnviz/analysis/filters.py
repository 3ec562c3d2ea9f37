"""The weights of convolution layers, now or at every epoch of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn


@dataclass(frozen=True)
class Filters:
    """The filters of a network's convolution layers, at one moment or after each of `epochs`."""

    weights: dict[str, np.ndarray]  # layer -> float32 [T, out_channels, in_channels / groups, height, width]
    epochs: tuple[int, ...] = ()  # the T epochs, 0 is before training; empty: the network as it is (T = 1)

    @property
    def names(self) -> tuple[str, ...]:
        """The convolution layers, first to last."""
        return tuple(self.weights)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the weights of one layer, float32 [T, out_channels, in_channels / groups, height, width]."""
        if name not in self.weights:
            raise ValueError(f"no filters of a layer {name!r}; there are {', '.join(self.weights)}")
        return self.weights[name]

    def change(self, name: str) -> np.ndarray:
        """Return how far each filter has moved from its first state, in lengths of that first filter, [T, out]."""
        flat = self[name].reshape(*self[name].shape[:2], -1)
        return np.linalg.norm(flat - flat[:1], axis=2) / np.linalg.norm(flat[:1], axis=2).clip(1e-12)

    def describe(self) -> str:
        """Say how many filters of which size each layer has, and how far they moved over the epochs."""
        layers = []
        for name, array in self.weights.items():
            _, out_channels, in_channels, height, width = array.shape
            moved = f", moved by {self.change(name)[-1].mean():.0%} of their length" if len(self.epochs) > 1 else ""
            layers.append(f"{name} {out_channels} of {in_channels} x {height} x {width}{moved}")
        when = f", epochs {self.epochs[0]} to {self.epochs[-1]}" if self.epochs else ""
        return f"Filters{when}: {'; '.join(layers)}."


def filters(source: nn.Module | Sequence) -> Filters:
    """Return the filters of every 2-D convolution of a model, or of a run's records (`EpochRecord`) over its epochs.

    The arrays are copies: training on does not change them.

    Raises:
        TypeError: neither an nn.Module nor a run nor records.
        ValueError: a model without a 2-D convolution, no records, or records that kept no filters.
    """
    if isinstance(source, nn.Module):
        weights = {name: weight[None] for name, weight in filters_of(source).items()}
        if not weights:
            raise ValueError(f"{type(source).__name__} has no 2-D convolution, so there are no filters to show")
        return Filters(weights)
    records = getattr(source, "records", source)
    if not isinstance(records, Sequence) or not all(hasattr(record, "filters") for record in records):
        raise TypeError(f"filters takes an nn.Module, a run or its records, not {type(source).__name__}")
    if not records or not records[0].filters:
        what = "kept no filters; name layers: fit(..., keep_filters=[...])" if records else "is empty; train first"
        raise ValueError(f"this list of records {what}")
    weights = {name: np.stack([_copy(record.filters[name]) for record in records]) for name in records[0].filters}
    return Filters(weights, tuple(record.epoch for record in records))


def filters_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Return layer -> float32 [out_channels, in_channels / groups, height, width] of a model, {} if it has none."""
    return {name: _copy(layer.weight) for name, layer in model.named_modules() if is_convolution(layer)}


def is_convolution(layer: nn.Module) -> bool:
    """Return whether a layer holds filters of a 2-D convolution; a transposed one does not."""
    weight = getattr(layer, "weight", None)  # not only nn.Conv2d: LeNet of 1998 has a convolution of its own
    return isinstance(weight, Tensor) and weight.ndim == 4 and not isinstance(layer, nn.ConvTranspose2d)


def _copy(weight) -> np.ndarray:
    return weight.detach().float().cpu().numpy().copy()
