"""A photo as numbers: a function on a grid, grey levels from 0 (black) to 255 (white), one plane or three."""

import os

import numpy as np
import skimage.data
from PIL import Image, ImageOps

# Real photos that lie in scikit-image's own wheel: no download.
SAMPLES = ("camera", "astronaut", "chelsea", "coffee", "coins")


def photo(source, *, longest: int | None = None) -> np.ndarray:
    """Return a photo as grey levels: uint8 [H, W] if it is grey, [H, W, 3] (red, green, blue) if it is coloured.

    Args:
        source: a name in SAMPLES; the path of an image file; or an array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]:
            whole numbers are grey levels 0..255, real numbers are 0..1 and are rounded to grey levels. Transparent
            pixels (a fourth channel, alpha) are laid on white.
        longest: shrink the photo, by averaging, so that no side is longer than this many pixels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, or the array has another shape, no pixels, NaN, or values out of range.
        TypeError: the array does not hold numbers.
    """
    if isinstance(source, str) and source in SAMPLES:
        levels = getattr(skimage.data, source)()
    elif isinstance(source, str | os.PathLike):
        levels = _read(source)
    else:
        levels = _levels(np.asarray(source))
    if levels.ndim == 3 and levels.shape[2] == 4:
        alpha = levels[..., 3:] / 255
        levels = _round(alpha * levels[..., :3] + (1 - alpha) * 255)
    return _shrink(levels, longest) if longest and max(levels.shape[:2]) > longest else levels


def _read(path) -> np.ndarray:
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"there is no file {os.fspath(path)!r}; give an image file, or one of {', '.join(SAMPLES)}"
        )
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)  # a phone held upright writes its photos lying down
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"{os.fspath(path)!r} has more than 8 bits a pixel; save it as an 8-bit image first")
            return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGBA"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise ValueError(f"cannot read {os.fspath(path)!r} as an image ({reason}); give a PNG or JPEG file") from None


def _levels(array: np.ndarray) -> np.ndarray:
    """Turn an array of any number type into uint8 grey levels, or say what is wrong with it."""
    if array.dtype.kind not in "buif":
        raise TypeError(f"an image holds numbers, this array holds {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        channels_first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        advice = "; channels come last here: image.transpose(1, 2, 0)" if channels_first and array.size else ""
        raise ValueError(f"an image has the shape (H, W), (H, W, 3) or (H, W, 4), this one has {array.shape}{advice}")
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if not np.isfinite(array).all():
        raise ValueError(f"the image has {np.count_nonzero(~np.isfinite(array))} values that are NaN or infinite")
    largest = 1 if array.dtype.kind == "f" else 255
    if array.min() < 0 or array.max() > largest:
        kind, advice = ("real", "divide by the largest, or convert to uint8") if largest == 1 else ("whole", "rescale")
        raise ValueError(
            f"an image of {kind} numbers lies in 0..{largest}, this one in {array.min():g}..{array.max():g}; {advice}"
        )
    return array.astype(np.uint8) if largest == 255 else _round(array * 255)


def _shrink(levels: np.ndarray, longest: int) -> np.ndarray:
    height, width = levels.shape[:2]
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BOX))


def _round(values: np.ndarray) -> np.ndarray:
    """Round to grey levels, halves up (as JavaScript does), clipped to 0..255."""
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
