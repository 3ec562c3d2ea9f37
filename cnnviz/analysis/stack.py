"""Layers in plain words, as a widget in the browser has them, and the torch module that they describe.

A stack is a list of dicts, one a layer; keys that are left out take the values shown.

    {"kind": "conv", "out_channels": F, "kernel_size": k, "stride": 1, "padding": 0, "dilation": 1, "groups": 1,
     "bias": True}
    {"kind": "max pool", "kernel_size": k, "stride": k, "padding": 0}  # and "average pool"
    {"kind": "global average pool"}
    {"kind": "flatten"}
    {"kind": "linear", "out_features": n, "bias": True}
    {"kind": "concat", "branches": [layers, layers]}  # side by side on the same input, joined along the channels

widgets/layer_cost.js counts the same descriptions in the browser and refuses them with the same words.
"""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn

from cnnviz.analysis.convolution import output_size

Shape = tuple[int, ...]

REQUIRED = object()
KEYS = {
    "conv": {
        "out_channels": REQUIRED, "kernel_size": REQUIRED, "stride": 1, "padding": 0, "dilation": 1, "groups": 1,
        "bias": True,
    },
    "max pool": {"kernel_size": REQUIRED, "stride": None, "padding": 0},
    "average pool": {"kernel_size": REQUIRED, "stride": None, "padding": 0},
    "global average pool": {},
    "flatten": {},
    "linear": {"out_features": REQUIRED, "bias": True},
    "concat": {"branches": REQUIRED},
}  # fmt: skip


class Concat(nn.ModuleList):
    """Branches side by side on the same input, their outputs joined along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, sum of the branches' channels, H, W]."""
        return torch.cat([branch(x) for branch in self], 1)


def stack(layers: Sequence[Mapping], input_shape: Shape) -> nn.Sequential:
    """Return the torch module that the layers describe, with torch's initial weights.

    Args:
        layers: one dict a layer, as the head of this page shows.
        input_shape: (C, H, H) of one square image.

    Raises:
        ValueError: the image is not square, or a layer has an unknown kind or key, lacks a number, or does not fit what
            comes before it.
    """
    if input_shape[1] != input_shape[2]:
        raise ValueError(f"the image must be square, not {_times(input_shape)}")
    return _sequence(layers, tuple(input_shape), "")[0]


def _sequence(layers: Sequence[Mapping], shape: Shape, path: str) -> tuple[nn.Sequential, Shape]:
    modules = []
    for index, given in enumerate(layers):
        module, shape = _layer(given, shape, f"{path}{index}")
        modules.append(module)
    return nn.Sequential(*modules), shape


def _layer(given: Mapping, shape: Shape, path: str) -> tuple[nn.Module, Shape]:
    """Return a layer's module, and the shape of what comes out of it."""
    kind = given.get("kind")
    if kind not in KEYS:
        raise ValueError(f"layer {path}: there is no kind {kind!r}; choose from {', '.join(KEYS)}")
    where = f"layer {path} ({kind})"
    layer = _checked(given, where)
    if kind == "concat":
        return _concat(layer["branches"], shape, path, where)
    if kind == "linear":
        if len(shape) != 1:
            raise ValueError(f"{where}: comes after flatten, and what comes in is {_times(shape)}")
        return nn.Linear(shape[0], layer["out_features"], bias=layer["bias"]), (layer["out_features"],)
    if len(shape) != 3:
        raise ValueError(f"{where}: takes an image, and what comes in is {_times(shape)}")
    if kind == "flatten":
        return nn.Flatten(), (prod(shape),)
    if kind == "global average pool":
        return nn.AdaptiveAvgPool2d(1), (shape[0], 1, 1)
    if kind == "conv":
        return _convolution(layer, shape, where)
    return _pooling(kind, layer, shape, where)


def _checked(given: Mapping, where: str) -> dict:
    """Return all keys of a layer, with their values."""
    keys = KEYS[given["kind"]]
    for key in given:
        if key not in (*keys, "kind"):
            raise ValueError(f"{where}: has no {key}; it takes {', '.join(keys) or 'nothing'}")
    layer = {key: given.get(key, default) for key, default in keys.items()}
    for key, value in layer.items():
        if value is REQUIRED:
            raise ValueError(f"{where}: needs {key}")
        if key in ("bias", "branches") or (key == "stride" and value is None):
            continue
        lowest = 0 if key == "padding" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError(f"{where}: {key} (={value}) must be a whole number of at least {lowest}")
    return layer


def _convolution(layer: dict, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    for name, number in (("in_channels", shape[0]), ("out_channels", layer["out_channels"])):
        if number % layer["groups"]:
            raise ValueError(f"{where}: {name} (={number}) must be divisible by groups (={layer['groups']})")
    words = {key: layer[key] for key in ("kernel_size", "stride", "padding", "dilation")}
    return nn.Conv2d(shape[0], **layer), (layer["out_channels"], *[_side(shape[1], where, **words)] * 2)


def _pooling(kind: str, layer: dict, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    kernel_size, padding = layer["kernel_size"], layer["padding"]
    stride = layer["stride"] or kernel_size
    if padding > kernel_size // 2:
        raise ValueError(f"{where}: padding (={padding}) must be at most half of kernel_size (={kernel_size})")
    pool = {"max pool": nn.MaxPool2d, "average pool": nn.AvgPool2d}[kind](kernel_size, stride, padding)
    return pool, (shape[0], *[_side(shape[1], where, kernel_size, stride, padding)] * 2)


def _side(size: int, where: str, kernel_size: int, stride: int, padding: int, dilation: int = 1) -> int:
    reach = dilation * (kernel_size - 1) + 1
    if reach > size + 2 * padding:
        raise ValueError(f"{where}: a window of {reach} pixels does not fit into {size} + 2 · {padding} pixels")
    return output_size(size, kernel_size, stride, padding, dilation)


def _concat(branches, shape: Shape, path: str, where: str) -> tuple[nn.Module, Shape]:
    if not branches:
        raise ValueError(f"{where}: needs at least one branch")
    built = [_sequence(branch, shape, f"{path}.{number}.") for number, branch in enumerate(branches)]
    shapes = [output for _, output in built]
    if any(len(output) != 3 or output[1] != shapes[0][1] for output in shapes):
        raise ValueError(f"{where}: its branches end in {' and '.join(map(_times, shapes))}, which do not join")
    return Concat(module for module, _ in built), (sum(output[0] for output in shapes), *shapes[0][1:])


def _times(shape: Shape) -> str:
    return " x ".join(map(str, shape))
