"""PhotoFilterExplorer: a real photo through a filter, its borders and its noise, under the learner's hands."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import traitlets

from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.analysis.noise import NOISES, add_noise, rmse
from cnnviz.analysis.photo import SAMPLES, photo
from cnnviz.analysis.photo_filter import PADDING_MODES, PhotoFilter, edge_magnitude, median_filter, photo_filter
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

SIZES = (3, 5)
WITHOUT_CELLS = ("edge magnitude", "median")
FILTERS = (*KERNELS, "edited", *WITHOUT_CELLS)
DISPLAYS = ("auto", "photo", "signed", "absolute")
ZOOMS = ("whole photo", "top left", "top right", "bottom left", "bottom right")
RANGES = {"strength": (0, 3), "amount": (0, 100), "seed": (0, 99)}
SMALLEST, LONGEST = 8, 512  # pixels along a side


class PhotoFilterExplorer(Explorer):
    """A photo, the result of a filter and the difference, side by side, computed and drawn in the browser.

    Every control is a trait. `w.filter = "sobel x"` moves the list; what is not allowed raises `IllegalSettingError`
    (a ValueError) or a TraitError and changes nothing.

    Args:
        image: an array, the path of a file, or a sample name (see `analysis.photo`); "camera" if None.
        longest: pixels of the longest side, at most 512; a larger photo is shrunk by averaging, and the widget says so.
        filter: a name of KERNELS, "edited", "edge magnitude" (both Sobel responses) or "median" (no convolution).
        kernel_size: 3 or 5.
        weight: [3, 3] or [5, 5]; setting it sets `kernel_size`, and `filter` to "edited". The array is read-only:
            set a whole new one.
        padding_mode: "zeros", "reflect", "replicate", "circular" or "valid" (none, the result is smaller).
        strength: 0 (the photo) to 3; 1 is the filter.
        noise: "none", "gaussian" (`amount` in grey levels) or "salt and pepper" (`amount` in percent of the pixels).
        amount: 0..100. seed: 0..99, which noise.
        display: the result drawn as a "photo" (clipped to 0..255), "signed" (zero in the middle), "absolute" or "auto".
        zoom: the whole photo or one of its corners with what lies beyond the border; a corner takes `pixel` along.
        pixel: (row, column) whose value is written out.
    """

    _esm = module("photo_filter_arithmetic", "photo_filter")
    _css = style()

    filter = traitlets.Enum(FILTERS, "gaussian").tag(sync=True)
    kernel_size = traitlets.Enum(SIZES, 3).tag(sync=True)
    weight = traitlets.TraitType().tag(  # no Any: that lets None pass unchecked
        sync=True, to_json=lambda array, _: array.tolist(), from_json=lambda lists, _: np.array(lists, dtype=np.float64)
    )
    padding_mode = traitlets.Enum(PADDING_MODES, "zeros").tag(sync=True)
    strength = traitlets.Float(1.0).tag(sync=True)
    noise = traitlets.Enum(("none", *NOISES), "none").tag(sync=True)
    amount = traitlets.Float(20.0).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    display = traitlets.Enum(DISPLAYS, "auto").tag(sync=True)
    zoom = traitlets.Enum(ZOOMS, "whole photo").tag(sync=True)
    pixel = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)
    _photo = traitlets.Bytes().tag(sync=True)  # grey levels, channels last
    _shape = traitlets.List().tag(sync=True)  # H, W, C
    _presets = traitlets.Dict(
        {name: {str(k): kernel(name, k).astype(float).tolist() for k in SIZES} for name in KERNELS}
    ).tag(sync=True)
    _title = traitlets.Unicode().tag(sync=True)

    def __init__(self, image=None, *, longest: int = 256, **controls):
        if not SMALLEST <= longest <= LONGEST:
            raise ValueError(f"longest (={longest}) must lie in {SMALLEST}..{LONGEST} pixels")
        self._longest, self._following = longest, False
        loaded = self._load("camera" if image is None else image)
        if "weight" in controls:
            controls = _with_own_cells(**controls)
        height, width, _ = self._size = loaded["_shape"]
        super().__init__(**({"pixel": (height // 2, width // 2)} | controls))
        if "pixel" not in controls:
            self._to_corner()
        self._show(loaded)
        self._fill()
        self.observe(self._changed, ["filter", "kernel_size", "weight"])
        self.observe(lambda change: self._to_corner(), "zoom")

    @property
    def image(self) -> np.ndarray:
        """The clean photo: uint8 [H, W] or [H, W, 3]. Set it to whatever `analysis.photo.photo` takes."""
        return np.array(np.frombuffer(self._photo, np.uint8)).reshape([n for n in self._shape if n != 1])

    @image.setter
    def image(self, source) -> None:
        loaded = self._load(source)
        height, width, _ = self._size = loaded["_shape"]
        with self.hold_sync(), self.hold_trait_notifications():
            self._show(loaded)
            self.pixel = (min(self.pixel[0], height - 1), min(self.pixel[1], width - 1))

    def _show(self, loaded: dict) -> None:
        for name, value in loaded.items():
            setattr(self, name, value)

    def _load(self, source) -> dict:
        whole = photo(source)
        levels = photo(whole, longest=self._longest)
        height, width = levels.shape[:2]
        if min(height, width) < SMALLEST:
            raise ValueError(f"the photo ({height} x {width}) is too small; it needs at least {SMALLEST} pixels a side")
        name = source if isinstance(source, str) and source in SAMPLES else "photo"
        if isinstance(source, str | os.PathLike) and name == "photo":
            name = os.path.basename(source)
        shrunk = "" if whole.shape == levels.shape else f", shrunk from {whole.shape[0]} x {whole.shape[1]}"
        shape = [*levels.shape, 1][:3]
        return {"_photo": levels.tobytes(), "_shape": shape, "_title": f"{name}, {height} x {width} pixels{shrunk}"}

    @traitlets.validate("strength", "amount", "seed")
    def _in_range(self, proposal):
        name, (low, high) = proposal.trait.name, RANGES[proposal.trait.name]
        if not low <= proposal.value <= high:  # NaN, too
            raise IllegalSettingError(f"{name}={proposal.value} must lie in {low}..{high}")
        return proposal.value

    @traitlets.validate("weight")
    def _valid_weight(self, proposal):
        return _cells(proposal.value)

    @traitlets.validate("pixel")
    def _inside(self, proposal):
        (row, column), (height, width, _) = proposal.value, self._size
        if not (0 <= row < height and 0 <= column < width):
            raise IllegalSettingError(f"pixel={(row, column)} must lie in the photo of {height} x {width} pixels")
        return proposal.value

    def _changed(self, change) -> None:
        """Keep filter, kernel size and cells in step, as `changed` does in the browser."""
        with self._follow() as following, self.hold_trait_notifications():
            if change.name == "weight":
                self.kernel_size = len(self.weight)
                hidden = following and self.filter in WITHOUT_CELLS  # only refitted to another size
                if not hidden and not _is_preset(self.filter, self.weight):
                    self.filter = "edited"
            self._fill()

    @contextmanager
    def _follow(self) -> Iterator[bool]:
        """Mark the block as one where cells follow the other controls; yields whether it was marked already."""
        before, self._following = self._following, True
        try:
            yield before
        finally:
            self._following = before

    def set_state(self, sync_data: dict) -> None:
        """Take a change from the browser, where the cells have followed the other controls already."""
        with self._lock, self._follow():
            super().set_state(sync_data)

    def _to_corner(self) -> None:
        """Write out the outermost pixel of a zoomed corner: its window leaves the photo."""
        if self.zoom != "whole photo":
            height, width, _ = self._size
            row, column = self.zoom.split()
            self.pixel = (0 if row == "top" else height - 1, 0 if column == "left" else width - 1)

    def _fill(self) -> None:
        cells = (
            _preset(self.filter, self.kernel_size) if self.filter in KERNELS else _refit(self.weight, self.kernel_size)
        )
        if not np.array_equal(cells, self.weight):
            self.weight = cells

    @traitlets.default("weight")
    def _default_weight(self):
        return _cells(_preset("gaussian", 3))

    @property
    def input(self) -> np.ndarray:
        """What goes into the filter: the photo, with its noise if there is any; uint8 [H, W] or [H, W, 3]."""
        if self.noise == "none":
            return self.image
        return add_noise(self.image, self.noise, self.amount, seed=self.seed)

    @property
    def filtered(self) -> PhotoFilter:
        """The filter on the input, computed with torch."""
        options = {"padding_mode": self.padding_mode, "strength": self.strength}
        if self.filter == "edge magnitude":
            return edge_magnitude(self.input, kernel_size=self.kernel_size, **options)
        if self.filter == "median":
            return median_filter(self.input, self.kernel_size, **options)
        return photo_filter(self.input, self.weight, **options)

    @property
    def output(self) -> np.ndarray:
        """The result in grey levels, not clipped: float32 [H, W] or [H, W, 3]; smaller than the photo for "valid"."""
        return self.filtered.result

    @property
    def difference(self) -> np.ndarray:
        """Result minus clean photo, in grey levels, float32, shape of `output`."""
        return self.output - self._clean()

    def _clean(self) -> np.ndarray:
        """The part of the clean photo that has a result."""
        edge = (self.kernel_size - 1) // 2 if self.padding_mode == "valid" else 0
        return self.image[edge : len(self.image) - edge, edge : self.image.shape[1] - edge]

    def describe(self) -> str:
        """Say what the filter does to the photo, and how far noise and result are from the clean photo."""
        filtered = self.filtered
        name = self.filter if self.filter in WITHOUT_CELLS else f"{self.filter} kernel"
        words = filtered.describe().removeprefix(filtered.name)
        sentence = f"{name}, {self.kernel_size} x {self.kernel_size}{words}"
        if self.noise == "none":
            return f"{self._title}: {sentence}"
        before = rmse(self.input, self.image)
        after = float(np.sqrt(np.mean(self.difference.astype(float) ** 2)))
        unit = "grey levels" if self.noise == "gaussian" else "percent of the pixels"
        return (
            f"{self._title}, with {self.noise} noise of {self.amount:g} {unit}: {sentence} Root mean square distance "
            f"from the clean photo: {before:.1f} before, {after:.1f} after."
        )

    @property
    def code(self) -> str:
        """The torch calls that give `output`, as text that runs: `photo` (that is `input`) goes in, `y` comes out."""
        reach, k = (self.kernel_size - 1) // 2, self.kernel_size
        lines = [
            "import torch",
            "import torch.nn.functional as F",
            "",
            "# photo: grey levels 0..255 as an array (H, W) or (H, W, 3), with its noise if there is any",
            "x = torch.as_tensor(photo).float().reshape(*photo.shape[:2], -1).permute(2, 0, 1)[:, None]  # C, 1, H, W",
        ]
        edges = self.filter == "edge magnitude"
        kernels = [_preset("sobel x", k), _preset("sobel y", k)] if edges else [self.weight]
        lines += [] if self.filter == "median" else [f"weight = torch.tensor({_kernel_text(kernels)}  # out, in, k, k"]
        x = "x"
        if self.padding_mode != "valid":
            mode = "" if self.padding_mode == "zeros" else f', mode="{self.padding_mode}"'
            lines.append(f"padded = F.pad(x, ({reach}, {reach}, {reach}, {reach}){mode})")
            x = "padded"
        if edges:
            lines.append(f"y = F.conv2d({x}, weight).square().sum(1, keepdim=True).sqrt()  # sobel x, sobel y")
        elif self.filter == "median":
            lines.append(f"y = {x}.unfold(2, {k}, 1).unfold(3, {k}, 1).flatten(-2).median(-1).values")
        else:
            lines.append(f"y = F.conv2d({x}, weight)")
        if self.strength != 1:
            lines += [f"x = x[:, :, {reach}:-{reach}, {reach}:-{reach}]"] if self.padding_mode == "valid" else []
            lines.append(f"y = x + {_decimal(self.strength)} * (y - x)")
        return "\n".join(lines)


def _preset(name: str, size: int) -> np.ndarray:
    """A preset in float64, as JavaScript computes with it."""
    return kernel(name, size).astype(np.float64)


def _is_preset(name: str, cells: np.ndarray) -> bool:
    return name in KERNELS and np.array_equal(cells, _preset(name, len(cells)))


def _with_own_cells(*, weight, filter: str = "edited", **controls) -> dict:
    """The controls that a weight given at the start implies.

    Raises:
        IllegalSettingError: it is given together with another filter.
    """
    cells = _cells(weight)
    if filter != "edited" and not _is_preset(filter, cells):
        raise IllegalSettingError(f"filter={filter!r} does not have the weight that is given; leave one of them out")
    return {"kernel_size": len(cells)} | controls | {"filter": filter, "weight": cells}


def _cells(value) -> np.ndarray:
    """A read-only copy: a cell that is set in place would change here and not in the browser."""
    try:
        cells = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise IllegalSettingError(f"weight must be rows of numbers of equal length, got {value!r}") from None
    if cells.shape not in [(k, k) for k in SIZES] or not np.isfinite(cells).all():
        raise IllegalSettingError(f"weight must hold 3 x 3 or 5 x 5 finite numbers, got shape {cells.shape}: {value!r}")
    cells.setflags(write=False)
    return cells


def _refit(cells: np.ndarray, size: int) -> np.ndarray:
    """Edited cells in another size: surrounded by zeros, or the middle ones."""
    more = (size - len(cells)) // 2
    return np.pad(cells, more) if more >= 0 else cells[-more:more, -more:more]


def _kernel_text(kernels: list[np.ndarray]) -> str:
    """The kernels as whole numbers over a common denominator where there is one, else as decimals."""
    cells = np.array(kernels)
    whole = [n for n in (1, 9, 25, 16, 256, 273) if (np.abs(cells * n - np.floor(cells * n + 0.5)) < 1e-4).all()]
    n = whole[0] if whole else 0
    rows = [[", ".join(f"{np.floor(w * n + 0.5):.0f}." if n else _decimal(w) for w in row) for row in k] for k in cells]
    text = ", ".join(f"[[{', '.join(f'[{row}]' for row in k)}]]" for k in rows).replace("-0.,", "0.,")
    return f"[{text}])" + (f" / {n}" if n > 1 else "")


def _decimal(value: float) -> str:
    """At most six decimals, halves up, as JavaScript writes them too."""
    text = f"{np.floor(value * 1e6 + 0.5) / 1e6:.6f}".rstrip("0")
    return "0." if text == "-0." else text
