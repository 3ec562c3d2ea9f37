"""Results of torch's frequent operations on the meta device, which have a shape and no numbers. Only for speed.

torch has rules for these shapes too. They are written in Python, need milliseconds each and seconds to be loaded, as
they bring the compiler along. Where the rules here do not cover a case, and where shapes do not fit, torch decides.
"""

from collections.abc import Iterable
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from cnnviz.analysis.convolution import output_size


def empty_result(function, args: tuple, kwargs: dict):
    """Return the empty result of one of torch's basic operations, or None for all that torch has to decide."""
    operation = function.overloadpacket.__name__
    if not args or not all(tensor.is_meta for tensor in _tensors((*args, *kwargs.values()))):
        return None
    if operation in RULES:
        return RULES[operation](*args, **kwargs)
    if torch.Tag.pointwise in function.tags and len(function._schema.returns) == 1:
        return args[0] if operation.endswith("_") else _pointwise(function, args, kwargs)
    return None


def _pointwise(function, args: tuple, kwargs: dict):
    given = _tensors(args)
    try:
        shape = np.broadcast_shapes(*{tensor.shape for tensor in given})
    except ValueError:
        return None
    single = [_one(arg.dtype, arg.ndim) if isinstance(arg, Tensor) else arg for arg in args]
    return _empty(shape, function(*single, **kwargs).dtype)  # one number shows the type


def _empty(shape: Iterable[int], dtype: torch.dtype) -> Tensor:
    """Return such a tensor; `new_empty` goes a way of several steps in Python on the meta device."""
    return torch.empty(shape, dtype=dtype, device="meta")


@cache
def _one(dtype: torch.dtype, dims: int) -> Tensor:
    return torch.ones((1,) * dims, dtype=dtype, device="cpu")


def _tensors(arguments: Iterable) -> list[Tensor]:
    found = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            found.append(argument)
        elif isinstance(argument, tuple | list):
            found += _tensors(argument)
    return found


def _convolution(image, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    out_channels, in_channels = weight.shape[:2]
    if transposed:
        out_channels, in_channels = in_channels * groups, out_channels
    else:
        in_channels *= groups
    if image.ndim != weight.ndim or image.shape[1] != in_channels:
        return None
    sizes = _sizes(image, weight.shape[2:], stride, padding, dilation, output_padding, transposed=transposed)
    return None if sizes is None else _empty((len(image), out_channels, *sizes), image.dtype)


def _mean_pooling(axes, image, kernel_size, stride=(), padding=(0,), ceil_mode=False, *counting):
    kernel_size = kernel_size * axes if len(kernel_size) == 1 else kernel_size
    sizes = _sizes(image, kernel_size, stride or kernel_size, padding, (1,), (0,), ceil_mode=ceil_mode)
    return None if sizes is None else _empty((*image.shape[: -len(sizes)], *sizes), image.dtype)


def _max_pooling(image, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False):
    kernel_size = kernel_size * 2 if len(kernel_size) == 1 else kernel_size
    sizes = _sizes(image, kernel_size, stride or kernel_size, padding, dilation, (0,), ceil_mode=ceil_mode)
    if sizes is None:
        return None
    shape = (*image.shape[: -len(sizes)], *sizes)
    return _empty(shape, image.dtype), _empty(shape, torch.int64)


def _sizes(image, kernel_size, stride, padding, dilation, output_padding, **words) -> list[int] | None:
    """Return the pixels of the output along each axis; a single stride, padding or dilation is that of every axis."""
    axes = len(kernel_size)
    each = [tuple(one) * (axes if len(one) == 1 else 1) for one in (stride, padding, dilation, output_padding)]
    try:
        return [
            output_size(size, kernel, *numbers, output_padding=more, **words)
            for size, kernel, *numbers, more in zip(image.shape[-axes:], kernel_size, *each, strict=True)
        ]
    except ValueError:
        return None


def _batch_norm(image, weight, bias, mean, variance, training, *numbers):
    statistics = (image.shape[1] if training else 0,)
    return _like(image), _empty(statistics, image.dtype), _empty(statistics, image.dtype)


def _product(left, right):
    return _empty((len(left), right.shape[1]), left.dtype) if left.shape[1] == right.shape[0] else None


def _cat(tensors, dim=0):
    first = tensors[0]
    dim %= first.ndim
    rest = {(tensor.dtype, tensor.shape[:dim], tensor.shape[dim + 1 :]) for tensor in tensors}
    if len(rest) > 1:
        return None
    length = sum(tensor.shape[dim] for tensor in tensors)
    return _empty((*first.shape[:dim], length, *first.shape[dim + 1 :]), first.dtype)


def _mean(x, dims=None, keepdim=False, **more):
    if not dims or more or not x.is_floating_point():
        return None
    gone = {dim % x.ndim for dim in dims}
    shape = [1 if dim in gone else size for dim, size in enumerate(x.shape) if keepdim or dim not in gone]
    return _empty(shape, x.dtype)


def _like(x, dtype=None, **more):
    return _empty(x.shape, dtype or x.dtype)


RULES = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pooling,
    "avg_pool2d": partial(_mean_pooling, 2),
    "avg_pool3d": partial(_mean_pooling, 3),
    "_adaptive_avg_pool2d": lambda image, size: _empty((*image.shape[:-2], *size), image.dtype),
    "native_batch_norm": _batch_norm,
    "mm": _product,
    "addmm": lambda bias, left, right, **more: _product(left, right),
    "cat": _cat,
    "mean": _mean,
    "empty_like": _like,
    "bernoulli_": lambda x, *more, **words: x,
}
