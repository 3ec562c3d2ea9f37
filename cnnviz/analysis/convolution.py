"""The arithmetic of sliding windows: output sizes, the pixels left over, and the record of every step.

`output_size` is plain integer arithmetic and agrees with torch, refusals included. `convolution` and `pooling` work one
window at a time with NumPy, so that a step can be shown; torch is what the tests compare them with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
KINDS = ("convolution", "transposed convolution", "max pooling", "average pooling", "L2-norm pooling")


def output_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: int | str | tuple[int, int] = 0,
    dilation: int = 1,
    *,
    transposed: bool = False,
    output_padding: int = 0,
    ceil_mode: bool = False,
) -> int:
    """Return the length of the output along one axis, in pixels.

    Convolution and pooling: floor((size + before + after - dilation (kernel_size - 1) - 1) / stride) + 1.
    Transposed: (size - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.
    The formulas are those of `torch.nn.Conv1d`, `ConvTranspose1d` and `MaxPool1d`.

    `output_size(7, 3, stride=2) -> 3`; `output_size(7, 3, stride=3) -> 2`, and one pixel is left over.

    Args:
        size, kernel_size: pixels along the axis.
        padding: pixels on each side; a pair (before, after); or "valid" (none), "same" (output as long as the input,
            stride 1 only), "full" (every window that touches the input counts).
        ceil_mode: pooling only; the last window may hang over the end, but must start before the padding there.

    Raises:
        ValueError: torch would refuse these values too (or, for "full" and a pair, they make no window).
    """
    reach = _reach(size, kernel_size, stride, dilation)
    if transposed:
        return _transposed_size(size, reach, stride, padding, dilation, output_padding, ceil_mode)
    if output_padding:
        raise ValueError(f"output_padding (={output_padding}) belongs to transposed convolution; leave it 0 here")
    before, after = pad_amounts(padding, kernel_size, stride, dilation)
    padded = size + before + after
    if ceil_mode:
        _check_pooling_padding(padding, kernel_size)
        length = -((reach - padded) // stride) + 1
        if (length - 1) * stride >= size + before:  # the last window would start in the padding at the end
            length -= 1
    else:
        length = (padded - reach) // stride + 1
    if length < 1:
        raise ValueError(
            f"the kernel reaches over {_reach_words(kernel_size, dilation, reach)} but the padded input has only "
            f"{padded} (= {size} + {before} + {after}); use a smaller kernel_size or dilation, or more padding"
        )
    return length


def leftover(
    size: int, kernel_size: int, stride: int = 1, padding: int | str | tuple[int, int] = 0, dilation: int = 1
) -> int:
    """Return how many pixels at the end of the padded axis no window reaches: the remainder that floor drops.

    `leftover(7, 3, stride=3) -> 1`, because 7 - 3 = 4 and 4 / 3 leaves 1. Errors as in `output_size`.
    """
    output_size(size, kernel_size, stride, padding, dilation)
    before, after = pad_amounts(padding, kernel_size, stride, dilation)
    return (size + before + after - _reach(size, kernel_size, stride, dilation)) % stride


def pad_amounts(
    padding: int | str | tuple[int, int], kernel_size: int, stride: int = 1, dilation: int = 1
) -> tuple[int, int]:
    """Return the pixels added (before, after) one axis. "same" puts an odd one after, as torch does.

    Raises:
        ValueError: a negative amount, an unknown word, or "same" with a stride other than 1.
    """
    total = dilation * (kernel_size - 1)
    if isinstance(padding, str):
        if padding == "same" and stride != 1:
            raise ValueError(
                f'padding="same" needs stride 1, got stride={stride}: the output cannot be as long as the input when '
                f"the window skips pixels; give the padding as a number, (kernel_size - 1) // 2 for instance"
            )
        words = {"valid": (0, 0), "same": (total // 2, total - total // 2), "full": (total, total)}
        if padding not in words:
            raise ValueError(f'padding={padding!r} is not known; choose a number, a pair, "valid", "same" or "full"')
        return words[padding]
    pair = padding if isinstance(padding, tuple | list) else (padding, padding)
    if len(pair) != 2:
        raise ValueError(f"padding={padding!r} must be one number or a pair (before, after)")
    before, after = (_whole("padding", amount, 0) for amount in pair)
    return before, after


@dataclass(frozen=True)
class Step:
    """One position of the window.

    For convolution and pooling `position` is the output cell; for transposed convolution it is the input cell, whose
    value is multiplied by the whole kernel and added into the window of the output.
    """

    position: tuple[int, ...]  # one index per spatial axis
    window: tuple[np.ndarray, ...]  # per spatial axis, the indices read (or, transposed, written) in Steps.canvas
    values: np.ndarray  # [C, *kernel] read from the padded input; transposed: [C], the input cell
    products: np.ndarray | None  # [F, C, *kernel] values times weights; None for pooling
    result: np.ndarray  # [F] sum and bias, [C] for pooling; transposed: [F, *kernel], what is added


@dataclass(frozen=True)
class Steps:
    """The record of one convolution or pooling, a sequence of `Step`s, with the arrays before and after.

    C input channels, F filters; one or two spatial axes. Arrays are float64.
    """

    kind: str  # one of KINDS
    input: np.ndarray  # [C, *size]
    canvas: np.ndarray  # [C, *padded size]: what the window slides over; transposed: zeros [F, *uncropped output size]
    weight: np.ndarray | None  # [F, C, *kernel]; transposed: [C, F, *kernel]; None for pooling
    bias: np.ndarray  # [F]; zeros if there is none
    kernel_size: tuple[int, ...]
    stride: int
    padding: tuple[tuple[int, int], ...]  # (before, after) per spatial axis
    padding_mode: str
    dilation: int
    output_size: tuple[int, ...]  # per spatial axis

    @cached_property
    def output(self) -> np.ndarray:
        """All results in their places: [F, *output_size]; [C, *output_size] for pooling."""
        if self.kind == "transposed convolution":
            return self._spread()
        output = np.zeros((len(self.bias), *self.output_size))
        for step in self:
            output[(slice(None), *step.position)] = step.result
        return output

    def _spread(self) -> np.ndarray:
        full = self.canvas.copy()
        for step in self:
            full[(slice(None), *np.ix_(*step.window))] += step.result
        inside = tuple(slice(before, before + n) for (before, _), n in zip(self.padding, self.output_size, strict=True))
        return full[(slice(None), *inside)] + self.bias.reshape(-1, *(1 for _ in inside))

    @cached_property
    def unused(self) -> np.ndarray:
        """Which numbers of the input no output depends on: bool, the shape of `input`.

        They lie in no window (transposed: all that they add is cropped away), or, in max pooling, are the largest of
        none; of equal ones the first counts, which is the one that gets torch's gradient too.
        """
        used = np.zeros(self.canvas.shape if self.kind != KINDS[1] else self.input.shape, dtype=bool)
        inside = [range(before, before + n) for (before, _), n in zip(self.padding, self.output_size, strict=True)]
        for step in self:
            if self.kind == "transposed convolution":
                seen = (np.isin(cells, part).any() for cells, part in zip(step.window, inside, strict=True))
                used[(slice(None), *step.position)] = all(seen)
            elif self.kind == "max pooling":
                for channel, values in enumerate(step.values):
                    place = np.unravel_index(values.argmax(), values.shape)
                    used[(channel, *(cells[i] for cells, i in zip(step.window, place, strict=True)))] = True
            else:
                used[(slice(None), *np.ix_(*step.window))] = True
        if self.kind != "transposed convolution":
            pads = zip(self.padding, self.input.shape[1:], strict=True)
            used = used[(slice(None), *(slice(before, before + n) for (before, _), n in pads))]
        return ~used

    @property
    def positions(self) -> tuple[int, ...]:
        """How many steps the window makes along each spatial axis."""
        return self.input.shape[1:] if self.kind == "transposed convolution" else self.output_size

    def __len__(self) -> int:
        return int(np.prod(self.positions))

    def __iter__(self) -> Iterator[Step]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Step:
        position = tuple(int(i) for i in np.unravel_index(range(len(self))[index], self.positions))
        return _step(self, position)

    def describe(self) -> str:
        """Say what slides over what, and what comes out, in one sentence with the sizes."""
        by = " x ".join
        kernel = by(str(k) for k in self.kernel_size)
        shape = by(str(n) for n in self.input.shape)
        out = by(str(n) for n in (len(self.bias), *self.output_size))
        pads = " and ".join(dict.fromkeys(_pad_words(*pair) for pair in self.padding))
        mode = f" ({self.padding_mode})" if any(map(sum, self.padding)) and "pooling" not in self.kind else ""
        return (
            f"{self.kind.capitalize()}: a {kernel} window with stride {self.stride}, padding {pads}{mode} and dilation "
            f"{self.dilation} over an input of {shape} gives {out} in {len(self)} step{'s' * (len(self) > 1)}."
        )


def convolution(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: int = 1,
    padding: int | str | tuple[int, int] = 0,
    dilation: int = 1,
    padding_mode: str = "zeros",
    transposed: bool = False,
    output_padding: int = 0,
) -> Steps:
    """Slide `weight` over `input` and keep every step. No flip: what deep learning calls convolution.

    Args:
        input: [*size], or [C, *size]; one or two spatial axes, as the weight says.
        weight: [k], [k, k], or as torch has it: [F, C, k], [F, C, k, k]; transposed [C, F, ...].
        bias: [F], added to every output of its filter.
        padding, stride, dilation, output_padding: pixels, the same along every axis; see `output_size`.
        padding_mode: for 1234 and two pixels on the left: zeros 00|1234, reflect 32|1234, replicate 11|1234,
            circular 34|1234. Transposed convolution pads with zeros only.

    Raises:
        ValueError: torch would refuse these values, or shapes that do not fit; the message holds both values.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim not in (1, 2, 3, 4):
        raise ValueError(f"weight of shape {weight.shape} is no kernel; give [k], [k, k], [F, C, k] or [F, C, k, k]")
    if weight.ndim <= 2:
        weight = weight[None, None]
    input = _with_channels(input, weight.ndim - 2)
    in_channels, out_channels = weight.shape[:2] if transposed else weight.shape[1::-1]
    if input.shape[0] != in_channels:
        raise ValueError(f"input has {input.shape[0]} channels, but the weight {weight.shape} is for {in_channels}")
    bias = np.zeros(out_channels) if bias is None else np.asarray(bias, dtype=np.float64).reshape(-1)
    if len(bias) != out_channels:
        raise ValueError(f"bias has {len(bias)} values, but the weight {weight.shape} makes {out_channels} channels")
    kernel_size = weight.shape[2:]
    if transposed and padding_mode != "zeros":
        raise ValueError(f'transposed convolution pads with zeros only, got padding_mode="{padding_mode}"')
    sizes = [
        output_size(n, k, stride, padding, dilation, transposed=transposed, output_padding=output_padding)
        for n, k in zip(input.shape[1:], kernel_size, strict=True)
    ]
    pads = tuple(pad_amounts(padding, k, stride, dilation) for k in kernel_size)
    kind = KINDS[1] if transposed else KINDS[0]
    if transposed:
        canvas = np.zeros((out_channels, *(n + before + after for n, (before, after) in zip(sizes, pads, strict=True))))
    else:
        canvas = _pad(input, pads, padding_mode)
    return Steps(kind, input, canvas, weight, bias, kernel_size, stride, pads, padding_mode, dilation, tuple(sizes))


def pooling(
    input: np.ndarray,
    kernel_size: int,
    *,
    kind: str = "max",
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    dims: int = 2,
) -> Steps:
    """Take the maximum, the average or the L2 norm of each window, channel by channel, and keep every step.

    Args:
        input: [*size] or [C, *size].
        dims: spatial axes: 2, or 1 for a row.
        kind: "max" (pads with minus infinity, so that padding never wins), "average" (padding counts as zeros), or
            "L2-norm": the root of the sum of squares, as `F.lp_pool2d` with norm_type 2; it has no padding.
        stride: pixels; the kernel size if None, so that windows do not overlap.

    Raises:
        ValueError: torch would refuse these values: padding over half the kernel, dilation (except of "max").
    """
    if kind not in ("max", "average", "L2-norm"):
        raise ValueError(f'kind={kind!r} is not known; choose "max", "average" or "L2-norm"')
    if kind != "max" and dilation != 1:
        raise ValueError(f'{kind} pooling has no dilation, got dilation={dilation}; use kind="max" or dilation=1')
    if kind == "L2-norm" and padding != 0:
        raise ValueError(f"L2-norm pooling has no padding, got padding={padding}; use padding=0")
    _check_pooling_padding(padding, kernel_size)
    if dims not in (1, 2):
        raise ValueError(f"dims (={dims}) must be 1 or 2")
    input = _with_channels(input, dims)
    stride = kernel_size if stride is None else stride
    sizes = [output_size(n, kernel_size, stride, padding, dilation) for n in input.shape[1:]]
    pads = ((padding, padding),) * dims
    fill = -np.inf if kind == "max" else 0.0
    canvas = _pad(input, pads, "zeros", fill)
    bias, kernel_size = np.zeros(len(input)), (kernel_size,) * dims
    name = f"{kind} pooling"
    return Steps(name, input, canvas, None, bias, kernel_size, stride, pads, "zeros", dilation, tuple(sizes))


def _step(steps: Steps, position: tuple[int, ...]) -> Step:
    window = tuple(
        i * steps.stride + steps.dilation * np.arange(k) for i, k in zip(position, steps.kernel_size, strict=True)
    )
    if steps.kind == "transposed convolution":
        values = steps.input[(slice(None), *position)]  # [C]
        weight = steps.weight.swapaxes(0, 1)  # [F, C, *kernel]
        products = weight * values.reshape(-1, *(1 for _ in window))
        return Step(position, window, values, products, products.sum(axis=1))
    values = steps.canvas[(slice(None), *np.ix_(*window))]  # [C, *kernel]
    axes = tuple(range(1, values.ndim))
    if steps.kind == "max pooling":
        return Step(position, window, values, None, values.max(axis=axes))
    if steps.kind == "average pooling":
        return Step(position, window, values, None, values.mean(axis=axes))
    if steps.kind == "L2-norm pooling":
        return Step(position, window, values, None, np.sqrt((values**2).sum(axis=axes)))
    products = steps.weight * values  # [F, C, *kernel]
    return Step(position, window, values, products, products.sum(axis=tuple(range(1, products.ndim))) + steps.bias)


def _transposed_size(size, reach, stride, padding, dilation, output_padding, ceil_mode) -> int:
    if ceil_mode:
        raise ValueError("ceil_mode belongs to pooling; leave it False for transposed convolution")
    if isinstance(padding, str | tuple | list):
        raise ValueError(f"transposed convolution takes padding as one number, got padding={padding!r}")
    _whole("padding", padding, 0)
    _whole("output_padding", output_padding, 0)
    if output_padding >= max(stride, dilation):
        raise ValueError(
            f"output_padding (={output_padding}) must be smaller than stride (={stride}) or dilation (={dilation}): it "
            "only chooses among the sizes that the stride cannot tell apart"
        )
    length = (size - 1) * stride - 2 * padding + reach + output_padding
    if length < 1:
        raise ValueError(
            f"padding={padding} crops {2 * padding} of the {length + 2 * padding} pixels that transposed convolution "
            "makes, and leaves none; use less padding"
        )
    return length


def _reach(size, kernel_size, stride, dilation) -> int:
    """Check what every formula needs; return how many pixels the kernel spans, holes included."""
    for name, value in (("size", size), ("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation)):
        _whole(name, value, 1)
    return dilation * (kernel_size - 1) + 1


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {least}")
    return value


def _check_pooling_padding(padding: int, kernel_size: int) -> None:
    _whole("kernel_size", kernel_size, 1)
    if isinstance(padding, str | tuple | list):
        raise ValueError(f"pooling takes padding as one number, got padding={padding!r}")
    if 2 * _whole("padding", padding, 0) > kernel_size:
        raise ValueError(f"pooling padding (={padding}) must be at most half of kernel_size (={kernel_size})")


def _pad(input: np.ndarray, pads: tuple, padding_mode: str, fill: float = 0.0) -> np.ndarray:
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"padding_mode={padding_mode!r} is not known; choose {', '.join(PADDING_MODES)}")
    for n, (before, after) in zip(input.shape[1:], pads, strict=True):
        widest = {"reflect": n - 1, "circular": n}.get(padding_mode, before + after)
        if max(before, after) > widest:
            raise ValueError(
                f'padding_mode="{padding_mode}" can add at most {widest} pixels to an axis of {n}, got '
                f'{_pad_words(before, after)}; use less padding, or padding_mode="replicate"'
            )
    values = {"constant_values": fill} if padding_mode == "zeros" else {}
    return np.pad(input, ((0, 0), *pads), mode=PADDING_MODES[padding_mode], **values)


def _with_channels(input: np.ndarray, dims: int) -> np.ndarray:
    array = np.asarray(input, dtype=np.float64)
    if array.ndim == dims:
        array = array[None]
    if array.ndim != dims + 1 or 0 in array.shape:
        raise ValueError(f"input of shape {np.shape(input)} must be {dims}-D, or {dims + 1}-D with channels, not empty")
    return array


def _reach_words(kernel_size: int, dilation: int, reach: int) -> str:
    return f"{reach} pixels" if dilation == 1 else f"{reach} pixels (= {dilation} * ({kernel_size} - 1) + 1)"


def _pad_words(before: int, after: int) -> str:
    return str(before) if before == after else f"({before}, {after})"
