"""ReceptiveFieldExplorer: what one unit of a stack of layers sees of a photo, at most and in effect."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import traitlets
from PIL import Image
from torch import nn

from cnnviz.analysis.layer_table import LayerTable, layer_table
from cnnviz.analysis.linear_field import LinearField, linear_field, map_sizes, one_channel
from cnnviz.analysis.photo import photo
from cnnviz.analysis.stack import stack
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

RANGES = {"kernel_size": (1, 15), "stride": (1, 15), "padding": (0, 32), "dilation": (1, 16), "image_size": (8, 256)}
MOST_LAYERS = 20
PHOTO_SIZE = 256  # pixels along a side of what the browser gets


def _conv(kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> dict:
    return {"kind": "conv", "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}


def _pool(kernel_size: int, stride: int) -> dict:
    return {"kind": "max pool", "kernel_size": kernel_size, "stride": stride, "padding": 0}


def _vgg16() -> list[dict]:
    stages = (2, 2, 3, 3, 3)
    return [layer for n in stages for layer in [*[_conv(3, padding=1)] * n, _pool(2, 2)]]


PRESETS = {  # layers, and pixels along a side of the image
    "three 3x3": ([_conv(3)] * 3, 32),
    "one 7x7": ([_conv(7)], 32),
    "six 3x3": ([_conv(3, padding=1)] * 6, 32),
    "stride 2": ([_conv(3, 2, 1)] * 3, 32),
    "dilation 1, 2, 4, 8": ([_conv(3, dilation=2**i) for i in range(4)], 48),
    "dilation 2, 2, 2": ([_conv(3, dilation=2)] * 3, 32),
    "LeNet-5": (
        [_conv(5, padding=2), _pool(2, 2), _conv(5), _pool(2, 2)],
        28,
    ),
    "AlexNet": (
        [
            _conv(11, 4),
            _pool(3, 2),
            _conv(5, padding=2),
            _pool(3, 2),
            *[_conv(3, padding=1)] * 3,
            _pool(3, 2),
        ],
        227,
    ),
    "VGG-16": (_vgg16(), 224),
}


class ReceptiveFieldExplorer(Explorer):
    """The cone from one unit of a stack of layers down to the pixels, computed and drawn in the browser.

    Every control is a trait; what torch refuses raises `IllegalSettingError` (a ValueError) and changes nothing.

    Args:
        image: an array, the path of a file, or a sample name (see `analysis.photo`); "astronaut" if None. Its largest
            square in the middle is shown.
        preset: a name of PRESETS; it sets `layers` and `image_size`. "own" for layers of one's own.
        layers: convolutions and pools in the words of `analysis.stack`, at most 20; channels do not change the field
            and are left out: `[{"kind": "conv", "kernel_size": 3}, {"kind": "max pool", "kernel_size": 2}]`.
        image_size: pixels along a side of the square image, 8..256.
        layer: the index of the layer whose unit is looked at; the last one stays the last as layers come and go.
        position: (row, column) of that unit in the layer's map; one in the middle stays in the middle.
        zoom: show the field and a little around it, not the whole image.
    """

    _esm = module("layer_cost", "receptive_field_arithmetic", "receptive_field_drawing", "receptive_field")
    _css = style()

    preset = traitlets.Enum([*PRESETS, "own"], "three 3x3").tag(sync=True)
    layers = traitlets.TraitType([dict(layer) for layer in PRESETS["three 3x3"][0]]).tag(sync=True)
    image_size = traitlets.Int(32).tag(sync=True)
    layer = traitlets.Int(2).tag(sync=True)
    position = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(13, 13)).tag(sync=True)
    zoom = traitlets.Bool(False).tag(sync=True)
    _photo = traitlets.Bytes().tag(sync=True)  # grey levels [PHOTO_SIZE, PHOTO_SIZE, 3]
    _presets = traitlets.Dict(
        {name: {"layers": layers, "image_size": size} for name, (layers, size) in PRESETS.items()}
    ).tag(sync=True)

    def __init__(self, image=None, **controls):
        self._following = False
        levels = photo("astronaut" if image is None else image)
        controls = _implied(controls)
        layers = controls["layers"]
        controls.setdefault("layer", len(layers) - 1)
        sides = _sides(layers, controls["image_size"])
        if "position" not in controls and 0 <= controls["layer"] < len(layers):
            controls["position"] = (sides[controls["layer"]] // 2,) * 2
        super().__init__(**controls)
        self._photo = _square(levels).tobytes()
        self._remember()
        self.observe(self._changed, ["preset", "layers", "image_size", "layer"])

    @traitlets.validate("layers")
    def _valid_layers(self, proposal):
        layers = _checked(proposal.value)
        _sides(layers, self.image_size)
        return layers

    @traitlets.validate("image_size", "layer", "position")
    def _valid(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if name == "image_size":
            _in_range(name, value)
        sides = _sides(self.layers, value if name == "image_size" else self.image_size)
        if name == "layer" and not 0 <= value < len(sides):
            raise IllegalSettingError(f"layer={value} must lie in 0..{len(sides) - 1}: there are {len(sides)} layers")
        if name == "position":
            side = sides[min(self.layer, len(sides) - 1)]
            if any(not 0 <= place < side for place in value):
                raise IllegalSettingError(
                    f"position={tuple(value)} must lie in 0..{side - 1}, the map of layer={self.layer}"
                )
        return value

    def _changed(self, change) -> None:
        """Keep the controls in step; what the browser sends is in step already."""
        if self._following:
            return
        last, middle, image_size = self._known
        with self._follow(), self.hold_trait_notifications():
            if change.name == "preset" and change.new != "own":
                layers, size = PRESETS[change.new]
                self.layers = [dict(layer) for layer in layers]
                if self.image_size == image_size:  # else it was set together with the preset
                    self.image_size = size
            self.preset = _preset_of(self.layers)
            end = len(self.layers) - 1
            self.layer = end if self.layer == last else min(self.layer, end)
            side = _sides(self.layers, self.image_size)[self.layer]
            moved = self.position != middle
            self.position = tuple(min(place, side - 1) for place in self.position) if moved else (side // 2,) * 2
        self._remember()

    def _remember(self) -> None:
        """Keep what tells a control that was set from one that has to follow."""
        side = _sides(self.layers, self.image_size)[self.layer]
        self._known = (len(self.layers) - 1, (side // 2,) * 2, self.image_size)

    @contextmanager
    def _follow(self) -> Iterator[None]:
        before, self._following = self._following, True
        try:
            yield
        finally:
            self._following = before

    def set_state(self, sync_data: dict) -> None:
        """Take a change from the browser, where all controls have followed each other already."""
        with self._lock, self._follow():
            super().set_state(sync_data)
            self._remember()

    @property
    def model(self) -> nn.Sequential:
        """The whole stack as a torch module with one channel and random weights."""
        with self._lock:
            return stack(one_channel(self.layers), (1, self.image_size, self.image_size))

    @property
    def table(self) -> LayerTable:
        """The layer table of `model`: map sizes, receptive fields and jumps."""
        with self._lock:
            return layer_table(self.model, (1, self.image_size, self.image_size))

    @property
    def field(self) -> LinearField:
        """What the chosen unit sees, at most and in effect."""
        with self._lock:
            return linear_field(self.layers[: self.layer + 1], self.image_size, self.position)

    def describe(self) -> str:
        """Say which layer is looked at, and what its unit sees."""
        with self._lock:
            layer = self.layers[self.layer]
            return f"Layer {self.layer + 1} of {len(self.layers)}, {_words(layer)}. {self.field.describe()}"


def _implied(controls: dict) -> dict:
    """Add the controls that a preset or own layers imply.

    Raises:
        IllegalSettingError: a preset given together with other layers.
    """
    given = controls.get("preset")
    if "layers" in controls:
        layers = _checked(controls["layers"])
        if given not in (None, _preset_of(layers)):
            raise IllegalSettingError(
                f"preset={given!r} does not have the layers that are given; leave one of them out"
            )
        name = _preset_of(layers)
        size = PRESETS[name][1] if name in PRESETS else 32
    else:
        if given == "own":
            raise IllegalSettingError('preset="own" needs layers; give layers=[...] or choose another preset')
        name = "three 3x3" if given is None else given
        layers, size = PRESETS.get(name, PRESETS["three 3x3"])  # an unknown name is refused by its trait
    return {"image_size": size} | controls | {"preset": name, "layers": [dict(layer) for layer in layers]}


def _checked(value) -> list[dict]:
    """Return the layers with all their numbers.

    Raises:
        IllegalSettingError: no layers, too many, or one that the explorer cannot show.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(layer, Mapping) for layer in value):
        raise IllegalSettingError(f"layers must be a list of dicts, got {value!r}")
    if not 1 <= len(value) <= MOST_LAYERS:
        raise IllegalSettingError(f"there must be 1 to {MOST_LAYERS} layers, got {len(value)}")
    try:
        layers = one_channel(value)
    except ValueError as error:
        raise IllegalSettingError(str(error)) from None
    return [_all_numbers(layer, f"layer {index} ({layer['kind']})") for index, layer in enumerate(layers)]


def _all_numbers(layer: dict, where: str) -> dict:
    kind = layer["kind"]
    keys = ("kernel_size", "stride", "padding", *(["dilation"] if kind == "conv" else []))
    numbers = {key: number for key, number in layer.items() if key not in ("kind", "out_channels", "bias")}
    for key in numbers:
        if key not in keys:
            raise IllegalSettingError(f"{where}: has no {key}; it takes {', '.join(keys)}")
    if "kernel_size" not in numbers:
        raise IllegalSettingError(f"{where}: needs kernel_size")
    usual = {"stride": 1 if kind == "conv" else numbers["kernel_size"], "padding": 0, "dilation": 1}
    numbers = {key: numbers.get(key, usual.get(key)) for key in keys}
    for key, number in numbers.items():
        _in_range(key, number, f"{where}: ")
    return {"kind": kind} | numbers


def _in_range(name: str, value, where: str = "") -> None:
    low, high = RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise IllegalSettingError(f"{where}{name} (={value!r}) must be a whole number in {low}..{high}")


def _sides(layers: list[dict], image_size: int) -> list[int]:
    """Units along a side of each layer's map; the size must be one that the slider has, and the layers fit."""
    _in_range("image_size", image_size)
    try:
        return map_sizes(layers, image_size)
    except ValueError as error:
        raise IllegalSettingError(str(error)) from None


def _preset_of(layers: list[dict]) -> str:
    return next((name for name, (own, _) in PRESETS.items() if own == layers), "own")


def _words(layer: dict) -> str:
    """A layer as the pyramid names it: `conv 3 x 3 / 2, padding 1, dilation 2`."""
    text = f"{layer['kind']} {layer['kernel_size']} x {layer['kernel_size']}"
    if layer["stride"] != 1:
        text += f" / {layer['stride']}"
    for key, usual in (("padding", 0), ("dilation", 1)):
        if layer.get(key, usual) != usual:
            text += f", {key} {layer[key]}"
    return text


def _square(levels: np.ndarray) -> np.ndarray:
    """The largest square in the middle of a photo, in colour, at PHOTO_SIZE pixels a side."""
    height, width = levels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = Image.fromarray(levels[top : top + side, left : left + side]).convert("RGB")
    return np.asarray(image.resize((PHOTO_SIZE, PHOTO_SIZE), Image.Resampling.BOX))
