"""FeatureMapExplorer: what every channel of every layer answers to an image."""

from collections.abc import Sequence

import numpy as np
import torch
import traitlets

from cnnviz.analysis.feature_maps import feature_maps
from cnnviz.analysis.filters import filters_of
from cnnviz.figures.montage import default_columns, largest, montage
from cnnviz.widgets.gallery import Gallery, check_name, check_position, choice_control, panel, slider_control


class FeatureMapExplorer(Gallery):
    """The image, all maps of one layer, and one map large beside the filter that made it.

    `w.layer = "c3"`, `w.channel = 4`, `w.image = 1` move the controls; a value that is not there raises
    `IllegalSettingError` (a ValueError) and changes nothing. A change of layer goes back to channel 0 where the
    new layer has fewer channels. The maps are computed once, at the start: training on does not change the pictures.

    Args:
        model: any nn.Module; left as it was.
        images: float [N, C, H, W], a tensor or an array, normalised as in training.
        labels: int [N], the classes of the images, for their names. Optional.
        class_names: one name a class. Optional.
        layers: names as in `model.named_modules()`; by default all that return maps.
        controls: layer, channel, image to start with.

    Raises:
        ValueError: as `feature_maps`; or labels that do not belong to the images.
    """

    layer = traitlets.Unicode().tag(sync=True)
    channel = traitlets.Int(0).tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        model,
        images,
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        *,
        layers: Sequence[str] | None = None,
        **controls,
    ):
        images = torch.as_tensor(images)
        self.maps = feature_maps(model, images, layers)
        self._filters = filters_of(model)
        self._images = _pictures(images.detach().float().cpu().numpy())
        self._captions = _captions(len(images), labels, class_names)
        super().__init__(**{"layer": self.maps.names[0], **controls})
        self.observe(self._refresh, ["layer", "channel", "image"])
        self._refresh()

    @traitlets.validate("layer")
    def _valid_layer(self, proposal):
        return check_name("layer", proposal.value, self.maps.names)

    @traitlets.validate("channel", "image")
    def _valid_position(self, proposal):
        images, channels = self.maps[self.layer].shape[:2]
        count = channels if proposal.trait.name == "channel" else images
        return check_position(proposal.trait.name, proposal.value, count)

    @property
    def map(self) -> np.ndarray:
        """The chosen map, float32 [H, W]."""
        return self.maps[self.layer][self.image, self.channel]

    def describe(self) -> str:
        """Say which map is shown, its size, its values and where it is strongest."""
        channels = self.maps[self.layer].shape[1]
        text = (
            f"Layer {self.layer}, channel {self.channel} (of {channels}, from 0), image {self._captions[self.image]}: "
            f"a map of {self.map.shape[0]} x {self.map.shape[1]}"
        )
        if not np.isfinite(self.map).all():
            return f"{text}, with values that are not finite."
        row, column = np.unravel_index(self.map.argmax(), self.map.shape)
        return f"{text}, {self.map.min():.2f} to {self.map.max():.2f}, strongest at row {row}, column {column}."

    def _refresh(self, change=None) -> None:
        if self.channel >= self.maps[self.layer].shape[1]:
            self.channel = 0  # comes back here by itself
        else:
            super()._refresh()

    def _draw(self) -> tuple[list[dict], list[dict]]:
        maps = self.maps[self.layer][self.image]
        count, height, width = maps.shape
        scale = {"limit": largest(maps), "signed": bool((maps < 0).any())}
        columns = default_columns(count)
        colours = "blue below 0, white 0, red above" if scale["signed"] else "dark 0, bright large"
        pick = {"trait": "channel", "columns": columns, "tile": [height, width], "gap": 1, "span": 1, "count": count}
        caption = f"image {self._captions[self.image]}"
        panels = [
            panel(caption, montage(self._images[self.image][None]), caption, 200),
            panel(
                f"{self.layer}, {count} maps", montage(maps, columns, **scale), f"montage of {count} maps", 400, pick
            ),
            panel(f"channel {self.channel}; {colours}", montage(self.map[None], **scale), self.describe(), 280),
        ]
        if self.layer in self._filters:
            panels.append(self._filter_panel(self._filters[self.layer]))
        layers = [(name, f"{name}: {_size(array)}") for name, array in
                  self.maps.maps.items()]  # fmt: skip
        controls = [
            choice_control("layer", layers),
            slider_control("channel", count - 1),
            slider_control("image", len(self._captions) - 1),
        ]
        return controls, panels

    def _filter_panel(self, weights: np.ndarray) -> dict:
        one = weights[self.channel : self.channel + 1]
        stack = one if one.shape[1] == 3 else one[0]
        size = " × ".join(map(str, one.shape[1:]))
        picture = montage(stack, limit=largest(weights), signed=True, enlarge=4)
        return panel(f"its filter, {size}", picture, f"the filter of channel {self.channel}, {size}", 140)


def _pictures(images: np.ndarray) -> np.ndarray:
    """Return float images [N, C, H, W] as uint8 [N, 1 or 3, H, W], each from its own least to its largest value."""
    images = images if images.shape[1] == 3 else images[:, :1]
    low, high = images.min(axis=(1, 2, 3), keepdims=True), images.max(axis=(1, 2, 3), keepdims=True)
    return np.rint(255 * (images - low) / np.maximum(high - low, 1e-12)).astype(np.uint8)


def _captions(count: int, labels: Sequence[int] | None, class_names: Sequence[str] | None) -> list[str]:
    if labels is None:
        return [str(index) for index in range(count)]
    labels = [int(label) for label in labels]
    if len(labels) != count:
        raise ValueError(f"{len(labels)} labels for {count} images")
    if class_names is not None and not all(0 <= label < len(class_names) for label in labels):
        raise ValueError(f"labels from {min(labels)} to {max(labels)}, but there are {len(class_names)} class names")
    return [f"{i} ({label if class_names is None else class_names[label]})" for i, label in enumerate(labels)]


def _size(maps: np.ndarray) -> str:
    return " × ".join(map(str, maps.shape[1:]))
