"""CostExplorer: one design replaced by another, and what that does to parameters, mult-adds and memory."""

from math import floor

import traitlets
from torch import nn

from cnnviz.analysis.designs import COMPARISONS, Design, designs
from cnnviz.analysis.layer_table import KB, LayerTable
from cnnviz.widgets.channels import percent
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

MEASURES = ("mult-adds", "parameters", "memory")
FIRST = next(iter(COMPARISONS))


class CostExplorer(Explorer):
    """Two designs that do the same work side by side, layer by layer; computed and drawn in the browser.

    Every control is a trait. Setting `comparison` loads the numbers of its first example, the lecture's where a lecture
    has them; set the others after it. What torch refuses raises `IllegalSettingError` (a ValueError) and changes
    nothing. Counted are one image and float32; ReLU and normalisation are left out.

    Args:
        comparison: "stacked 3x3", "bottleneck", "grouped", "depthwise separable", "width multiplier", "resolution
            multiplier", "inception" or "global average pooling".
        measure: "mult-adds", "parameters" or "memory": whose arithmetic is written out.
        in_channels, out_channels, kernel_size, size, groups, num_classes: numbers of the layers; size is height and
            width. reduced: channels of the bottleneck. width, resolution: factors of channels, and of height and width.
        out1x1, reduce3x3, out3x3, reduce5x5, out5x5, pool_projection: filters of the Inception module, as in
            `cnnviz.models.googlenet.Inception`.
        bias: whether layers with weights have one.
    """

    _esm = module("layer_cost", "cost_words", "cost")
    _css = style()

    comparison = traitlets.Enum(tuple(COMPARISONS), FIRST).tag(sync=True)
    measure = traitlets.Enum(MEASURES, MEASURES[0]).tag(sync=True)
    in_channels = traitlets.Int(64).tag(sync=True)
    out_channels = traitlets.Int(64).tag(sync=True)
    kernel_size = traitlets.Int(7).tag(sync=True)
    size = traitlets.Int(28).tag(sync=True)
    reduced = traitlets.Int(64).tag(sync=True)
    groups = traitlets.Int(2).tag(sync=True)
    width = traitlets.Float(0.75).tag(sync=True)
    resolution = traitlets.Float(0.714).tag(sync=True)
    out1x1 = traitlets.Int(128).tag(sync=True)
    reduce3x3 = traitlets.Int(64).tag(sync=True)
    out3x3 = traitlets.Int(192).tag(sync=True)
    reduce5x5 = traitlets.Int(64).tag(sync=True)
    out5x5 = traitlets.Int(96).tag(sync=True)
    pool_projection = traitlets.Int(64).tag(sync=True)
    num_classes = traitlets.Int(1000).tag(sync=True)
    bias = traitlets.Bool(False).tag(sync=True)
    _comparisons = traitlets.Dict().tag(sync=True)

    def __init__(self, **controls):
        comparison = controls.get("comparison", FIRST)
        if comparison in COMPARISONS:
            self._refuse_unused(comparison, controls)
            controls = COMPARISONS[comparison].defaults | controls
        super().__init__(**controls)
        self._comparisons = {
            name: {"settings": {key: list(limits) for key, limits in one.settings.items()}, "examples": one.examples}
            for name, one in COMPARISONS.items()
        }
        self._from_browser = False
        self.observe(self._load_example, "comparison")

    def _refuse_unused(self, comparison: str, controls) -> None:
        """Refuse a number that this comparison does not have; unknown names are left to the widget."""
        used = COMPARISONS[comparison].defaults
        for name in controls:
            if name in self.control_names() and name not in ("comparison", "measure", *used):
                raise IllegalSettingError(f"comparison={comparison!r} has no {name}; it has {', '.join(used)}")

    def __setattr__(self, name: str, value) -> None:
        if "_from_browser" in self.__dict__ and name in self.control_names():
            self._refuse_unused(self.comparison, [name])
        super().__setattr__(name, value)

    def set_state(self, sync_data: dict) -> None:
        """Take what the browser sends: a comparison comes with its numbers."""
        with self._lock:
            self._from_browser = True
            try:
                super().set_state(sync_data)
            finally:
                self._from_browser = False

    def _load_example(self, change) -> None:
        if not self._from_browser:
            with self.hold_trait_notifications():
                for name, value in COMPARISONS[self.comparison].defaults.items():
                    setattr(self, name, value)

    @traitlets.validate(*sorted({name for one in COMPARISONS.values() for name in one.settings}))
    def _valid(self, proposal):
        name, value = proposal.trait.name, proposal.value
        settings = COMPARISONS[self.comparison].settings
        if name in settings:
            low, high, _ = settings[name]
            low = 1 if isinstance(low, int) and name != "kernel_size" else low  # only the slider goes in eights
            if not low <= value <= high:
                raise IllegalSettingError(f"{name}={value} must lie in {low}..{high}")
            if name == "kernel_size" and value % 2 == 0:
                raise IllegalSettingError(f"kernel_size={value} must be odd, so that padding can keep the size")
            self._refuse_groups({name: value})
        return value

    def _refuse_groups(self, change: dict) -> None:
        groups = change.get("groups", self.groups)
        for name in ("in_channels", "out_channels"):
            number = change.get(name, getattr(self, name))
            if self.comparison == "grouped" and number % groups:
                raise IllegalSettingError(f"{name} (={number}) must be divisible by groups (={groups})")

    @property
    def settings(self) -> dict:
        """The numbers of the present comparison, and `bias`."""
        with self._lock:
            return {name: getattr(self, name) for name in COMPARISONS[self.comparison].defaults}

    @property
    def _pair(self) -> tuple[Design, Design]:
        with self._lock:
            return designs(self.comparison, **self.settings)

    @property
    def designs(self) -> tuple[nn.Sequential, nn.Sequential]:
        """The torch module that is replaced, and the one that replaces it, with torch's initial weights."""
        return tuple(design.model() for design in self._pair)

    @property
    def tables(self) -> tuple[LayerTable, LayerTable]:
        """What both cost."""
        return tuple(design.table() for design in self._pair)

    def describe(self) -> str:
        """Say what both designs cost, and how they compare."""
        with self._lock:
            comparison, pair = self.comparison, self._pair
        tables = [design.table() for design in pair]
        sides = "; ".join(
            f"{design.name}, {' x '.join(map(str, design.input_shape))} in: {table.parameters:,} parameters, "
            f"{table.mult_adds:,} mult-adds, outputs of {kilobytes(table.activation_bytes)}"
            for design, table in zip(pair, tables, strict=True)
        )
        names = {"parameters": "parameters", "mult_adds": "mult-adds", "activation_bytes": "memory"}
        shares = ", ".join(
            f"{word} {ratio(getattr(tables[1], name) / getattr(tables[0], name))}" for name, word in names.items()
        )
        return f"{comparison[0].upper()}{comparison[1:]}. {sides}. The second design against the first: {shares}."


def kilobytes(number: int) -> str:
    """Bytes as kB, halves up, as the browser writes them."""
    return f"{floor(10 * number / KB + 0.5) / 10:,.1f} kB"


def ratio(share: float) -> str:
    """0.287 -> "28.7 %, 3.5 times less"; 1.333 -> "133.3 %"; 3 -> "3.0 times as much"."""
    if share == 1:
        return "the same"
    factor = f"{floor(10 * max(share, 1 / share) + 0.5) / 10:,.1f} times"
    if share < 1:
        return f"{percent(share)}, {factor} less"
    return percent(share) if share < 2 else f"{factor} as much"
