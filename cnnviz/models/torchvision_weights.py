"""Weights of torchvision's networks in ours: the same numbers under the names of our layers."""

import re
from collections.abc import Mapping

from torch import Tensor, nn


def load_torchvision_weights(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy the weights and batch-normalisation statistics of torchvision's network into ours.

    Args:
        model: a network of `cnnviz.models` that torchvision has too, built with the same number of classes.
        state_dict: of torchvision's network, as its `state_dict()` or a file of weights gives it.

    Raises:
        ValueError: torchvision has no such network, or names or shapes do not fit; the model is then as it was.
    """
    names = getattr(model, "TORCHVISION_NAMES", None)
    if names is None:
        raise ValueError(
            f"torchvision has no network that computes what this {type(model).__name__} does; build its twin, where "
            "there is one, with the option that its docstring names (stride_in, torchvision_twin), or train it"
        )
    ours = model.state_dict()
    renamed = {_rename(key, names): tensor for key, tensor in state_dict.items()}
    missing, foreign = sorted(ours.keys() - renamed.keys()), sorted(renamed.keys() - ours.keys())
    unlike = [key for key in ours.keys() & renamed.keys() if ours[key].shape != renamed[key].shape]
    if missing or foreign or unlike:
        problems = {"not there": missing, "unknown": foreign, "of another shape": sorted(unlike)}
        told = "; ".join(f"{kind}: {', '.join(keys[:3])}" for kind, keys in problems.items() if keys)
        raise ValueError(
            f"these weights do not fit {type(model).__name__} ({told}); "
            "build it with the options and num_classes of torchvision's network"
        )
    model.load_state_dict(renamed)


def _rename(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        key = re.sub(pattern, replacement, key)
    return key
