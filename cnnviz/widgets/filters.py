"""FilterExplorer: the filters of a network, and how they came to be over the epochs of a run."""

from collections.abc import Sequence

import numpy as np
import traitlets
from torch import nn

from cnnviz.analysis.filters import filters
from cnnviz.figures.filters import position, sheet_of_filters
from cnnviz.figures.montage import default_columns, largest, montage
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.gallery import Gallery, check_name, check_position, choice_control, panel, slider_control

ENLARGE, GAP = 6, 2  # pixels along each side of a weight, and between filters


class FilterExplorer(Gallery):
    """All filters of one layer and one of them large; with the records of a run a slider over its epochs.

    `w.layer = "c3"`, `w.channel = 4` (the filter of that output channel) and `w.epoch = 2` move the controls; a value
    that is not there raises `IllegalSettingError` (a ValueError) and changes nothing. All epochs share one scale of
    colours. A layer on three channels is shown in colour; on more, each filter is a row with one tile a channel.

    Args:
        source: a model, the records of a run that kept filters, or the run.
        controls: layer, channel, epoch to start with; the last epoch by default.

    Raises:
        ValueError: as `filters`.
    """

    layer = traitlets.Unicode().tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    epoch = traitlets.Int(0).tag(sync=True)

    def __init__(self, source: nn.Module | Sequence, **controls):
        self.filters = filters(source)
        last = self.filters.epochs[-1] if self.filters.epochs else 0
        super().__init__(**{"layer": self.filters.names[0], "epoch": last, **controls})
        self.observe(self._refresh, ["layer", "channel", "epoch"])
        self._refresh()

    @traitlets.validate("layer")
    def _valid_layer(self, proposal):
        return check_name("layer", proposal.value, self.filters.names)

    @traitlets.validate("channel")
    def _valid_channel(self, proposal):
        return check_position("channel", proposal.value, self.filters[self.layer].shape[1])

    @traitlets.validate("epoch")
    def _valid_epoch(self, proposal):
        epochs = self.filters.epochs or (0,)
        if proposal.value not in epochs:
            raise IllegalSettingError(f"epoch (={proposal.value}) must be one of {', '.join(map(str, epochs))}")
        return proposal.value

    @property
    def filter(self) -> np.ndarray:
        """The chosen filter, float32 [in_channels / groups, height, width]."""
        return self._weights[self.channel]

    @property
    def _weights(self) -> np.ndarray:
        return self.filters[self.layer][self._at]

    @property
    def _at(self) -> int:
        return position(self.filters.epochs, self.epoch) if self.filters.epochs else 0

    def describe(self) -> str:
        """Say which filter is shown, its size and values, and how far it has moved since before training."""
        size = " x ".join(map(str, self.filter.shape))
        text = (
            f"Layer {self.layer}, filter {self.channel} (of {len(self._weights)}, from 0): {size}, "
            f"weights {self.filter.min():.3f} to {self.filter.max():.3f}, sum {self.filter.sum():.3f}"
        )
        if not self.filters.epochs:
            return f"{text}."
        moved = self.filters.change(self.layer)[self._at, self.channel]
        return f"{text}; epoch {self.epoch}, moved by {moved:.0%} of its length since epoch {self.filters.epochs[0]}."

    def _refresh(self, change=None) -> None:
        if self.channel >= self.filters[self.layer].shape[1]:
            self.channel = 0  # comes back here by itself
        else:
            super()._refresh()

    def _draw(self) -> tuple[list[dict], list[dict]]:
        every = self.filters[self.layer]
        out_channels, _, height, width = every.shape[1:]
        scale = {"limit": largest(every), "signed": True, "enlarge": ENLARGE}
        stack, columns = sheet_of_filters(self._weights)
        columns = columns or default_columns(len(stack))
        pick = {
            "trait": "channel", "columns": columns, "tile": [height * ENLARGE, width * ENLARGE], "gap": GAP,
            "span": len(stack) // out_channels, "count": out_channels,
        }  # fmt: skip
        rows = "" if pick["span"] == 1 else ", a column each"
        when = f", epoch {self.epoch}" if self.filters.epochs else ""
        title = f"{self.layer}, {out_channels} filters{rows}{when}"
        panels = [
            panel(title, montage(stack, columns, GAP, **scale), f"montage of {out_channels} filters", 520, pick),
            self._large(f"filter {self.channel}{when}", self.filter, scale),
        ]
        controls = [
            choice_control(
                "layer", [(name, f"{name}: {_size(array)}") for name, array in self.filters.weights.items()]
            ),
            slider_control("channel", out_channels - 1),
        ]
        if self.filters.epochs:
            first, *later = self.filters.epochs
            step = later[0] - first if later else 1
            controls.append(slider_control("epoch", self.filters.epochs[-1], first, step))
            panels.append(self._large(f"filter {self.channel}, epoch {first}", every[0, self.channel], scale))
        return controls, panels

    def _large(self, title: str, weights: np.ndarray, scale: dict) -> dict:
        stack = weights[None] if len(weights) == 3 else weights
        return panel(
            title, montage(stack, gap=GAP, **scale), f"{title}: weights {weights.min():.3f} to {weights.max():.3f}", 220
        )


def _size(weights: np.ndarray) -> str:
    _, out_channels, *rest = weights.shape
    return f"{out_channels} of {'×'.join(map(str, rest))}"
