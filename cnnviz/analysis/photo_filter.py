"""A photo through a filter: the response, what it changed, and what the border of the photo does to it.

All values are grey levels, 0 black to 255 white. A response may leave that range; nothing is clipped but `shown`.
Colour planes are filtered one by one with the same kernel.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

from cnnviz.analysis.kernels import kernel as preset
from cnnviz.analysis.photo import photo

# What lies beyond the border: 1234 -> zeros: 0|1234|0, reflect: 2|1234|3, replicate: 1|1234|4, circular: 4|1234|1.
# "valid" puts nothing there: windows stay inside, and the result is smaller by kernel_size - 1.
PADDING_MODES = ("zeros", "reflect", "replicate", "circular", "valid")


@dataclass(frozen=True, eq=False)
class PhotoFilter:
    """One filter on one photo, in grey levels; channels last, as in the photo."""

    name: str
    padding_mode: str
    strength: float  # 0: the photo itself, 1: the filter's response, more: overdone
    original: np.ndarray  # float32 [H, W] or [H, W, 3]
    result: np.ndarray  # float32, not clipped; H and W smaller than the photo's only for "valid"
    difference: np.ndarray  # result - original, where there is a result

    @property
    def shown(self) -> np.ndarray:
        """The result as a photo: rounded and clipped to 0..255, uint8."""
        return np.clip(np.floor(self.result + 0.5), 0, 255).astype(np.uint8)

    @property
    def clipped(self) -> float:
        """The share (0..1) of the result's values that a photo cannot show: below 0 or above 255."""
        return float(np.mean((self.result < 0) | (self.result > 255)))

    @property
    def rmse(self) -> float:
        """How much the filter changed, root mean square, in grey levels."""
        return float(np.sqrt(np.mean(self.difference.astype(float) ** 2)))

    def describe(self) -> str:
        """Say what was done and what came out."""
        size = "{} x {}".format(*self.original.shape[:2])
        to = "" if self.result.shape == self.original.shape else " to {} x {}".format(*self.result.shape[:2])
        return (
            f"{self.name} (strength {self.strength:g}, border {self.padding_mode}) on a photo of {size} pixels{to}: "
            f"values {self.result.min():.0f} to {self.result.max():.0f}, mean {self.result.mean():.1f}, "
            f"{self.clipped:.1%} outside 0..255; changed by {self.rmse:.1f} grey levels (root mean square)."
        )


def photo_filter(image, kernel, *, padding_mode: str = "zeros", strength: float = 1.0) -> PhotoFilter:
    """Cross-correlate every plane of a photo with one kernel: result = photo + strength * (response - photo).

    Args:
        image: whatever `photo` takes: array, file or sample name.
        kernel: a name in KERNELS, or numbers [height, width]. Laid on the photo unflipped, as torch does it.
        padding_mode: what lies beyond the border, one of PADDING_MODES.
        strength: 0 gives the photo, 1 the response; any finite number.

    Raises:
        ValueError: unknown kernel or mode; a kernel with NaN or that does not fit; padding wider than the photo.
    """
    name = kernel if isinstance(kernel, str) else "own kernel"
    weight = torch.tensor(_weight(preset(kernel) if isinstance(kernel, str) else kernel))
    return _filter(name, image, weight.shape, padding_mode, strength, lambda x: conv2d(x, weight[None, None]))


def edge_magnitude(image, *, kernel_size: int = 3, padding_mode: str = "zeros", strength: float = 1.0) -> PhotoFilter:
    """Measure how fast a photo changes in any direction: sqrt(x^2 + y^2) of the two Sobel responses."""
    sobel = torch.tensor(np.stack([preset("sobel x", kernel_size), preset("sobel y", kernel_size)]))

    def magnitude(padded: torch.Tensor) -> torch.Tensor:
        return conv2d(padded, sobel[:, None]).square().sum(1, keepdim=True).sqrt()

    return _filter("edge magnitude", image, sobel.shape[1:], padding_mode, strength, magnitude)


def median_filter(image, kernel_size: int = 3, *, padding_mode: str = "zeros", strength: float = 1.0) -> PhotoFilter:
    """Put the middle one of the sorted values of each window: a filter that no kernel can do, since it is not linear.

    Raises:
        ValueError: as `photo_filter`; and `kernel_size` is not odd (an even window has no middle value).
    """
    size = operator.index(kernel_size)
    if size < 1 or size % 2 == 0:
        raise ValueError(f"kernel_size (={size}) of a median filter must be odd, so that there is a middle value")

    def median(padded: torch.Tensor) -> torch.Tensor:
        windows = padded.unfold(2, size, 1).unfold(3, size, 1)  # C,1,H,W,size,size
        return torch.stack([plane.flatten(-2).median(-1).values for plane in windows])

    return _filter("median", image, (size, size), padding_mode, strength, median)


@dataclass(frozen=True, eq=False)
class BorderEffect:
    """How far the border reaches into a filtered photo: the results with four paddings, compared pixel by pixel."""

    modes: tuple[str, ...]  # the four that pad
    results: np.ndarray  # float32 [mode, H, W] or [mode, H, W, 3]
    frame: int  # pixels whose window leaves the photo

    @property
    def differing(self) -> np.ndarray:
        """Pixels that differ by more than half a grey level, int64 [mode, mode]."""
        return np.array([[self._far(a, b).sum() for b in self.results] for a in self.results])

    @property
    def any_differing(self) -> int:
        """Pixels on which not all modes agree within half a grey level; never more than `frame`."""
        return int(self._far(self.results.min(0), self.results.max(0)).sum())

    @staticmethod
    def _far(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        far = np.abs(a - b) > 0.5
        return far.any(2) if far.ndim == 3 else far

    def describe(self) -> str:
        """Say how many pixels depend on the choice of padding."""
        pixels = self.results.shape[1] * self.results.shape[2]
        largest = float((self.results.max(0) - self.results.min(0)).max())
        return (
            f"{self.frame} of {pixels} pixels ({self.frame / pixels:.1%}) have a window that leaves the photo; "
            f"{self.any_differing} of them differ between {', '.join(self.modes)}, by up to {largest:.0f} grey levels."
        )


def border_effect(image, kernel) -> BorderEffect:
    """Filter a photo with each padding and compare. Arguments and errors as in `photo_filter`."""
    modes = tuple(mode for mode in PADDING_MODES if mode != "valid")
    results = np.stack([photo_filter(image, kernel, padding_mode=mode).result for mode in modes])
    inside = photo_filter(image, kernel, padding_mode="valid").result
    frame = results[0].shape[0] * results[0].shape[1] - inside.shape[0] * inside.shape[1]
    return BorderEffect(modes, results, frame)


def _filter(name, image, size, padding_mode, strength, respond: Callable[[torch.Tensor], torch.Tensor]) -> PhotoFilter:
    """Pad the photo for a window of `size`, respond, blend with the photo, and compare."""
    if not np.isfinite(strength):
        raise ValueError(f"strength (={strength}) must be a finite number")
    original = photo(image).astype(np.float32)
    height, width = (int(side) for side in size)
    top, left = (height - 1) // 2, (width - 1) // 2  # the centre of the window stays on its pixel
    planes = torch.from_numpy(original.reshape(*original.shape[:2], -1)).permute(2, 0, 1)[:, None]  # C,1,H,W
    padded = _pad(planes, (left, width - 1 - left, top, height - 1 - top), padding_mode)
    response = respond(padded)
    if padding_mode == "valid":
        planes = planes[..., top : top + response.shape[2], left : left + response.shape[3]]
    result = response if strength == 1 else planes + strength * (response - planes)
    result, inside = (
        part[:, 0].permute(1, 2, 0).numpy().reshape(*part.shape[2:], *original.shape[2:]) for part in (result, planes)
    )
    return PhotoFilter(name, padding_mode, float(strength), original, result, result - inside)


def _pad(planes: torch.Tensor, amounts: tuple[int, int, int, int], padding_mode: str) -> torch.Tensor:
    """Pad left, right, top, bottom; "valid" pads nothing."""
    if padding_mode not in PADDING_MODES:
        raise ValueError(f"there is no padding_mode {padding_mode!r}; choose one of {', '.join(PADDING_MODES)}")
    height, width = planes.shape[2:]
    left, right, top, bottom = amounts
    if padding_mode == "valid":
        if left + right >= width or top + bottom >= height:
            raise ValueError(
                f"the kernel ({top + bottom + 1} x {left + right + 1}) is larger than the photo ({height} x {width}); "
                "pad the photo, or use a smaller kernel"
            )
        return planes
    if padding_mode == "zeros":
        return pad(planes, amounts)
    room = {"reflect": (height - 1, width - 1), "circular": (height, width)}.get(padding_mode)
    if room and (max(top, bottom) > room[0] or max(left, right) > room[1]):
        raise ValueError(
            f"{padding_mode} padding ({max(amounts)}) needs a larger photo than {height} x {width}; "
            "use zeros or replicate, or a smaller kernel"
        )
    return pad(planes, amounts, mode=padding_mode)


def _weight(kernel) -> np.ndarray:
    weight = np.array(kernel, np.float32)
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"a kernel has the shape (height, width), this one has {weight.shape}")
    if not np.isfinite(weight).all():
        raise ValueError(f"the kernel has {np.count_nonzero(~np.isfinite(weight))} values that are NaN or infinite")
    return weight
