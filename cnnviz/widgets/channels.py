"""ChannelExplorer: which channels a filter reads in full, grouped, depthwise and 1x1 convolutions, and the cost."""

from math import floor

import torch
import traitlets
from torch import nn

from cnnviz.analysis.layer_table import LayerTable, layer_table
from cnnviz.analysis.stack import stack
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

SEPARABLE = "depthwise separable"
NAMES = {
    "full": "Full convolution",
    "grouped": "Grouped convolution",
    "depthwise": "Depthwise convolution",
    "1x1": "1x1 convolution",
    SEPARABLE: "Depthwise separable convolution",
}
KINDS = tuple(NAMES)
MOST = 32  # channels that can be drawn
RANGES = {"in_channels": MOST, "out_channels": MOST, "groups": MOST, "kernel_size": 7, "size": 224}  # all from 1


class ChannelExplorer(Explorer):
    """How channels connect in a convolution, and what it costs; computed and drawn in the browser.

    Every control is a trait. `w.groups = 4` moves the slider; what torch refuses raises `IllegalSettingError` (a
    ValueError) and changes nothing. Several controls at once: `with w.hold_trait_notifications(): ...`. Padding always
    keeps height and width.

    Args:
        kind: "full", "grouped", "depthwise", "1x1" or "depthwise separable" (depthwise, then 1x1). Setting it changes
            the numbers as far as they have to change; changing the numbers changes it.
        in_channels, out_channels: 1 to 32; out_channels is the number of filters, by default as many as in_channels. A
            depthwise convolution stays one when in_channels changes, and keeps its multiplier out_channels/in_channels.
        groups: divides both of them.
        kernel_size: 1, 3, 5 or 7. size: height and width of the maps, 1 to 224.
        bias: whether each filter has one.
        channel: the output channel whose filter and inputs are lit.
    """

    _esm = module("layer_cost", "cost_words", "channels_drawing", "channels")
    _css = style()

    kind = traitlets.Enum(KINDS, "full").tag(sync=True)
    in_channels = traitlets.Int(8).tag(sync=True)
    out_channels = traitlets.Int(8).tag(sync=True)
    groups = traitlets.Int(1).tag(sync=True)
    kernel_size = traitlets.Int(3).tag(sync=True)
    size = traitlets.Int(28).tag(sync=True)
    bias = traitlets.Bool(False).tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)

    def __init__(self, **controls):
        super().__init__(**_implied(controls))
        self.observe(self._changed, ["kind", "in_channels", "out_channels", "groups", "kernel_size"])

    @traitlets.validate("in_channels", "out_channels", "groups", "kernel_size", "size", "channel")
    def _valid(self, proposal):
        name, value = proposal.trait.name, proposal.value
        state = {name: getattr(self, name) for name in self.control_names()} | {name: value}
        _refuse_illegal(name, state)
        return value

    def _changed(self, change) -> None:
        """Keep kind and numbers in step, as `adapted` does in the browser; a second call finds nothing left to do."""
        with self.hold_trait_notifications():
            if change.name == "kind":
                changes = _of_kind(self.kind, self._numbers())
            elif self.kind == SEPARABLE:
                changes = {"groups": self.in_channels}
            else:
                changes = {}
                if change.name == "in_channels" and self.kind == "depthwise" and self.groups == change.old:
                    multiplier = min(self.out_channels // change.old, MOST // self.in_channels)
                    changes = {"groups": self.in_channels, "out_channels": self.in_channels * multiplier}
                changes["kind"] = _kind_of(self._numbers() | changes)
            for name, value in changes.items():
                setattr(self, name, value)
            self.channel = min(self.channel, self.out_channels - 1)

    def _numbers(self) -> dict:
        return {name: getattr(self, name) for name in ("in_channels", "out_channels", "groups", "kernel_size")}

    @property
    def layers(self) -> list[dict]:
        """The layers in the words of `cnnviz.analysis.stack`: one convolution, or two if it is separable."""
        with self._lock:
            k = self.kernel_size
            if self.kind == SEPARABLE:
                steps = [(self.in_channels, k, self.in_channels), (self.out_channels, 1, 1)]
            else:
                steps = [(self.out_channels, k, self.groups)]
            names = ("out_channels", "kernel_size", "groups")
            return [
                {"kind": "conv", **dict(zip(names, step, strict=True)), "padding": step[1] // 2, "bias": self.bias}
                for step in steps
            ]

    @property
    def model(self) -> nn.Sequential:
        """The torch module of the present settings, with torch's initial weights."""
        return stack(self.layers, (self.in_channels, self.size, self.size))

    @property
    def table(self) -> LayerTable:
        """What the model costs."""
        with self._lock, torch.device("meta"):
            return layer_table(self.model, (self.in_channels, self.size, self.size))

    @property
    def code(self) -> str:
        """The torch line for the present settings (`from torch import nn` before it)."""
        with self._lock:
            lines = [_line(self.in_channels, layer) for layer in self.layers]
        if len(lines) == 1:
            return lines[0]
        return "nn.Sequential(\n" + "".join(f"    {line},\n" for line in lines) + ")"

    def describe(self) -> str:
        """Say who reads what, and what it costs."""
        with self._lock:
            inputs, outputs, groups, k, size = (*self._numbers().values(), self.size)
            table = self.table
            with torch.device("meta"):
                layer = nn.Conv2d(inputs, outputs, k, padding=k // 2, bias=self.bias)
            full = layer_table(layer, (inputs, size, size))
            if self.kind == SEPARABLE:
                how = f"a {k} x {k} filter for each channel, then {outputs} filters of 1 x 1"
                first, last = 0, inputs - 1
            else:
                how = (
                    f"{_count(outputs, 'filter')} of {k} x {k} in {_count(groups, 'group')}, each reads "
                    f"{inputs // groups} of the {_count(inputs, 'channel')}"
                )
                first = self.channel * groups // outputs * (inputs // groups)
                last = first + inputs // groups - 1
            shares = ", ".join(
                f"{ours:,} {name} ({percent(ours / theirs)} of the full convolution's)"
                for name, ours, theirs in (
                    ("parameters", table.parameters, full.parameters),
                    ("mult-adds", table.mult_adds, full.mult_adds),
                )
            )
            source = f"channel {first}" if first == last else f"channels {first} to {last}"
            return (
                f"{NAMES[self.kind]}: {how}; {inputs} x {size} x {size} in, {outputs} x {size} x {size} out. {shares}. "
                f"Output channel {self.channel} is made from input {source}."
            )


def percent(share: float) -> str:
    """0.287 -> "28.7 %"; halves go up, as JavaScript rounds them."""
    return f"{floor(1000 * share + 0.5) / 10:.1f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _line(in_channels: int, layer: dict) -> str:
    options = [str(in_channels), str(layer["out_channels"]), f"kernel_size={layer['kernel_size']}"]
    options += [f"padding={layer['padding']}"] if layer["padding"] else []
    options += [f"groups={layer['groups']}"] if layer["groups"] > 1 else []
    options += [] if layer["bias"] else ["bias=False"]
    return f"nn.Conv2d({', '.join(options)})"


def _kind_of(numbers: dict) -> str:
    """The name of a single convolution."""
    if numbers["groups"] == 1:
        return "1x1" if numbers["kernel_size"] == 1 else "full"
    return "depthwise" if numbers["groups"] == numbers["in_channels"] else "grouped"


def _of_kind(kind: str, numbers: dict) -> dict:
    """What has to change for a convolution to become one of this kind; nothing if it is one."""
    inputs, outputs, wide = numbers["in_channels"], numbers["out_channels"], max(numbers["kernel_size"], 3)
    if kind == SEPARABLE:
        return {"groups": inputs}
    if kind == _kind_of(numbers):
        return {}
    if kind == "1x1":
        return {"groups": 1, "kernel_size": 1}
    if kind == "full":
        return {"groups": 1, "kernel_size": wide}
    if kind == "grouped":
        even = {"in_channels": max(4, inputs + inputs % 2), "out_channels": max(2, outputs + outputs % 2)}
        return {**even, "groups": 2, "kernel_size": wide}
    inputs = max(inputs, 2)
    multiplier = min(max(floor(outputs / inputs + 0.5), 1), MOST // inputs)
    return {"in_channels": inputs, "out_channels": inputs * multiplier, "groups": inputs, "kernel_size": wide}


def _implied(controls: dict) -> dict:
    """All controls that follow from those that are given at the start.

    Raises:
        IllegalSettingError: two of them contradict each other.
    """
    numbers = {"in_channels": 8, "groups": 1, "kernel_size": 3} | controls
    numbers = {"out_channels": numbers["in_channels"]} | numbers
    names = ("in_channels", "out_channels", "groups", "kernel_size")
    if controls.get("kind", "full") not in KINDS or not all(isinstance(numbers[name], int) for name in names):
        return controls  # traitlets says what is wrong
    kind = controls.get("kind")
    if kind is None:
        return {**numbers, "kind": _kind_of(numbers)}
    if "groups" not in controls and kind == "grouped":
        numbers["groups"] = 2
    changes = _of_kind(kind, numbers)
    for name, value in changes.items():
        if controls.get(name, value) != value:
            raise IllegalSettingError(f"kind={kind!r} needs {name}={value} here, got {name}={controls[name]}")
    return {**numbers, **changes, "kind": kind}


def _refuse_illegal(name: str, state: dict) -> None:
    """Raise if the control of that name does not fit the others."""
    value, inputs, outputs, groups = (state[key] for key in (name, "in_channels", "out_channels", "groups"))
    if name == "channel":
        if not 0 <= value < outputs:
            raise IllegalSettingError(f"channel={value} must lie in 0..{outputs - 1}: there are {outputs} outputs")
        return
    if not 1 <= value <= RANGES[name]:
        raise IllegalSettingError(f"{name}={value} must lie in 1..{RANGES[name]}")
    if name == "kernel_size" and value % 2 == 0:
        raise IllegalSettingError(f"kernel_size={value} must be 1, 3, 5 or 7, so that padding can keep the size")
    if state["kind"] == SEPARABLE:
        if name == "groups" and value != inputs:
            raise IllegalSettingError(
                f"groups={value} does not fit kind={SEPARABLE!r}, whose first layer has one group for each of the "
                f"{inputs} channels; set kind='grouped' first"
            )
        return
    if name == "in_channels" and state["kind"] == "depthwise":
        return  # groups follow
    for other, number in (("in_channels", inputs), ("out_channels", outputs)):
        if name in (other, "groups") and number % groups:
            legal = ", ".join(str(g) for g in range(1, MOST + 1) if inputs % g == 0 and outputs % g == 0)
            hint = f"groups can be {legal}" if name == "groups" else f"choose a multiple of {groups}"
            raise IllegalSettingError(f"{other} (={number}) must be divisible by groups (={groups}); {hint}")
