"""Weights of torchvision's networks in ours: the same numbers under the names of our layers."""

import re
from collections.abc import Mapping

from torch import Tensor, nn


def load_torchvision_weights(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy the weights and batch-normalisation statistics of torchvision's network into ours.

    Older files are taken, too: they do not say how many batches a normalisation has seen (`num_batches_tracked`), which
    then stays as it is in the model, and their names in DenseNet's layers have one dot more.

    Args:
        model: a network of `cnnviz.models` that torchvision has too, built with the same number of classes.
        state_dict: of torchvision's network, as its `state_dict()` or a file of weights gives it.

    Raises:
        ValueError: torchvision has no such network, names or shapes do not fit, a name stands for something else than
            a tensor of numbers, or two names for the same weights; the model is then as it was.
    """
    names = getattr(model, "TORCHVISION_NAMES", None)
    if names is None:
        raise ValueError(
            f"torchvision has no network that computes what this {type(model).__name__} does; build its twin, where "
            "there is one, with the option that its docstring names (stride_in, torchvision_twin), or train it"
        )
    ours = model.state_dict()
    renamed, twice = {}, []
    for key, tensor in state_dict.items():
        name = _rename(key, names)
        twice += [name] if name in renamed else []
        renamed[name] = tensor
    empty = [
        key for key, tensor in renamed.items() if not isinstance(tensor, Tensor) or _is_lost(tensor, ours.get(key))
    ]
    missing = [key for key in ours.keys() - renamed.keys() if not key.endswith(".num_batches_tracked")]
    foreign = renamed.keys() - ours.keys()
    unlike = [key for key in ours.keys() & renamed.keys() - empty if ours[key].shape != renamed[key].shape]
    problems = {"not there": missing, "unknown": foreign, "of another shape": unlike, "given twice": twice}
    problems = {kind: sorted(keys) for kind, keys in {**problems, "without numbers": empty}.items() if keys}
    if problems:
        told = "; ".join(f"{kind}: {', '.join(keys[:3])}" for kind, keys in problems.items())
        raise ValueError(
            f"these weights do not fit {type(model).__name__} ({told}); "
            "build it with the options and num_classes of torchvision's network"
        )
    model.load_state_dict(ours | renamed)


def _is_lost(tensor: Tensor, ours: Tensor | None) -> bool:
    """Return whether a tensor has no numbers where ours has some."""
    return tensor.is_meta and not (ours is not None and ours.is_meta)


def _rename(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        key = re.sub(pattern, replacement, key)
    return key
