"""The settings of ConvolutionExplorer: pictures and kernels to choose from, what fits together and what is refused."""

from functools import cache

import numpy as np
from skimage import data
from sklearn.datasets import load_digits

from cnnviz.analysis.convolution import Steps, convolution, pooling
from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.widgets.explorer import IllegalSettingError

PRESETS = ("numbers", *KERNELS)
SOURCES = ("numbers", "digit", "photo", "colour photo", "own")
RANGES = {
    "input_size": (1, 16),
    "kernel_size": (1, 7),
    "stride": (1, 5),
    "dilation": (1, 4),
    "output_padding": (0, 4),
    "out_channels": (1, 3),
    "speed": (1, 30),
}
LARGEST = 40  # cells along an edge that can still be drawn


def implied(controls: dict) -> dict:
    """Add the controls that given arrays imply: an input has a size, a weight has a kernel size and filters.

    Raises:
        IllegalSettingError: a control and an array that are both given do not agree.
    """
    arrays = {name: checked(name, controls[name]) for name in ("input", "weight", "kernels") if name in controls}
    follows = {}
    if "input" in arrays:
        follows |= {"input_size": arrays["input"].shape[-1], "source": "own"}
    if "weight" in arrays:
        filters = len(arrays["weight"])
        follows |= {"kernel_size": arrays["weight"].shape[-1], "out_channels": filters, "kernels": ["edited"] * filters}
    elif "kernels" in arrays:
        follows |= {"out_channels": max(len(arrays["kernels"]), controls.get("out_channels", 1))}
    for name, value in follows.items():
        if controls.get(name, value) != value:
            raise IllegalSettingError(
                f"{name}={controls[name]!r} does not fit what was given with it, which has {value!r}"
            )
    return controls | arrays | follows


def record(state: dict, input: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None) -> Steps:
    """The record for a state; without a weight, one filter of ones, which is enough to see what is legal."""
    k, stride, padding, dilation = (state[name] for name in ("kernel_size", "stride", "padding", "dilation"))
    mode, padding_mode, output_padding = state["mode"], state["padding_mode"], state["output_padding"]
    if state["global_pooling"]:
        if "pooling" not in mode:
            raise ValueError(f"global_pooling=True belongs to pooling, not to {mode}; choose a pooling mode first")
        k = stride = state["input_size"]
        padding, dilation = 0, 1
    if "pooling" in mode:
        if padding_mode != "zeros" or output_padding:
            raise ValueError(
                f"{mode} has neither padding_mode nor output_padding, got padding_mode={padding_mode!r} and "
                f"output_padding={output_padding}; set them to 'zeros' and 0"
            )
        return pooling(input, k, kind=mode.split()[0], stride=stride, padding=padding, dilation=dilation)
    transposed = mode == "transposed convolution"
    if not transposed and output_padding:
        raise ValueError(f"output_padding (={output_padding}) belongs to transposed convolution; leave it 0 here")
    weight = np.ones((1, len(input), k, k)) if weight is None else weight
    options = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": padding_mode}
    if transposed:
        return convolution(
            input, weight.swapaxes(0, 1), bias, transposed=True, output_padding=output_padding, **options
        )
    return convolution(input, weight, bias, **options)


@cache
def pixels(source: str) -> np.ndarray:
    """The stored picture behind a source: [C, n, n] whole numbers, the digit 0..16, photos 0..255."""
    if source == "digit":
        return load_digits().images[12][None]  # 8 x 8, a two
    corner = data.chelsea()[96:144:3, 120:168:3].transpose(2, 0, 1).astype(float)  # 16 x 16 of every third pixel
    return corner if source == "colour photo" else corner.mean(axis=0, keepdims=True).round()


def picture(source: str, size: int) -> np.ndarray:
    """A source at [C, size, size]: numbers count 0..9, a digit is sampled, a photo is cut around its middle."""
    if source == "numbers":
        return (np.arange(size * size) % 10).reshape(1, size, size).astype(float)
    whole_picture = pixels(source)
    whole = whole_picture.shape[-1]
    index = np.arange(size) * whole // size if source == "digit" else (whole - size) // 2 + np.arange(size)
    return whole_picture[:, index[:, None], index]


@cache
def preset(name: str, size: int) -> np.ndarray:
    """A preset in float64, each weight the shortest decimal that is the same float32 (1/9 is 0.11111111)."""
    if name == "numbers":
        return np.arange(float(size * size)).reshape(size, size)
    return np.array([[float(str(value)) for value in row] for row in kernel(name, size)])


def refit(square: np.ndarray, size: int, shift: int) -> np.ndarray:
    """Cut a square, or surround it with zeros, to [size, size]; its first cell comes to (shift, shift)."""
    fitted = np.zeros((size, size))
    old, new = slice(max(0, -shift), max(0, size - shift)), max(0, shift)
    part = square[old, old]
    fitted[new : new + len(part), new : new + len(part)] = part
    return fitted


def _numbers(name: str, value, ndim: int) -> np.ndarray:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise IllegalSettingError(f"{name} must be numbers of equal row length, got {value!r}") from None
    array = array.reshape((1,) * (ndim - array.ndim) + array.shape)
    if array.ndim != ndim or not np.isfinite(array).all():
        raise IllegalSettingError(f"{name} must hold finite numbers along at most {ndim} axes, got shape {array.shape}")
    return array


def checked(name: str, value) -> np.ndarray | list[str]:
    """A value for input, weight, bias or kernels in its final form.

    Raises:
        IllegalSettingError: it holds something else than finite numbers of a fitting shape, or an unknown kernel.
    """
    if name == "kernels":
        return _checked_kernels(value)
    array = _numbers(name, value, {"input": 3, "weight": 4, "bias": 1}[name])
    if name == "input" and (array.shape[0] not in (1, 3) or array.shape[1] != array.shape[2]):
        raise IllegalSettingError(f"input must be [n, n] or [C, n, n] with C 1 or 3, got shape {array.shape}")
    if name == "weight" and (array.shape[1] not in (1, 3) or array.shape[2] != array.shape[3]):
        raise IllegalSettingError(f"weight must be [k, k] or [F, C, k, k] with C 1 or 3, got shape {array.shape}")
    array.setflags(write=False)  # w.input[0, 0, 0] = 7 would change Python's array and not the picture
    return array


def _checked_kernels(value) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise IllegalSettingError(f"kernels must be names in a list, got {value!r}")
    allowed = (*PRESETS, "edited")
    for name in names:
        if name not in allowed:
            raise IllegalSettingError(f"there is no kernel {name!r}; choose from {', '.join(allowed)}")
    return list(names)
