"""Which pixels of the image can reach each number of each layer: one rule for each kind of torch function.

A rule says, for every position of the output, the first and the last pixel along each image axis. Padding counts as if
the image went on behind its border, so that a position in the corner has as large a field as one in the centre.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.analysis.trace import Call, Trace, tensors_in

NOTHING = np.inf, -np.inf  # the first and the last pixel of what sees no pixel


@dataclass(frozen=True, eq=False)
class Axis:
    """The pixels along one axis of the image that each position of a tensor sees."""

    dim: int | None  # dimension of the tensor along which the pixels change; None: all numbers see the same
    first: np.ndarray  # [positions], or [1] without a dim; pixels before the image are negative
    last: np.ndarray
    jump: float | None  # pixels from one position to the next

    def at(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return first and last pixel of these positions, also of such beyond the border."""
        inside = np.clip(index, 0, len(self.first) - 1)
        beyond = (index - inside) * (self.jump or 0)
        return self.first[inside] + beyond, self.last[inside] + beyond

    def moved(self, dim: int | None) -> "Axis":
        """Return the same pixels along another dimension of the tensor."""
        return replace(self, dim=dim)

    def together(self) -> "Axis":
        """Return what a number sees that all positions go into."""
        return Axis(None, self.first.min(keepdims=True), self.last.max(keepdims=True), None)

    def everywhere(self) -> "Axis":
        """Return what each position sees once all positions went into each."""
        whole = self.together()
        positions = len(self.first)
        return Axis(self.dim, whole.first.repeat(positions), whole.last.repeat(positions), self.jump)

    @cached_property
    def size(self) -> float:
        """Pixels from the first to the last, of the position that sees most."""
        return float((self.last - self.first).max()) + 1


Field = tuple[Axis, ...]  # one Axis for each axis of the image; empty for what no pixel goes into


@dataclass(frozen=True)
class Window:
    """What slides: pixels along each axis."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]  # before and after
    dilation: tuple[int, ...]
    groups: int | None  # None for pooling
    transposed: bool


def pixel_fields(trace: Trace) -> dict[int, Field | None]:
    """Return the field of every tensor of the trace by its id; None where it is not known.

    The image is the first input with floats and at least three dimensions: N, C and one to three axes.
    """
    images = [tensor for tensor in trace.inputs if tensor.ndim >= 3 and tensor.is_floating_point()]
    if not images:
        return {}
    others = (*trace.inputs, *trace.tensors.values(), *trace.constants)
    sees: dict[int, Field | None] = {id(tensor): () for tensor in others}
    sees[id(images[0])] = tuple(
        Axis(dim, np.arange(size, dtype=float), np.arange(size, dtype=float), 1)
        for dim, size in enumerate(images[0].shape)
        if dim >= 2
    )
    own, views = set(map(id, trace.tensors.values())), {}  # views: by storage, the tensors that look at it
    for call in trace.calls:
        given, made = call.given, call.made
        for tensor, field in zip(made, _fields(call, sees), strict=True):
            sees[id(tensor)] = field
            views.setdefault(tensor.untyped_storage()._cdata, []).append(tensor)
        for written in call.written:
            if id(written) in own or not any(sees.get(id(tensor)) != () for tensor in given if tensor is not written):
                continue  # running means; or a ReLU in place, after which each number sees what it saw
            for tensor in (written, *views.get(written.untyped_storage()._cdata, [])):
                if not any(tensor is one for one in made):
                    sees[id(tensor)] = None  # which of its numbers were written is not worked out
    return sees


def _fields(call: Call, sees: dict[int, Field | None]) -> list[Field | None]:
    """Return what each tensor that a call made sees."""
    given, made = call.given, call.made
    known = [sees.get(id(tensor)) for tensor in given]
    if not any(known) and None not in known:
        return [()] * len(made)
    rule = _rule(call.name)
    if rule is None or None in known:
        return [None] * len(made)
    try:
        return rule(call, given, known, made)
    except _UnknownError:
        return [None] * len(made)


class _UnknownError(Exception):
    """A rule does not cover these arguments."""


@cache
def _rule(name: str) -> Callable | None:
    if WINDOWS.fullmatch(name):
        return _slide
    name = name.strip("_") if name.startswith("__") else name.rstrip("_")
    return RULES.get(name) or (_union if _is_pointwise(name) else None)


def _is_pointwise(name: str) -> bool:
    """Return whether torch says that each output of a function depends on the inputs of the same position only."""
    packet = getattr(torch.ops.aten, name.rstrip("_"), None) if name.isidentifier() else None
    return packet is not None and any(
        torch.Tag.pointwise in getattr(packet, overload).tags for overload in packet.overloads()
    )


# Windows

WINDOWS = re.compile(r"(conv|conv_transpose|max_pool|avg_pool|lp_pool)([123])d(_with_indices)?")
ARGUMENTS = {
    "conv": "input weight bias stride padding dilation groups",
    "conv_transpose": "input weight bias stride padding output_padding groups dilation",
    "max_pool": "input kernel_size stride padding dilation",
    "avg_pool": "input kernel_size stride padding",
    "lp_pool": "input norm_type kernel_size stride",
}


def window(call: Call) -> Window | None:
    """Return what a convolution or pooling slides over its input; None for another function."""
    match = WINDOWS.fullmatch(call.name)
    if not match:
        return None
    family, axes = match[1], int(match[2])
    values = dict(zip(ARGUMENTS[family].split(), call.args, strict=False)) | call.kwargs
    weight = values.get("weight")
    kernel_size = tuple(weight.shape[2:]) if weight is not None else _each(values["kernel_size"], axes)
    stride = _each(values.get("stride") or (1 if weight is not None else kernel_size), axes)
    dilation = _each(values.get("dilation", 1), axes)
    padding = values.get("padding", 0)
    if padding == "same":
        totals = [step * (size - 1) for step, size in zip(dilation, kernel_size, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in totals)
    else:
        padding = tuple((size, size) for size in _each(0 if padding == "valid" else padding, axes))
    groups = values.get("groups", 1) if weight is not None else None
    return Window(kernel_size, stride, padding, dilation, groups, family == "conv_transpose")


def _each(value, axes: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * axes if len(values) == 1 else values


def _slide(call, given, known, made):
    slides = window(call)
    image, field = given[0], known[0]
    begin = image.ndim - len(slides.kernel_size)
    result = []
    for axis in field:
        if axis.dim is not None and axis.dim >= begin:
            axis = _slid(axis, slides, axis.dim - begin, made[0].shape[axis.dim])
        elif axis.dim == begin - 1 and slides.groups is not None:  # all channels go into each output
            axis = axis.together()
        result.append(axis)
    return [tuple(result)] * len(made)


def _slid(axis: Axis, slides: Window, number: int, outputs: int) -> Axis:
    kernel, stride, dilation = slides.kernel_size[number], slides.stride[number], slides.dilation[number]
    taps = dilation * np.arange(kernel)
    before = slides.padding[number][0]
    if not slides.transposed:
        first, last = axis.at(stride * np.arange(outputs)[:, None] - before + taps)
        return Axis(axis.dim, first.min(1), last.max(1), None if axis.jump is None else axis.jump * stride)
    places = np.arange(outputs)[:, None] + before - taps  # times 1 / stride: which input is multiplied by this tap
    first, last = axis.at(places // stride)
    hits = places % stride == 0
    first, last = np.where(hits, first, NOTHING[0]), np.where(hits, last, NOTHING[1])
    return Axis(axis.dim, first.min(1), last.max(1), None if axis.jump is None else axis.jump / stride)


def _adaptive(call, given, known, made):
    """PyTorch's adaptive pooling: output o of m sees the inputs from floor(o n / m) to ceil((o + 1) n / m)."""
    result = []
    for axis in known[0]:
        if axis.dim is not None:
            size, outputs = given[0].shape[axis.dim], made[0].shape[axis.dim]
            if outputs == 1 < size:
                axis = axis.together()
            elif outputs != size:
                index = np.arange(outputs)
                first, _ = axis.at(index * size // outputs)
                _, last = axis.at(-(-(index + 1) * size // outputs) - 1)
                axis = Axis(axis.dim, first, last, axis.jump * size / outputs)
        result.append(axis)
    return [tuple(result)] * len(made)


def _resize(call, given, known, made):
    """Interpolation: the function itself says between which positions each output lies."""
    mode = call.kwargs.get("mode", call.args[3] if len(call.args) > 3 else "nearest")
    if mode == "area":
        return _adaptive(call, given, known, made)
    if call.kwargs.get("antialias"):
        raise _UnknownError
    more = int(mode == "bicubic")  # the four nearest instead of the two
    result = []
    for axis in known[0]:
        if axis.dim is not None:
            size, outputs = given[0].shape[axis.dim], made[0].shape[axis.dim]
            shape = [1 if dim < 2 else length for dim, length in enumerate(given[0].shape)]
            line = _line(shape, axis.dim, np.arange(size))
            line = call.function(line, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})
            line = line.movedim(axis.dim, -1).reshape(-1, outputs)[0].numpy()
            if more:  # overshoots at the border, so its own arithmetic: centres of pixels
                line = (np.arange(outputs) + 0.5) * size / outputs - 0.5
            low, high = np.floor(line).astype(int) - more, np.ceil(line).astype(int) + more
            first, _ = axis.at(low.clip(0, size - 1))
            _, last = axis.at(high.clip(0, size - 1))
            axis = Axis(axis.dim, first, last, axis.jump * size / outputs)
        result.append(axis)
    return [tuple(result)] * len(made)


def _pad(call, given, known, made):
    amounts = call.kwargs.get("pad", call.args[1] if len(call.args) > 1 else ())
    mode = call.kwargs.get("mode", call.args[2] if len(call.args) > 2 else "constant")
    result = []
    for axis in known[0]:
        pair = 0 if axis.dim is None else 2 * (given[0].ndim - 1 - axis.dim)
        before, after = amounts[pair : pair + 2] if axis.dim is not None and pair < len(amounts) else (0, 0)
        if before or after:
            index = np.arange(-before, len(axis.first) + after)
            if mode != "constant":
                index = np.pad(np.arange(len(axis.first)), (before, after), NUMPY_PADDING[mode])
            axis = Axis(axis.dim, *axis.at(index), axis.jump)
        result.append(axis)
    return [tuple(result)]


NUMPY_PADDING = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


# Functions of every position by itself, and of several tensors


def _union(call, given, known, made):
    """Each output sees what the inputs at its position see, those of one number everywhere."""
    return [_united(known, [tensor.ndim for tensor in given], out.ndim) for out in made]


def _united(known: Sequence[Field], dims: Sequence[int], out_dims: int) -> Field:
    parts = [
        [axis.moved(None if axis.dim is None else axis.dim + out_dims - dim) for axis in field]
        for field, dim in zip(known, dims, strict=True)
        if field
    ]
    return tuple(map(_merged, zip(*parts, strict=True)))


def _merged(axes: Sequence[Axis]) -> Axis:
    if len(axes) == 1:
        return axes[0]
    dims = {axis.dim for axis in axes if axis.dim is not None}
    if len(dims) > 1:  # position i of one meets every position of the other
        axes, dims = [axis.together() for axis in axes], set()
    first = reduce(np.minimum, [axis.first for axis in axes])
    last = reduce(np.maximum, [axis.last for axis in axes])
    jumps = [axis.jump for axis in axes if axis.jump is not None]
    return Axis(dims.pop() if dims else None, first, last, min(jumps, default=None))


def _same(call, given, known, made):
    """The first input's field: what the others add (weights, running means) comes from no pixel of this image."""
    return [known[0]] * len(made)


def _nothing(call, given, known, made):
    """Zeros, ones or random numbers of the shape of another tensor."""
    return [()] * len(made)


def _cat(call, given, known, made):
    tensors = tensors_in(call.args[0] if call.args else call.kwargs["tensors"])
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else 0) % made[0].ndim
    shown = [(tensor, field) for tensor, field in zip(given, known, strict=False) if tensor.ndim == made[0].ndim]
    lengths = [tensor.shape[dim] for tensor in tensors if tensor.ndim == made[0].ndim]
    result = []
    for number in range(max(map(len, known))):
        axes = [field[number] if field else None for _, field in shown]
        seen = [axis for axis in axes if axis is not None]
        if all(axis.dim != dim for axis in seen):
            result.append(_merged(seen))
            continue
        if any(axis.dim not in (dim, None) for axis in seen):
            raise _UnknownError
        ends = [
            np.broadcast_to(np.full(1, nothing) if axis is None else getattr(axis, end), length)
            for end, nothing in zip(("first", "last"), NOTHING, strict=True)
            for axis, length in zip(axes, lengths, strict=True)
        ]
        half = len(ends) // 2
        result.append(Axis(dim, np.concatenate(ends[:half]), np.concatenate(ends[half:]), seen[0].jump))
    return [tuple(result)]


def _stack(call, given, known, made):
    if not all(map(_equal, zip(*known, strict=True))):  # each place of the new dimension has a field of its own
        raise _UnknownError
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else 0) % made[0].ndim
    field = _united(known, [tensor.ndim for tensor in given], made[0].ndim - 1)
    return [tuple(axis.moved(axis.dim + (axis.dim >= dim) if axis.dim is not None else None) for axis in field)]


def _equal(axes: Sequence[Axis]) -> bool:
    """Return whether axes are of the same dimension, and see the same."""
    one, *others = axes
    return all(
        axis.dim == one.dim and np.array_equal(axis.first, one.first) and np.array_equal(axis.last, one.last)
        for axis in others
    )


# Functions that put several positions together


def _reduce(call, given, known, made):
    """Means, sums, maxima: along the dimensions that the call names, or all."""
    if len(given) > 1:
        return _union(call, given, known, made)  # torch.max(a, b)
    dims = call.kwargs.get("dim", call.kwargs.get("axis", call.args[1] if len(call.args) > 1 else None))
    total = given[0].ndim
    gone = {dim % total for dim in _each(dims, 1)} if dims not in (None, (), []) else set(range(total))
    keeps = made[0].ndim == total
    result = []
    for axis in known[0]:
        if axis.dim in gone:
            axis = axis.together()
        elif axis.dim is not None and not keeps:
            axis = axis.moved(axis.dim - sum(dim < axis.dim for dim in gone))
        result.append(axis)
    return [tuple(result)] * len(made)


def _along(call, given, known, made):
    """Softmax and the like: each position along a dimension depends on all of them."""
    dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    if not isinstance(dim, int):
        raise _UnknownError
    spread = [axis.everywhere() if axis.dim == dim % given[0].ndim else axis for axis in known[0]]
    return [tuple(spread)] * len(made)


def _layer_norm(call, given, known, made):
    shape = call.kwargs.get("normalized_shape", call.args[1] if len(call.args) > 1 else ())
    begin = given[0].ndim - len(shape)
    spread = [axis.everywhere() if axis.dim is not None and axis.dim >= begin else axis for axis in known[0]]
    return [tuple(spread)]


def _over_the_image(call, given, known, made):
    """Group and instance normalisation: mean and variance of a whole map go into each of its numbers."""
    return [tuple(axis.everywhere() if axis.dim else axis for axis in known[0])]


def _matrix(call, given, known, made):
    """A linear layer or matrix product: the last dimension of the left and the last but one of the right go."""
    left, right = given[:2]
    total = made[0].ndim
    parts = []
    for tensor, field, gone, kept in ((left, known[0], -1, -2), (right, known[1], -2, -1)):
        if not field:
            continue
        if tensor.ndim < 2 or total < 2 or (call.name == "linear" and tensor is right):
            parts.append([axis.together() for axis in field])
            continue
        moved = [
            axis if axis.dim is None else
            axis.together() if axis.dim == tensor.ndim + gone else
            axis.moved(total + kept) if axis.dim == tensor.ndim + kept else
            axis.moved(axis.dim + total - tensor.ndim)
            for axis in field
        ]  # fmt: skip
        parts.append(moved)
    return [tuple(map(_merged, zip(*parts, strict=True)))]


def _everything(call, given, known, made):
    """Attention: every position goes into every other."""
    parts = [[axis.together() for axis in field] for field in known if field]
    return [tuple(map(_merged, zip(*parts, strict=True)))] * len(made)


# Functions that only move numbers


def _rearrange(call, given, known, made):
    """Flatten, slices, transpositions: the function itself says where each position goes."""
    image, others = given[0], given[1:]
    if call.name in IN_ORDER and image.shape == made[0].shape:
        return [known[0]]
    if call.function is F.unfold:  # has the name of a tensor's method that pads nothing
        raise _UnknownError
    if any(tensor.is_meta for tensor in others) and call.name not in ("view_as", "reshape_as", "expand_as"):
        raise _UnknownError
    fields = [[] for _ in made]
    for axis in known[0]:
        places = [axis] * len(made)
        if axis.dim is not None:
            firsts, lasts = (_moved(call, _line(image.shape, axis.dim, end)) for end in (axis.first, axis.last))
            places = [_found(first, last, axis) for first, last in zip(firsts, lasts, strict=True)]
        for field, place in zip(fields, places, strict=True):
            field.append(place)
    return [tuple(field) for field in fields]


def _line(shape: Sequence[int], dim: int, pixels: np.ndarray) -> Tensor:
    """Return a tensor that has the pixels along a dimension, all the same elsewhere; it takes the memory of a line."""
    line = torch.from_numpy(pixels.astype(float))
    return line.reshape([-1 if number == dim else 1 for number in range(len(shape))]).expand(*shape)


def _moved(call: Call, pixels: Tensor) -> list[Tensor]:
    """Return where the call moves the pixels, dimensions along which all are the same shortened to one."""
    try:
        moved = call.function(pixels, *call.args[1:], **call.kwargs)
    except RuntimeError:  # view asks for numbers side by side in memory
        moved = call.function(pixels.contiguous(), *call.args[1:], **call.kwargs)
    return [
        tensor[tuple(slice(None) if stride else slice(1) for stride in tensor.stride())] for tensor in tensors_in(moved)
    ]


def _found(first: Tensor, last: Tensor, axis: Axis) -> Axis:
    """Return the axis that has these pixels; if they change along several dimensions, that of the largest change."""
    if len(axis.first) == 1:
        return axis if axis.dim < first.ndim else axis.together()
    spans = {dim: (first.amax(dim) - first.amin(dim)).max().item() for dim, n in enumerate(first.shape) if n > 1}
    dim = max(spans, key=spans.get, default=None)
    if dim is None or not spans[dim]:
        return Axis(None, first.amin().reshape(1).numpy(), last.amax().reshape(1).numpy(), None)
    low, high = first.movedim(dim, 0).flatten(1).amin(1).numpy(), last.movedim(dim, 0).flatten(1).amax(1).numpy()
    steps = np.unique(np.diff(low))
    return Axis(dim, low, high, abs(float(steps[0])) if len(steps) == 1 else None)


# What leaves the numbers one after the other: where the shape stays too, each stays in its place
IN_ORDER = (
    "view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "expand_as",
)  # fmt: skip
RULES: dict[str, Callable] = {
    name: rule
    for rule, names in {
        _same: "batch_norm local_response_norm lrn contiguous to type type_as float double half bfloat16 detach "
        "clone hardswish prelu requires_grad",
        _union: "dropout dropout1d dropout2d dropout3d feature_dropout alpha_dropout feature_alpha_dropout logsigmoid "
        "log_sigmoid softsign tanhshrink rrelu floor_divide copy where",
        _nothing: "new_zeros new_ones new_full new_empty new_tensor zeros_like ones_like full_like empty_like "
        "rand_like randn_like",
        _adaptive: "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
        "adaptive_max_pool2d adaptive_max_pool3d",
        _resize: "interpolate upsample",
        _pad: "pad",
        _cat: "cat concat concatenate",
        _stack: "stack",
        _reduce: "mean sum amax amin max min var std prod norm logsumexp argmax argmin any all median",
        _along: "softmax log_softmax normalize",
        _layer_norm: "layer_norm rms_norm",
        _over_the_image: "group_norm instance_norm",
        _matrix: "linear matmul mm bmm",
        _everything: "scaled_dot_product_attention multi_head_attention_forward",
        _rearrange: "view reshape view_as reshape_as flatten unflatten ravel squeeze unsqueeze permute transpose t T "
        "mT movedim moveaxis swapaxes swapdims expand expand_as repeat tile repeat_interleave chunk split tensor_split "
        "split_with_sizes unbind select narrow getitem flip roll rot90 unfold pixel_shuffle pixel_unshuffle "
        "channel_shuffle",
    }.items()
    for name in names.split()
}  # fmt: skip
