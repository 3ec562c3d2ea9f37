"""ConvolutionExplorer: every setting of a convolution or pooling layer, one window at a time."""

import math
import re

import numpy as np
import torch
import torch.nn.functional as F
import traitlets

from cnnviz.analysis.convolution import KINDS, Steps, leftover, pad_amounts
from cnnviz.widgets.convolution_settings import (
    LARGEST,
    PRESETS,
    RANGES,
    SOURCES,
    checked,
    implied,
    picture,
    pixels,
    preset,
    record,
    refit,
)
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style


def array_trait() -> traitlets.TraitType:
    """A trait that holds a NumPy array in Python and nested lists in the browser."""
    return traitlets.TraitType(np.zeros(0)).tag(
        sync=True, to_json=lambda array, _: array.tolist(), from_json=lambda lists, _: np.array(lists, dtype=np.float64)
    )


class ConvolutionExplorer(Explorer):
    """Convolution, transposed convolution and pooling on a small input, computed and drawn in the browser.

    Every control is a trait. `w.stride = 2` moves the slider; what torch refuses raises `IllegalSettingError` (a
    ValueError) and changes nothing. Several controls at once: `with w.hold_trait_notifications(): ...`.

    Args:
        mode: "convolution", "transposed convolution", "max pooling", "average pooling" or "L2-norm pooling".
        source: "numbers", "digit", "photo", "colour photo", or "own" once `input` was given or edited.
        input: [n, n] or [C, n, n] with C 1 or 3; setting it sets `input_size` and `source`.
        input_size, kernel_size, stride, dilation, output_padding, out_channels: as in torch, in RANGES.
        padding: pixels on each side, or "valid", "same", "full" (convolution only).
        padding_mode: "zeros", "reflect", "replicate" or "circular" (convolution only).
        global_pooling: the window is the whole input, whatever kernel_size, stride, padding and dilation say.
        kernels: a name for each filter, of PRESETS or "edited"; more names than filters make more filters.
        weight: [F, C, k, k], filters first also for transposed convolution; [k, k] is one filter of one channel.
        bias: [F]; missing ones are 0.
        filter: which filter (pooling: channel) the products are written out for. step: which window is shown.
        speed: steps per second while playing.
    """

    _esm = module("convolution_arithmetic", "convolution_drawing", "convolution_painter", "convolution")
    _css = style()

    mode = traitlets.Enum(KINDS, "convolution").tag(sync=True)
    source = traitlets.Enum(SOURCES, "numbers").tag(sync=True)
    input_size = traitlets.Int(7).tag(sync=True)
    kernel_size = traitlets.Int(3).tag(sync=True)
    stride = traitlets.Int(1).tag(sync=True)
    padding = traitlets.Union([traitlets.Int(), traitlets.Enum(["valid", "same", "full"])], default_value=0).tag(
        sync=True
    )
    padding_mode = traitlets.Enum(["zeros", "reflect", "replicate", "circular"], "zeros").tag(sync=True)
    dilation = traitlets.Int(1).tag(sync=True)
    global_pooling = traitlets.Bool(False).tag(sync=True)
    output_padding = traitlets.Int(0).tag(sync=True)
    out_channels = traitlets.Int(1).tag(sync=True)
    kernels = traitlets.TraitType(["sharpen"]).tag(sync=True)
    input = array_trait()
    weight = array_trait()
    bias = array_trait()
    filter = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    speed = traitlets.Int(4).tag(sync=True)
    _pictures = traitlets.Dict().tag(sync=True)
    _presets = traitlets.Dict().tag(sync=True)

    def __init__(self, **controls):
        if controls.get("source") == "own" and "input" not in controls:
            raise IllegalSettingError('source="own" needs an input; give input=[[...]] or choose another source')
        super().__init__(**implied(controls))
        self._pictures = {name: pixels(name).tolist() for name in SOURCES[1:-1]}
        self._presets = {name: [preset(name, k).tolist() for k in range(1, 8)] for name in PRESETS}
        self._complete()
        self.observe(
            self._changed, ["source", "input_size", "kernel_size", "out_channels", "kernels", "mode", "stride"]
        )
        self.observe(
            self._changed, ["input", "weight", "bias", "padding", "dilation", "global_pooling", "filter", "step"]
        )

    @traitlets.validate("input", "weight", "bias", "kernels")
    def _valid_array(self, proposal):
        value = checked(proposal.trait.name, proposal.value)
        self._refuse_misfit(proposal.trait.name, value)
        self._refuse_illegal(implied({proposal.trait.name: value}))
        return value

    def _refuse_misfit(self, name: str, value) -> None:
        """Refuse what would have to be cut, or filled with something that nobody gave."""
        channels = {"own": len(self.input), "colour photo": 3}.get(self.source, 1)
        if name == "weight" and value.shape[1] not in (1, channels):
            given = value.shape[1]
            raise IllegalSettingError(f"weight {value.shape} is for {given} channels, the input has {channels}")
        if name == "bias" and len(value) > self.out_channels:
            raise IllegalSettingError(f"bias has {len(value)} values, but out_channels={self.out_channels}")
        if name == "kernels" and "edited" in value[len(self.weight) :]:
            raise IllegalSettingError(f'kernels={value} calls a filter "edited" that has no weight; set weight instead')

    @traitlets.validate(
        "mode", "input_size", "kernel_size", "stride", "padding", "padding_mode", "dilation", "output_padding",
        "global_pooling", "out_channels", "filter", "step", "speed",
    )  # fmt: skip
    def _valid(self, proposal):
        self._refuse_illegal({proposal.trait.name: proposal.value})
        return proposal.value

    def _refuse_illegal(self, changes: dict) -> None:
        names = ["mode", "padding", "padding_mode", "global_pooling", "filter", "step", *RANGES]
        state = {name: getattr(self, name) for name in names} | changes
        for name, (low, high) in RANGES.items():
            if not low <= state[name] <= high:
                raise IllegalSettingError(f"{name}={state[name]} must lie in {low}..{high}")
        try:
            steps = record(state, np.zeros((1, state["input_size"], state["input_size"])), None, None)
        except ValueError as error:
            raise IllegalSettingError(str(error)) from None
        widest = max(steps.canvas.shape[-1], *steps.output_size)
        if widest > LARGEST:
            raise IllegalSettingError(f"{widest} cells along an edge are more than can be drawn (={LARGEST})")
        channels = len(self.input) if "pooling" in state["mode"] else state["out_channels"]
        for name, count in (("step", len(steps)), ("filter", channels)):
            if name in changes and not 0 <= changes[name] < count:
                raise IllegalSettingError(f"{name}={changes[name]} must lie in 0..{count - 1} with these settings")

    def _changed(self, change) -> None:
        """Keep the arrays in step with the controls; a second call finds nothing left to do."""
        with self.hold_trait_notifications():
            if change.name == "input":
                self.input_size = change.new.shape[-1]
                if self.source != "own" and not np.array_equal(change.new, picture(self.source, self.input_size)):
                    self.source = "own"
            if change.name == "weight" or (change.name == "kernels" and len(change.new) > self.out_channels):
                self.out_channels = len(change.new)
            if change.name == "weight":
                self.kernel_size = change.new.shape[-1]
                self.kernels = [self._name_of(f, filter) for f, filter in enumerate(change.new)]
            self._complete()

    def _name_of(self, index: int, filter: np.ndarray) -> str:
        name = self.kernels[index] if index < len(self.kernels) else "edited"
        same = name != "edited" and all(np.array_equal(channel, preset(name, len(channel))) for channel in filter)
        return name if same else "edited"

    def _complete(self) -> None:
        """Fill in what follows from the controls, as `complete` does in the browser."""
        size = self.input_size
        if self.source != "own":
            self._assign("input", picture(self.source, size))
        elif self.input.shape[-1] != size:
            self._assign("input", np.stack([refit(channel, size, 0) for channel in self.input]))
        names = list(self.kernels)
        spare = [name for name in PRESETS if name not in names]
        names += [spare[(f + 3) % len(spare)] for f in range(len(names), self.out_channels)]
        self._assign("kernels", names[: self.out_channels])
        self._assign("weight", np.stack([self._filter(f, name) for f, name in enumerate(self.kernels)]))
        missing = max(0, self.out_channels - len(self.bias))
        self._assign("bias", np.pad(self.bias, (0, missing))[: self.out_channels])
        channels = len(self.input) if "pooling" in self.mode else self.out_channels
        self.filter = min(self.filter, channels - 1)
        self.step = min(self.step, len(self.steps) - 1)

    def _filter(self, index: int, name: str) -> np.ndarray:
        if name != "edited":
            return np.stack([preset(name, self.kernel_size)] * len(self.input))
        old = self.weight[index]
        shift = (self.kernel_size - 1) // 2 - (old.shape[-1] - 1) // 2
        return np.stack([refit(old[c % len(old)], self.kernel_size, shift) for c in range(len(self.input))])

    def _assign(self, name: str, value) -> None:
        if not np.array_equal(getattr(self, name), value):
            setattr(self, name, value)

    @property
    def steps(self) -> Steps:
        """The record of every step for the present settings."""
        names = ["mode", "input_size", "kernel_size", "stride", "padding", "padding_mode", "dilation", "output_padding"]
        names.append("global_pooling")
        with self._lock:
            return record({name: getattr(self, name) for name in names}, self.input, self.weight, self.bias)

    @property
    def output(self) -> np.ndarray:
        """What torch computes from the present settings: [m, m], or [F, m, m] where there are several channels."""
        with self._lock:
            output = self._torch_output().numpy()
        return output[0] if len(output) == 1 else output

    def _torch_output(self) -> torch.Tensor:
        x, bias = torch.tensor(self.input)[None], torch.tensor(self.bias)
        if self.global_pooling:
            pool = {"max pooling": F.adaptive_max_pool2d, "average pooling": F.adaptive_avg_pool2d}.get(self.mode)
            return (pool(x, 1) if pool else F.lp_pool2d(x, 2, self.input_size))[0]
        if self.mode == "max pooling":
            return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation)[0]
        if self.mode == "average pooling":
            return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding)[0]
        if self.mode == "L2-norm pooling":
            return F.lp_pool2d(x, 2, self.kernel_size, self.stride)[0]
        if self.mode == "transposed convolution":
            weight = torch.tensor(self.weight).transpose(0, 1)
            return F.conv_transpose2d(
                x, weight, bias, self.stride, self.padding, self.output_padding, dilation=self.dilation
            )[0]
        before, after = pad_amounts(self.padding, self.kernel_size, self.stride, self.dilation)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        x = F.pad(x, (before, after) * 2, mode=mode)
        return F.conv2d(x, torch.tensor(self.weight), bias, self.stride, dilation=self.dilation)[0]

    @property
    def code(self) -> str:
        """The exact torch call for the present settings, as text that runs; the result is `y`."""
        lines = ["import torch", "import torch.nn.functional as F", ""]
        with self._lock:
            lines.append(f"x = torch.tensor([{_literal(self.input)}])  # N, C, H, W")
            lines += self._pooling_code() if "pooling" in self.mode else self._convolution_code()
        return "\n".join(lines)

    def _pooling_code(self) -> list[str]:
        layer = {"max pooling": "max_pool2d", "average pooling": "avg_pool2d", "L2-norm pooling": "lp_pool2d"}[
            self.mode
        ]
        norm = ["norm_type=2"] if self.mode == "L2-norm pooling" else []
        if self.global_pooling:
            options = [*norm, f"kernel_size={self.input_size}"] if norm else ["output_size=1"]
            return [f"y = F.{'' if norm else 'adaptive_'}{layer}(x, {', '.join(options)})"]
        options = [*norm, f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        options += [f"padding={self.padding}"] if self.padding else []
        options += [f"dilation={self.dilation}"] if self.dilation != 1 else []
        return [f"y = F.{layer}(x, {', '.join(options)})"]

    def _convolution_code(self) -> list[str]:
        transposed = self.mode == "transposed convolution"
        weight, order = self.weight, "out_channels, in_channels"
        if transposed:
            weight, order = weight.swapaxes(0, 1), "in_channels, out_channels"
        lines, options = [f"weight = torch.tensor({_literal(weight)})  # {order}, k, k"], ["weight"]
        if self.bias.any():
            lines.append(f"bias = torch.tensor({_literal(self.bias)})")
            options.append("bias")
        options += [f"stride={self.stride}"] if self.stride != 1 else []
        x, (before, after) = "x", pad_amounts(self.padding, self.kernel_size, self.stride, self.dilation)
        if before + after and self.padding_mode != "zeros":
            amounts = f"({before}, {after}, {before}, {after})"
            lines.append(f'padded = F.pad(x, {amounts}, mode="{self.padding_mode}")')
            x = "padded"
        elif self.padding in ("same", "valid"):
            options.append(f'padding="{self.padding}"')
        elif before:
            options.append(f"padding={before}")
        options += [f"output_padding={self.output_padding}"] if self.output_padding else []
        options += [f"dilation={self.dilation}"] if self.dilation != 1 else []
        layer = "conv_transpose2d" if transposed else "conv2d"
        return [*lines, f"y = F.{layer}({x}, {', '.join(options)})"]

    def describe(self) -> str:
        """Say what slides over what, what comes out, what is left over, and what pooling throws away."""
        steps, rest = self.steps, 0
        words = steps.describe()
        if self.global_pooling:
            words = f"Global {self.mode}{words[len(self.mode) :]}"
        if self.mode != "transposed convolution":
            rest = leftover(self.input_size, *steps.kernel_size[:1], steps.stride, steps.padding[0], steps.dilation)
        words += f" Left over at the end: {rest} of each axis." if rest else ""
        return f"{words} {_kept(steps)}" if "pooling" in self.mode else words


def _kept(steps: Steps) -> str:
    """How many numbers go in, how many come out, and how many of those that go in nothing depends on."""
    given, left, unused = steps.input.size, steps.output.size, int(steps.unused.sum())
    share = f"{math.floor(1000 * abs(given - left) / given + 0.5) / 10:g} %"
    change = f"{share} fewer" if left < given else f"{share} more" if left > given else "as many"
    text = f"{given} number{'s' * (given > 1)} in, {left} out: {change}."
    if steps.kind == "max pooling":
        return f"{text} {unused} of the {given} {'is' if unused == 1 else 'are'} the largest of no window."
    if unused == 0:
        return f"{text} Each of the {given} lies in a window."
    return f"{text} {unused} of the {given} {'lies' if unused == 1 else 'lie'} in no window."


def _literal(array: np.ndarray) -> str:
    """Nested lists as both Python and JavaScript write them: 3 is `3.`, 0.5 is `0.5`."""
    text = re.sub(r"\b(\d+)\.0\b", r"\1.", repr(array.tolist()))
    return text.replace("e-0", "e-")
